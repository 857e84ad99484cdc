"""A jitter buffer that gives a video frame out with its last packet, not with the next frame."""

import time
from collections import OrderedDict
from collections.abc import Callable
from importlib.metadata import version

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add

CAPACITY = 512
REMEMBERED = 64
"""Frames that may be on their way at once."""
PATIENCE_S = 0.4


def known_aiortc() -> bool:
    """Tell whether the installed aiortc is one whose internals this package knows."""
    return version("aiortc").startswith("1.16.")


class TimedFrame(JitterFrame):
    """A frame that knows when its first packet came, in monotonic ns."""

    def __init__(self, data: bytes, timestamp: int, began_ns: int) -> None:
        super().__init__(data, timestamp)
        self.began_ns = began_ns


class MarkerJitterBuffer(JitterBuffer):
    """Completes frames on their marker bit (RFC 3550 5.1).

    Where the marker was lost, the change of timestamp ends the frame. Packets without data
    (padding probes) are skipped: decoders stall on empty frames. A packet that is not sent again
    within PATIENCE_S is given up with its frame, and a keyframe is asked for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(capacity=CAPACITY, is_video=True)
        self._clock = clock
        self._stuck_since: float | None = None
        self._newest = 0
        self._gapless = True
        self._growing = False
        self._began: OrderedDict[int, int] = OrderedDict()

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        self._growing = self._only_grows_a_frame(packet)
        self._began.setdefault(packet.timestamp, int(self._clock() * 1e9))
        while len(self._began) > REMEMBERED:
            self._began.popitem(last=False)
        ahead = uint16_add(packet.sequence_number, -self._newest)
        if self._origin is None or ahead < 1 << 15:
            self._newest = packet.sequence_number
        keyframe_wanted, frame = super().add(packet)
        if self._growing:
            self._growing = False
            return keyframe_wanted, None
        self._gapless = self._gap() is None
        if frame is not None or self._gapless:
            self._stuck_since = None
            return keyframe_wanted, frame
        now = self._clock()
        if self._stuck_since is None:
            self._stuck_since = now
        if now - self._stuck_since < PATIENCE_S:
            return keyframe_wanted, None
        self._stuck_since = None
        self._give_up_gap()
        return True, self._remove_frame(packet.sequence_number)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        while not self._growing:
            packets = self._whole_frame()
            if not packets:
                return None
            self.remove(len(packets))
            data = b"".join(packet._data for packet in packets)  # type: ignore[attr-defined]
            timestamp = packets[0].timestamp
            began = self._began.pop(timestamp, int(self._clock() * 1e9))
            if data:
                return TimedFrame(data=data, timestamp=timestamp, began_ns=began)
        return None

    def _only_grows_a_frame(self, packet: RtpPacket) -> bool:
        """Tell packets that complete nothing, most of a large picture's, from the others.

        To look through the buffer at each of them costs the square of their number.
        """
        first = self._at(0)
        return (
            self._gapless
            and first is not None
            and not packet.marker
            and packet.timestamp == first.timestamp
            and packet.sequence_number == uint16_add(self._newest, 1)
            and uint16_add(packet.sequence_number, -(self._origin or 0)) < self._capacity
        )

    def _at(self, offset: int) -> RtpPacket | None:
        return self._packets[((self._origin or 0) + offset) % self._capacity]

    def _whole_frame(self) -> list[RtpPacket]:
        """Return the packets of the first frame, none while it is incomplete."""
        packets: list[RtpPacket] = []
        for offset in range(self._capacity):
            packet = self._at(offset)
            if packet is None:
                return []
            if packets and packet.timestamp != packets[0].timestamp:
                return packets
            packets.append(packet)
            if packet.marker:
                return packets
        return []

    def _gap(self) -> tuple[int, int] | None:
        """Return the offsets of the first missing packet and of the first one after it."""
        missing = None
        span = uint16_add(self._newest, 1 - (self._origin or 0))
        for offset in range(min(span, self._capacity)):
            if self._at(offset) is None:
                missing = offset if missing is None else missing
            elif missing is not None:
                return missing, offset
        return None

    def _give_up_gap(self) -> None:
        gap = self._gap()
        if gap and self.smart_remove(gap[1] + 1):
            self._origin = uint16_add(self._newest, 1)
