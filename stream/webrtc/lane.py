"""One codec at one bitrate: an encoder, and those who watch through it."""

import time
from dataclasses import dataclass
from typing import Protocol

import av

from .encode import Encoding, make_encoder
from .load import halved
from .reach import RUNGS

KEYFRAME_GAP_S = 0.3
"""Keyframes are no closer than this, however many viewers ask for one."""
Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """RTP payloads of one picture, its time at 90 kHz, and whether it can be decoded alone."""

    payloads: list[bytes]
    timestamp: int
    key: bool


class Watcher(Protocol):
    """Who takes encoded pictures."""

    def hand(self, encoded: Encoded) -> None: ...
    def end(self) -> None: ...


class Lane:
    """rung: the bitrate is halved this often; at the last rung the size is halved, too."""

    def __init__(self, codec: str, encoding: Encoding, rung: int = 0) -> None:
        self.watchers: set[Watcher] = set()
        self.rung = rung
        self.bitrate = 0
        self._encoding = encoding
        self._encoder = make_encoder(codec, encoding)
        self._size: Size | None = None
        self._key_wanted = True
        self._last_key = float("-inf")

    def ask_for_keyframe(self) -> None:
        """Make a soon picture one that can be decoded alone."""
        self._key_wanted = True

    def size(self, full: Size, halvings: int) -> Size:
        """Return the size that pictures of a full size are to have."""
        return halved(full, halvings + (self.rung == RUNGS - 1))

    def encode(self, picture: av.VideoFrame, full: Size) -> Encoded:
        """Encode a picture, already at the size wanted."""
        size = picture.width, picture.height
        if size != self._size:
            self._size, self._key_wanted, self._last_key = size, True, float("-inf")
            usual = self._encoding.bitrate_at(*size), self._encoding.bitrate_at(*full) >> self.rung
            self.bitrate = self._encoder.bitrate = min(usual)
        key = self._key_wanted and time.monotonic() - self._last_key > KEYFRAME_GAP_S
        if key:
            self._key_wanted, self._last_key = False, time.monotonic()
        payloads, timestamp = self._encoder.encode(picture, key)
        return Encoded(payloads=payloads, timestamp=timestamp, key=key)

    def hand_out(self, encoded: Encoded) -> None:
        """Give a picture to everybody who watches."""
        for watcher in self.watchers:
            watcher.hand(encoded)
