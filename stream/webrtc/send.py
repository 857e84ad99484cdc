"""Encoders at a bitrate that stays put, and senders that take what is already encoded.

What aiortc has no interface for is set through its private names; pyproject.toml keeps its version.
"""

from typing import Any

from aiortc import RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder


def bitrate_for(width: int, height: int) -> int:
    """Return bits per second for 30 fps: 1.5 Mbit/s at 256x256, growing less than the area."""
    return round(min(12e6, 1.5e6 * (width * height / 256**2) ** 0.75))


class _Pinned:
    """An encoder at one bitrate: aiortc builds a new one (a keyframe) at each estimate."""

    def __init__(self, bitrate: int) -> None:
        super().__init__()
        self._bitrate = bitrate

    @property
    def target_bitrate(self) -> int:
        return self._bitrate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        pass


class PinnedVp8Encoder(_Pinned, Vp8Encoder):  # pyright: ignore[reportIncompatibleMethodOverride]
    """VP8 at one bitrate."""


class PinnedH264Encoder(_Pinned, H264Encoder):  # pyright: ignore[reportIncompatibleMethodOverride]
    """H264 at one bitrate."""


def make_encoder(codec: str, bitrate: int) -> PinnedVp8Encoder | PinnedH264Encoder:
    """Build an encoder for VP8 or H264."""
    return {"VP8": PinnedVp8Encoder, "H264": PinnedH264Encoder}[codec.upper()](bitrate)


class _Relay:
    """Stands where a sender has its encoder, and hands on what was encoded elsewhere."""

    target_bitrate = 0

    def pack(self, encoded: Any) -> tuple[list[bytes], int]:
        return encoded.payloads, encoded.timestamp


def relay(sender: RTCRtpSender) -> None:
    """Make a sender that has not started take encoded pictures from its track."""
    sender._RTCRtpSender__encoder = _Relay()  # type: ignore[attr-defined]


def pin_bitrate(sender: RTCRtpSender, codec: str, bitrate: int) -> None:
    """Give a sender that has not started its encoder."""
    sender._RTCRtpSender__encoder = make_encoder(codec, bitrate)  # type: ignore[attr-defined]


def keyframe_wanted(sender: RTCRtpSender) -> bool:
    """Tell, once, whether the other side asked for a keyframe since the last call."""
    name = "_RTCRtpSender__force_keyframe"
    wanted = bool(getattr(sender, name))
    setattr(sender, name, False)
    return wanted
