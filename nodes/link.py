"""A client's connection: a thread that says hello, sends what there is credit for, and listens."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..stream.wire.errors import WireError
from ..stream.wire.header import (
    FROM_SERVER,
    LOST_S,
    Bye,
    Control,
    Error,
    Frame,
    Hello,
    Part,
    Welcome,
    dump,
    parse,
)
from ..stream.wire.message import decode, describe, encode
from ..stream.wire.planes import Limits
from .carrier import Carrier

logger = logging.getLogger(__name__)

RETRY_S = 1.0
PING_S = 1.0
GONE_S = 5.0
"""A server that says nothing for this long is greeted anew."""
TICK_S = 0.1
REMEMBERED = 600


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A frame to be sent, given to us at a monotonic time [ns]; size: width and height."""

    seq: int
    size: tuple[int, int]
    planes: dict[str, NDArray[Any]]
    captured_ns: int
    reset: bool
    at: int


class _Flight(NamedTuple):
    """When a frame was given to us [ns] and when it went on its way [s]."""

    at: int
    sent: float


@dataclass(frozen=True, kw_only=True)
class Painted:
    """A picture uint8 [H, W, 3], with the number and the time of the frame it was made of.

    skipped: frames so far that the server left out. server_ms: spent at the server. round_trip_ms:
    from `Client.send` to here.
    """

    rgb: NDArray[np.uint8]
    seq: int
    captured_ns: int
    skipped: int
    server_ms: float
    round_trip_ms: float


