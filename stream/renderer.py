"""The one model thread: takes the sessions whose turn it is, steps them, hands pictures back."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.condition import Observation
from ..model.errors import RotoliveError
from ..model.live import LiveModel, Picture, Request
from .guard import Guard
from .mailbox import Mailbox
from .metrics import Metrics
from .protocol import Frame
from .schedule import Rotation

logger = logging.getLogger(__name__)


class TooManySessions(RotoliveError):
    """Every slot of the model is taken."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A frame, what its conditioner saw, and the style [S] to paint it in."""

    frame: Frame
    seen: Observation
    style: NDArray[np.float32]
    marker: int | None = None


class Seat:
    """A session's place at the renderer: put jobs into `inbox`, pictures come to `deliver`.

    deliver and failed are called on the model thread and must not block; ended is called when
    the renderer closes.
    """

    def __init__(
        self,
        slot: int,
        deliver: Callable[[Job, Picture], None],
        failed: Callable[[Exception], None],
        ended: Callable[[], None],
        on_put: Callable[[], None],
    ) -> None:
        self.slot = slot
        self.deliver = deliver
        self.failed = failed
        self.ended = ended
        self.guard = Guard()
        self.painted = -1
        self.inbox: Mailbox[Job] = Mailbox(on_put)


Turn = tuple[Seat, Job]


class Renderer:
    """Owns the model and the server's metrics; sessions rent slots.

    A step takes no more sessions than the model steps at once, nor than `batch`, if given; the
    frames of the others stay where newer ones may replace them.
    """

    def __init__(
        self, model: LiveModel, max_sessions: int | None = None, batch: int | None = None
    ) -> None:
        self.model = model
        self.metrics = Metrics()
        self.capacity = min(model.slots, max_sessions or model.slots)
        self._batch = batch or model.slots
        self._free = list(range(self.capacity))
        self._seats: Rotation[Seat] = Rotation()
        self._resets: set[int] = set()
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def acquire(
        self,
        deliver: Callable[[Job, Picture], None],
        failed: Callable[[Exception], None],
        ended: Callable[[], None] = lambda: None,
    ) -> Seat:
        """Rent a slot, its state fresh. Raises TooManySessions."""
        with self._lock:
            if not self._free or self._closed:
                raise TooManySessions(
                    f"too many sessions: {self.model.name} serves {self.capacity} at a time; "
                    "close one, or start the server with more slots"
                )
            seat = Seat(self._free.pop(0), deliver, failed, ended, self._due.set)
            self._seats.add(seat)
            self._resets.add(seat.slot)
            self._start()
        return seat

    def release(self, seat: Seat) -> None:
        """Give the slot back; what is being painted for it is thrown away."""
        seat.inbox.close()
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)
                self._free.append(seat.slot)

    def reset(self, seat: Seat) -> None:
        """Make the seat's next picture a first one; a seat given back changes nothing."""
        with self._lock:
            if seat in self._seats:
                self._resets.add(seat.slot)

    def close(self, timeout: float = 1.0) -> None:
        """Stop the model thread and close every seat."""
        with self._lock:
            self._closed = True
            seats = list(self._seats)
        for seat in seats:
            self.release(seat)
            seat.ended()
        self._due.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="renderer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closed:
                return
            turns, resets = self._gather()
            for slot in resets:
                self._reset_slot(slot)
            if turns:
                self._step(turns)

    def _gather(self) -> tuple[list[Turn], set[int]]:
        batch = min(self._batch, self.model.batch)
        with self._lock:
            resets, self._resets = self._resets, set()
            turns = self._seats.take(batch, lambda seat: seat.inbox.take())
        if len(turns) == batch:
            self._due.set()  # there may be more
        return turns, resets

    def _reset_slot(self, slot: int) -> None:
        try:
            self.model.reset(slot)
        except Exception:
            logger.exception("resetting slot %d failed", slot)

    def _step(self, turns: list[Turn]) -> None:
        try:
            self._step_together(turns)
        except Exception as error:
            if len(turns) == 1:
                self._fail(turns[0][0], error)
                return
            for turn in turns:  # one of them is the cause: find it, and paint the others
                self._step([turn])

    def _step_together(self, turns: list[Turn]) -> None:
        for seat, job in turns:
            if seat.painted < job.frame.cut:
                self._reset_slot(seat.slot)
        start = time.monotonic_ns()
        pictures = self.model.step(
            [
                Request(slot=seat.slot, seen=job.seen, style=job.style, seq=job.frame.seq)
                for seat, job in turns
            ]
        )
        end = time.monotonic_ns()
        for (seat, job), picture in zip(turns, pictures, strict=True):
            seat.painted = job.frame.seq
            job.frame.marks.update(stepping=start, stepped=end)
            self._hand_out(seat, job, picture)

    def _hand_out(self, seat: Seat, job: Job, picture: Picture) -> None:
        if seat.inbox.closed:
            return
        try:
            if seat.guard.look(picture.rgb):
                logger.info("slot %d paints one colour only; it starts afresh", seat.slot)
                self.reset(seat)
            seat.deliver(job, picture)
        except Exception as error:
            self._fail(seat, error)

    def _fail(self, seat: Seat, error: Exception) -> None:
        logger.error("slot %d failed", seat.slot, exc_info=error)
        self.reset(seat)
        try:
            seat.failed(error)
        except Exception:
            logger.exception("slot %d could not be told of its failure", seat.slot)
