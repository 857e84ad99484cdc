"""Runs an engine against a server: planes out, painted pictures back, everything side by side."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.condition.labels.palette import in_colours
from ..model.errors import RotoliveError
from ..model.video import TimedPicture, VideoWriter
from .client import Client, Painted

PATIENCE_S = 60.0
"""How long a server may take until it paints the first frame."""


@dataclass(frozen=True, kw_only=True)
class EngineFrame:
    """What an engine rendered: its own picture, uint8 [H, W, 3], and the planes that go out.

    planes: "label" and any of "instance", "depth", "motion" (see `model.condition.Planes`).
    reset: a cut, nothing of the frame before is to be seen any more.
    """

    rgb: NDArray[np.uint8]
    planes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    reset: bool = False


class Engine(Protocol):
    """Something that renders frames with labels. Used from one thread."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def mapping(self) -> Mapping[str, str]:
        """Classes that the server finds no place for by itself, onto a street's."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        ...

    def step(self, seconds: float) -> EngineFrame:
        """Go on by some seconds and render."""
        ...

    def close(self) -> None:
        """Release the engine."""
        ...


def connect(engine: Engine, address: str, *, fps: float, style: int, token: str | None) -> Client:
    """Open the client that an engine needs."""
    return Client(
        address,
        engine.classes,
        stream=engine.name,
        size=engine.size,
        fps=fps,
        mapping=engine.mapping,
        style=style,
        token=token,
    )


def play(
    engine: Engine, client: Client, *, fps: float, seconds: float | None = None
) -> Iterator[tuple[EngineFrame, Painted | None]]:
    """Run in real time; yields every frame with the newest picture, None before the first.

    What the server cannot paint in time it skips.
    """
    began, painted, count = time.monotonic(), None, 0
    while seconds is None or count < seconds * fps:
        frame = engine.step(1 / fps)
        _send(client, frame)
        painted = client.receive() or painted
        yield frame, painted
        count += 1
        ahead = began + count / fps - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        else:
            began -= ahead


def record(
    engine: Engine, client: Client, out: Path, *, fps: float, seconds: float
) -> Iterator[float]:
    """Write engine | labels | painted into a video, frame by frame; yields the share done.

    Every frame is waited for. Raises RotoliveError when none comes.
    """
    width, height = engine.size
    with VideoWriter(out, 3 * width, height, fps) as writer:
        for i in range(round(seconds * fps)):
            frame = engine.step(1 / fps)
            painted = paint(client, frame)
            writer.write(TimedPicture(rgb=beside(engine, frame, painted), time_s=i / fps))
            yield (i + 1) / (seconds * fps)


def paint(client: Client, frame: EngineFrame) -> NDArray[np.uint8]:
    """Send a frame and wait for its picture, uint8 [H, W, 3]. Raises RotoliveError."""
    mark = time.monotonic_ns()
    _send(client, frame, mark)
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        painted = client.receive(0.2)
        if painted is not None and painted.captured_ns == mark:
            return painted.rgb
        if client.error is not None:
            raise client.error
    raise RotoliveError(f"the server painted nothing for {PATIENCE_S:.0f} s")


def _send(client: Client, frame: EngineFrame, captured_ns: int | None = None) -> None:
    client.send(**frame.planes, color=frame.rgb, captured_ns=captured_ns, reset=frame.reset)


def beside(
    engine: Engine, frame: EngineFrame, painted: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """The engine's picture, its labels in colours, and what was painted, [H, 3W, 3]."""
    shown = np.zeros_like(frame.rgb) if painted is None else painted
    if shown.shape != frame.rgb.shape:
        shown = np.asarray(cv2.resize(shown, engine.size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = in_colours(frame.planes["label"], engine.classes)
    return np.hstack([frame.rgb, labels, shown])