class Link:
    """Everything but `run` may be called from another thread."""

    def __init__(self, carrier: Carrier, hello: Hello) -> None:
        self.welcome: Welcome | None = None
        self.error: WireError | None = None
        self._hello = hello
        self._lock = threading.Condition()
        self._unsent: Outgoing | None = None
        self._wishes: deque[Control] = deque(maxlen=64)
        self._edits: Control | None = None
        self._painted: Painted | None = None
        self._in_flight: dict[int, _Flight] = {}
        self._counts = dict.fromkeys(("sent", "painted", "overwritten", "skipped", "lost"), 0)
        self._round_trips: deque[float] = deque(maxlen=REMEMBERED)
        self._stopping = False
        self._greet_at = self._heard = self._spoke = 0.0
        self._ids = 0
        self._limits = Limits()
        self._carrier = carrier

    def put(self, frame: Outgoing) -> None:
        """Leave a frame; one that is not on its way yet is overwritten, its cut is kept."""
        with self._lock:
            if self._unsent is not None:
                self._counts["overwritten"] += 1
                frame = replace(frame, reset=frame.reset or self._unsent.reset)
            self._unsent = frame
        self._carrier.wake()

    def ask(self, wish: Control) -> None:
        """Leave a wish; style and edits are repeated to a server that has begun anew."""
        with self._lock:
            if wish.type == "edits":
                self._edits = wish
            if wish.type == "style" and wish.index is not None:
                self._hello = msgspec.structs.replace(self._hello, style=wish.index)
            if self.welcome:
                self._wishes.append(wish)
        self._carrier.wake()

    def take(self, timeout: float) -> Painted | None:
        """Return the newest picture once."""
        with self._lock:
            if self._painted is None and timeout > 0:
                self._lock.wait_for(lambda: self._painted is not None, timeout)
            painted, self._painted = self._painted, None
            return painted

    def wait(self, timeout: float) -> Welcome:
        """Wait for the welcome or a refusal. Raises WireError."""
        with self._lock:
            self._lock.wait_for(lambda: self.welcome or self.error, timeout)
            if self.welcome:
                return self.welcome
            if self.error:
                raise self.error
        why = f": {self._carrier.trouble}" if self._carrier.trouble else ""
        raise WireError("no_session", f"no server answered in {timeout:g} s{why}")

    def stats(self) -> dict[str, Any]:
        """Return counts, and the median and 95th percentile of the last round trips [ms]."""
        with self._lock:
            trips = list(self._round_trips) or [0.0]
            p50, p95 = (round(float(ms), 2) for ms in np.percentile(trips, (50, 95)))
            return {**self._counts, "p50_ms": p50, "p95_ms": p95}

    def stop(self) -> None:
        """End `run`."""
        self._stopping = True
        self._carrier.wake()

    def run(self) -> None:
        """Keep the connection up until `stop`."""
        while not self._stopping:
            self._carrier.wait(TICK_S)
            self._listen()
            self._speak(time.monotonic())
        self._say(dump(Bye()))
        self._carrier.close()

    def _listen(self) -> None:
        while True:
            try:
                parts = self._carrier.receive()
                if parts is None:
                    return
                self._heard = time.monotonic()
                self._take(parts)
            except WireError as error:
                logger.warning("the server's message cannot be read: %s", error)

    def _take(self, parts: Sequence[Part]) -> None:
        match parse(parts[0], FROM_SERVER):
            case Frame() as frame:
                self._show(frame, decode(frame, parts[1:], self._limits))
            case Welcome() as welcome:
                self._begin(welcome)
            case Error() as error:
                self._refused(error)
            case Bye():
                self._lose(RETRY_S)
            case _:
                pass

    def _begin(self, welcome: Welcome) -> None:
        with self._lock:
            self.welcome, self.error = welcome, None
            self._in_flight.clear()
            self._wishes.clear()
            if self._edits:
                self._wishes.append(self._edits)
            self._lock.notify_all()

    def _refused(self, error: Error) -> None:
        known: Any = error.code
        with self._lock:
            if error.seq is not None:
                self._answered(error.seq)
            if error.code == "no_session":
                if self.welcome:  # else the hello is on its way
                    self.welcome, self._greet_at = None, 0.0
                    self._in_flight.clear()
                return
            self.error = WireError(known, error.error)
            self._lock.notify_all()

    def _lose(self, retry_s: float) -> None:
        with self._lock:
            self.welcome = None
            self._in_flight.clear()
        self._greet_at = time.monotonic() + retry_s

    def _show(self, frame: Frame, planes: dict[str, NDArray[Any]]) -> None:
        with self._lock:
            sent = self._answered(frame.seq)
            trip = (time.monotonic_ns() - sent.at) / 1e6 if sent else 0.0
            self._painted = Painted(
                rgb=planes["color"],
                seq=frame.seq,
                captured_ns=frame.captured_ns,
                skipped=frame.skipped,
                server_ms=frame.server_ms,
                round_trip_ms=trip,
            )
            self._counts["painted"] += 1
            self._counts["skipped"] = frame.skipped
            if sent:
                self._round_trips.append(trip)
            self._lock.notify_all()

    def _answered(self, seq: int) -> _Flight | None:
        """Give back the credit of a frame and of those before it, which will not come."""
        sent = self._in_flight.get(seq)
        for number in [number for number in self._in_flight if number <= seq]:
            del self._in_flight[number]
        return sent

    def _speak(self, now: float) -> None:
        if self.welcome and now - self._heard > GONE_S:
            self._lose(0.0)
        if self.welcome is None:
            self._greet(now)
            return
        self._send_wishes()
        self._send_newest(self.welcome, now)
        if now - self._spoke > PING_S:
            self._say(dump(Control(type="ping")))

    def _greet(self, now: float) -> None:
        if now < self._greet_at:
            return
        if self._say(dump(self._hello)):
            self._greet_at = now + RETRY_S
            self._heard = now

    def _send_wishes(self) -> None:
        while self._wishes:
            self._ids += 1
            if not self._say(dump(msgspec.structs.replace(self._wishes[0], id=self._ids))):
                return
            self._wishes.popleft()

    def _send_newest(self, welcome: Welcome, now: float) -> None:
        with self._lock:
            for seq in [s for s, flight in self._in_flight.items() if now - flight.sent > LOST_S]:
                del self._in_flight[seq]
                self._counts["lost"] += 1
            if self._unsent is None or len(self._in_flight) >= welcome.credit:
                return
            frame, self._unsent = self._unsent, None
        sent = self._say(*_message(frame, self._encoding(welcome)))
        with self._lock:
            if sent:
                self._in_flight[frame.seq] = _Flight(frame.at, now)
                self._counts["sent"] += 1
            elif self._unsent is None:
                self._unsent = frame

    def _encoding(self, welcome: Welcome) -> str:
        wanted = self._hello.encodings[0]
        return wanted if wanted in welcome.encodings else "raw"

    def _say(self, *parts: Part) -> bool:
        if not self._carrier.send(parts):
            return False
        self._spoke = time.monotonic()
        return True


def _message(frame: Outgoing, encoding: str) -> list[Part]:
    width, height = frame.size
    header = Frame(
        seq=frame.seq,
        captured_ns=frame.captured_ns,
        width=width,
        height=height,
        planes=describe(frame.planes, encoding),
        reset=frame.reset,
    )
    return encode(header, frame.planes)
