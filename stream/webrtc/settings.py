"""What a server of WebRTC is told once, at its start."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ...model.errors import InputError
from .encode import Encoding
from .network import Network


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server streams.

    max_sessions: who may send pictures at once. largest: width and height, either way round, of the
    largest pictures that are taken. marker: carry the bench's bar code from the input to the
    picture. network: how peers beyond this network reach us. encoding: of what goes out.
    recordings: the folder for what is recorded; none, and nothing is.
    """

    max_sessions: int = 4
    largest: tuple[int, int] = (1920, 1080)
    marker: bool = False
    network: Network = field(default_factory=Network)
    encoding: Encoding = field(default_factory=Encoding)
    recordings: Path | None = None

    def check_size(self, width: int, height: int) -> None:
        """Refuse pictures that are too large. Raises InputError."""
        most, least = max(self.largest), min(self.largest)
        if max(width, height) > most or min(width, height) > least:
            raise InputError(
                f"the pictures sent are {width}x{height}; at most {most}x{least} are taken"
            )


def parse_size(text: str) -> tuple[int, int]:
    """Read "1920x1080". Raises InputError."""
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", text)
    if match is None:
        raise InputError(f"the size {text!r} is none; give one such as 1920x1080")
    return int(match[1]), int(match[2])
