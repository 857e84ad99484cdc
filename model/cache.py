"""Where what can be made again is kept between starts."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder, which may not exist yet: $ROTOLIVE_CACHE, else the user's cache."""
    root = os.environ.get("ROTOLIVE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return Path(root or Path.home() / ".cache") / "rotolive"
