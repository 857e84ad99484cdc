"""An engine's frames on their way: unpacked, painted, sent back and shown."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from ..model.errors import InputError
from ..model.live import UnknownStyle
from . import protocol
from .mailbox import Closed, Mailbox
from .webrtc.stage import Stage
from .wire.errors import WireError
from .wire.header import Bye, Error, Frame, Part, dump
from .wire.message import decode, describe, encode
from .wire.planes import Limits, check_frame

logger = logging.getLogger(__name__)

Send = Callable[[list[Part]], Awaitable[bool]]
"""Sends a message to a client; False when it was thrown away, as the client reads too slowly."""
Publish = Callable[[str, list[Part]], None]
CLOCK_RATE = 90_000
MOST_STAMPS = 256


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """A frame as it came at a monotonic time [ns]; cut: seq of the last cut until then."""

    frame: Frame
    parts: Sequence[Part]
    at: int
    cut: int


class EngineStream:
    """An open session of one engine; a thread of its own unpacks frames, the newest first.

    limits: of what may come. table: the model's id of each of the sender's, uint8 [256]. painted:
    the encoding of what is sent back. end: called with the stage's key to take it off the list.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        limits: Limits,
        table: NDArray[np.uint8] | None,
        painted: str,
        send: Send,
        publish: Publish | None,
        end: Callable[[str], Awaitable[None]],
    ) -> None:
        self.stage = stage
        self.session = stage.session
        self._limits, self._table, self._painted = limits, table, painted
        self._send, self._publish, self._end = send, publish, end
        self._inbox: Mailbox[_Arrival] = Mailbox()
        self._refusals: Mailbox[list[Part]] = Mailbox()
        self._stamps: dict[int, int] = {}
        self._last = self._cut = -1
        self._size: tuple[int, int] | None = None
        self._unsent = 0
        self.session.on_error = self._paint_failed
        self._tasks = [asyncio.ensure_future(run()) for run in (self._show, self._refuse)]
        threading.Thread(target=self._unpack, name="unpack", daemon=True).start()

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self.session.closed

    @property
    def skipped(self) -> int:
        """Frames that a newer one replaced, anywhere on the way."""
        return self._inbox.dropped + self.session.dropped + self._unsent

    def report(self) -> dict[str, Any]:
        """Return the session's statistics."""
        return msgspec.to_builtins(self.session.report()) | {"skipped": self.skipped}

    def put(self, frame: Frame, parts: Sequence[Part]) -> None:
        """Take a frame in; the newest wins. Raises WireError for what is wrong at first sight."""
        if frame.seq <= self._last:
            raise WireError("seq", f"seq is {frame.seq} after {self._last}; it has to grow")
        check_frame(frame, parts, self._limits)
        if frame.style is not None:
            try:
                self.session.set_style(frame.style)
            except UnknownStyle as error:
                raise WireError("style", str(error)) from error
        self._last = frame.seq
        size = (frame.width, frame.height)
        if frame.reset or self._size != size:
            self._cut, self._size = frame.seq, size
        self._stamps[frame.seq] = frame.captured_ns
        if len(self._stamps) > MOST_STAMPS:
            del self._stamps[next(iter(self._stamps))]
        now = time.monotonic_ns()
        self._inbox.put(_Arrival(frame=frame, parts=parts, at=now, cut=self._cut))

    def close(self) -> None:
        """Free the session; safe to call again."""
        self.session.close()
        self._inbox.close()
        self._refusals.close()

    def _unpack(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                arrival = self._inbox.get()
                if arrival is None:
                    continue
                try:
                    self._put(arrival)
                except WireError as error:
                    self._refusals.put(refusal(error, arrival.frame.seq))
                except Exception as error:
                    logger.exception("a frame could not be unpacked")
                    self._refusals.put(refusal(WireError("ended", str(error)), arrival.frame.seq))

    def _put(self, arrival: _Arrival) -> None:
        frame = arrival.frame
        planes = decode(frame, arrival.parts, self._limits)
        if "label" in planes:
            planes["label"] = self._mapped(planes["label"])
        if "color" in planes:
            planes["rgb"] = planes.pop("color")
        if "landmarks" in planes:
            planes["aspect"] = np.array(frame.width / frame.height)
        marks = {"decoded": time.monotonic_ns()}
        received = protocol.Frame(
            seq=frame.seq,
            pts=arrival.at * CLOCK_RATE // 10**9,
            time_base=Fraction(1, CLOCK_RATE),
            captured_ns=arrival.at,
            planes=planes,
            cut=arrival.cut,
            marks=marks,
        )
        self.stage.came(received)
        self.session.put(received)

    def _mapped(self, label: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
        assert self._table is not None
        ids = label.astype(np.uint8, copy=False)
        return np.asarray(cv2.LUT(ids, self._table), np.uint8)

    async def _show(self) -> None:
        """Hand out pictures until the session ends."""
        try:
            while True:
                frame = await self.session.outbox.receive()
                frame.marks["taken"] = time.monotonic_ns()
                self.stage.show(frame)
                await self._hand_back(frame)
        except Closed:
            await self._send([dump(Bye())])
        finally:
            self.close()
            with contextlib.suppress(InputError):
                await self._end(self.stage.key)

    async def _hand_back(self, frame: protocol.Frame) -> None:
        captured = self._stamps.get(frame.seq, 0)
        for seq in [seq for seq in self._stamps if seq <= frame.seq]:
            del self._stamps[seq]
        raw = self._message(frame, captured, "raw")
        if self._publish:
            self._publish(self.stage.name, raw)
        if self._painted != "raw":
            parts = await asyncio.to_thread(self._message, frame, captured, self._painted)
        else:
            parts = raw
        if not await self._send(parts):
            self._unsent += 1
            return
        frame.marks["sent"] = time.monotonic_ns()
        self.session.stats.went_out(frame.captured_ns, frame.marks)

    def _message(self, frame: protocol.Frame, captured_ns: int, encoding: str) -> list[Part]:
        planes = {"color": frame.planes["rgb"]}
        height, width = planes["color"].shape[:2]
        header = Frame(
            stream=self.stage.name,
            seq=frame.seq,
            captured_ns=captured_ns,
            width=width,
            height=height,
            planes=describe(planes, encoding),
            skipped=self.skipped,
            server_ms=round((time.monotonic_ns() - frame.captured_ns) / 1e6, 2),
        )
        return encode(header, planes)

    async def _refuse(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                await self._send(await self._refusals.receive())

    def _paint_failed(self, sentence: str) -> None:
        self._refusals.put(refusal(WireError("paint", sentence)))


def refusal(error: WireError, seq: int | None = None, id: int | None = None) -> list[Part]:
    """Write a refusal as a message."""
    return [dump(Error(code=error.code, error=str(error), seq=seq, id=id))]
