"""What the commands share: types of arguments, checks, and how figures are shown."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import tyro

from .errors import InputError

Positional = tyro.conf.Positional
Model = Annotated[str, tyro.conf.arg(help="A bundled model's name or a package's path.")]


def at_least(name: str, value: float | None, least: float) -> None:
    """Raise InputError naming an option that is too small."""
    if value is not None and value < least:
        raise InputError(f"--{name} is {value}; {least} or more is accepted")


def check_folder_of(json_file: Path | None) -> None:
    """Raise InputError where a file could not be written later."""
    if json_file is not None and not json_file.parent.is_dir():
        raise InputError(f"{json_file}: there is no folder {json_file.parent}")


def show(figures: dict[str, Any], json_file: Path | None) -> None:
    """Print figures as JSON, and write them to a file where one is named."""
    text = json.dumps(figures, indent=1)
    print(text)
    if json_file is not None:
        json_file.write_text(text + "\n")


@contextmanager
def train_extra() -> Iterator[None]:
    """Around imports: say how to get what training needs. Raises InputError."""
    try:
        yield
    except ImportError as error:
        raise InputError(f"{error}; install with `pip install 'rotolive[train]'`") from error
