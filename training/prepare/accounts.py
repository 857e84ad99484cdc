"""Frames that cannot be used, and the account of them."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

UNREADABLE = "unreadable"
NAMED = 3
"""Frames of each flaw that are named."""


class Flaw(Exception):
    """Why one frame cannot be used, in a few words, and what of it shows that."""

    def __init__(self, why: str, shown: str = "") -> None:
        super().__init__(why)
        self.why, self.shown = why, shown

    def of(self, name: str) -> str:
        """Name a frame, and what of it shows the flaw."""
        return f"{name}: {self.shown}" if self.shown else name


@dataclass
class Flawed:
    """Frames with one flaw: how many, and the names of the first."""

    frames: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, frames: int, first: list[str]) -> None:
        """Count some more."""
        self.frames += frames
        self.first = [*self.first, *first][:NAMED]

    def __str__(self) -> str:
        rest = ", ..." if self.frames > len(self.first) else ""
        return f"({', '.join(self.first)}{rest})"


@dataclass(kw_only=True)
class Account:
    """What became of the frames of one sequence, or of several."""

    source: str
    style: str
    bytes: int = 0
    sequences: int = 1
    frames: int = 0
    used: int = 0
    clips: int = 0
    flaws: dict[str, Flawed] = field(default_factory=dict)

    def skip(self, why: str, frames: int, first: list[str]) -> None:
        """Count frames that were left out."""
        self.flaws.setdefault(why, Flawed()).add(frames, first)

    def add(self, other: "Account") -> None:
        """Count another sequence of the same source."""
        for name in ("bytes", "sequences", "frames", "used", "clips"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for why, flawed in other.flaws.items():
            self.skip(why, flawed.frames, flawed.first)

    @property
    def reasons(self) -> str:
        """Why frames were left out, and which."""
        return ", ".join(f"{flawed.frames} {why} {flawed}" for why, flawed in self.flaws.items())

    def __str__(self) -> str:
        made = f"{self.clips} clips of {self.used} of {self.frames} frames in {self.sequences}"
        reasons = f", {self.reasons}" if self.flaws else ""
        return f"{self.source}: {made} sequences{reasons}; style {self.style!r}"

    @classmethod
    def of_notes(cls, notes: dict[str, Any]) -> Self:
        """Make one again of what `dataclasses.asdict` made of it."""
        flaws = {why: Flawed(**flawed) for why, flawed in notes["flaws"].items()}
        return replace(cls(**notes), flaws=flaws)
