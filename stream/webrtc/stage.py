"""An engine's session among the peers: found by its name, watched and recorded like any other."""

import asyncio
import contextlib
import secrets
import time
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.condition import Planes, plane
from ...model.condition.labels.palette import in_colours
from ...model.errors import InputError
from ..mailbox import Mailbox
from ..protocol import Frame
from ..record import Recorder
from ..session import Session
from ..stats import Stats
from .broadcast import Broadcast
from .encode import Encoding


class Tap:
    """A second way out for a session's pictures, open while it is watched."""

    def __init__(self) -> None:
        self.outbox: Mailbox[Frame] = Mailbox()
        self.stats = Stats()
        self.open = False

    def watch(self, on: bool) -> None:
        """Open or shut it."""
        self.open = on

    def put(self, frame: Frame) -> None:
        """Take a painted frame; the newest wins."""
        if self.open:
            self.outbox.put(replace(frame, marks=dict(frame.marks)))


class Stage:
    """Owns a session that is painted whether or not somebody watches it.

    Who takes pictures from the session's outbox calls `show` with each of them, and `came` with
    each frame that goes in. `seen` broadcasts those: the engine's picture beside its labels.
    """

    kind = "engine"
    owns = True

    def __init__(self, name: str, session: Session, encoding: Encoding) -> None:
        self.name = name
        self.key = secrets.token_urlsafe(12)
        self.session = session
        self._tap = Tap()
        self.broadcast = Broadcast(session, encoding, self._tap)
        self._inputs = Tap()
        self.seen = Broadcast(session, encoding, self._inputs)
        self._planes: Planes = {}
        self._last_heard = time.monotonic()

    @property
    def dead(self) -> bool:
        """Whether the session has ended."""
        return self.session.closed

    @property
    def absent_s(self) -> float:
        """How long the engine has said nothing."""
        return time.monotonic() - self._last_heard

    def heard(self) -> None:
        """Note a sign of life."""
        self._last_heard = time.monotonic()

    def came(self, frame: Frame) -> None:
        """Note a frame that goes in; from any thread."""
        self._planes = frame.planes
        if self._inputs.open:
            model = self.session.model
            beside = look(frame.planes, model.classes, model.width // 2, model.height // 2)
            self._inputs.put(replace(frame, planes={"rgb": beside}))

    def at(self, x: float, y: float) -> tuple[str, int]:
        """Return class and instance (0: none) of what was sent last, at x, y in 0..1.

        Raises InputError where there are no labels, or no such place.
        """
        label = plane(self._planes, "label") if self._planes else None
        if label is None or not (0 <= x < 1 and 0 <= y < 1):
            raise InputError(f"nothing at {x:g}, {y:g}: labels must have come, x and y lie in 0..1")
        place = int(y * label.shape[0]), int(x * label.shape[1])
        instance = self._planes.get("instance")
        return self.session.model.classes[label[place]], int(
            0 if instance is None else instance[place]
        )

    def show(self, frame: Frame) -> None:
        """Hand a painted frame to whoever watches."""
        self._tap.put(frame)

    async def close(self) -> None:
        """Free the session; safe to call again."""
        self.session.close()
        self._tap.outbox.close()
        self._inputs.outbox.close()
        with contextlib.suppress(InputError):
            await self.stop_recording()

    async def stop_recording(self) -> Recorder | None:
        """End the recording and finish its file. Raises InputError when that fails."""
        recorder = self.broadcast.stop_recording()
        if recorder:
            await asyncio.to_thread(recorder.close)
        return recorder


def look(planes: Planes, classes: tuple[str, ...], width: int, height: int) -> NDArray[np.uint8]:
    """An engine's picture (black, if none came) beside its labels in colours, [h, 2w, 3]."""
    halves = []
    for name in ("rgb", "label"):
        values = planes.get(name)
        if values is None:
            halves.append(np.zeros((height, width, 3), np.uint8))
            continue
        shown = in_colours(values, classes) if name == "label" else values
        small = cv2.resize(shown, (width, height), interpolation=cv2.INTER_NEAREST)
        halves.append(np.asarray(small, np.uint8))
    return np.hstack(halves)
