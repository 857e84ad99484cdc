"""Persistent streams over clips: what is trained on, one frame of every stream at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.errors import InputError
from .config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What the clips of a data set have in common.

    condition: its kind. channels: of a condition. weights: how much a pixel of each part or class
    counts [P]. parts, classes: how many there are, for a head that tells parts, of label ids.
    backdrop: what is behind everybody [3, H, W], if anything is. settings: of the condition, for
    the package.
    """

    condition: str
    channels: int
    weights: Tensor
    settings: dict[str, Any]
    parts: int = 0
    classes: int = 0
    backdrop: Tensor | None = None


class Window(NamedTuple):
    """Part of a picture [H, W]: rows and columns, bounds in multiples of 4 pixels."""

    rows: slice
    columns: slice

    @property
    def quarter(self) -> "Window":
        """The same part at 1/4 of the size."""
        return Window(*(slice(side.start // 4, side.stop // 4) for side in self))


class Playable(Protocol):
    """A clip that streams can play."""

    folder: Path
    style: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        ...

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Frames [T] that can be trained on."""
        ...

    def moment(self, frame: int, before: int, window: Window, whim: int) -> dict[str, Tensor]:
        """One row of a `Batch`, of what is in `window`; whim: a number of the stream's own."""
        ...


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One frame of every stream.

    condition [B, C, H/4, W/4] (of labels [B, C, H, W]), style [B, S], target: premultiplied RGBA
    [B, 4, H, W] in 0..1, before: the same one step earlier, parts [B, H, W]: ids, things and
    things_before [B, H, W]: numbers by which things are known again, motion [B, 2, H/4, W/4] and
    where it is known [B], told: the same as the condition tells it, start [B]: streams that begin
    here, crops [B, K, 2]: x, y of what to look at closely; of people, body [B, 2, 2]: x, y of
    pelvis and chest, reach [B]: pixels from there to the furthest joint.
    """

    condition: Tensor
    style: Tensor
    target: Tensor
    before: Tensor
    parts: Tensor
    things: Tensor
    things_before: Tensor
    told: Tensor
    motion: Tensor
    motion_known: Tensor
    start: Tensor
    crops: Tensor
    body: Tensor | None = None
    reach: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """Move everything to a device; what is pinned, while the caller goes on."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Lock it in memory, from where a GPU fetches it by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        found = {key: value for key, value in vars(self).items() if value is not None}
        return Batch(**{key: change(value) for key, value in found.items()})


Place = tuple[int, int, int, int, int, int, int]
"""Clip, frame, the frame before it, gap, left and upper edge of the window, the stream's whim."""


class Plan(NamedTuple):
    """What a batch is to be made of: where every stream is, and which of them begin there."""

    places: tuple[Place, ...]
    starts: tuple[bool, ...]


class Streams:
    """`batch` clips being played at once, each in a window of its own; restarted at random.

    All that is random is in `plan`, which costs nothing; `make` is the same wherever it runs.
    """

    def __init__(self, clips: Sequence[Playable], styles: int, config: TrainConfig) -> None:
        self.clips, self.styles, self.config = clips, styles, config
        self.rng = np.random.default_rng(config.seed)
        self.width, self.height = clips[0].size
        crop = 0 if "prior" in config.without else config.crop
        self.window = min(crop or self.width, self.width)
        tall = config.crop_height if crop else 0
        self.window_height = min(tall or self.height, self.height)
        self._by_style = [
            [i for i, clip in enumerate(clips) if clip.style == style] for style in range(styles)
        ]
        if empty := [style for style, found in enumerate(self._by_style) if not found]:
            raise InputError(f"no clips of style {empty[0]}; there are {styles} styles")
        self._places = [self._start() for _ in range(config.batch)]

    def state_dict(self) -> dict[str, object]:
        """Where every stream is, for an exact resume."""
        return {"rng": self.rng.bit_generator.state, "places": [list(p) for p in self._places]}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where `state_dict` left off."""
        self.rng.bit_generator.state = state["rng"]  # pyright: ignore[reportAttributeAccessIssue]
        self._places = [tuple(place) for place in state["places"]]  # pyright: ignore[reportGeneralTypeIssues]

    def next(self) -> Batch:
        """Play every stream on by one of its own gaps."""
        return self.make(self.plan())

    def plan(self) -> Plan:
        """Where the next batch is; the streams are there from now on."""
        starts = []
        for slot, place in enumerate(self._places):
            following = self._follow(place)
            start = following is None or self.rng.random() < self.config.restart
            self._places[slot] = self._start() if start or following is None else following
            starts.append(start)
        return Plan(tuple(self._places), tuple(starts))

    def make(self, plan: Plan) -> Batch:
        """Read and draw what was planned."""
        rows = [self._moment(*place) for place in plan.places]
        stacked = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
        return Batch(**stacked, start=torch.tensor(plan.starts))

    def _follow(self, place: Place) -> Place | None:
        """The next usable frame at the stream's gap or beyond; None at the end."""
        clip, frame, _, gap, left, top, whim = place
        ahead = np.flatnonzero(self.clips[clip].usable[frame + gap :])
        if not len(ahead):
            return None
        return clip, frame + gap + int(ahead[0]), frame, gap, left, top, whim

    def _start(self) -> Place:
        style = int(self.rng.integers(self.styles))
        clip = int(self.rng.choice(self._by_style[style]))
        gap = int(self.rng.choice(self.config.gaps))
        frame = int(self.rng.choice(np.flatnonzero(self.clips[clip].usable)))
        left = self._edge(self.width - self.window)
        top = self._edge(self.height - self.window_height)
        whim = int(self.rng.integers(2**31))
        return clip, frame, max(frame - gap, 0), gap, left, top, whim

    def _edge(self, room: int) -> int:
        """Where a window begins: on a cell of motion of the coarsest picture."""
        cell = 4 << self.config.stages
        return cell * int(self.rng.integers(0, room // cell + 1))

    def _moment(
        self, clip: int, frame: int, before: int, gap: int, left: int, top: int, whim: int
    ) -> dict[str, Tensor]:
        rows, columns = slice(top, top + self.window_height), slice(left, left + self.window)
        window = Window(rows, columns)
        row = self.clips[clip].moment(frame, before, window, whim)
        return {**row, "style": torch.eye(self.styles)[self.clips[clip].style]}
