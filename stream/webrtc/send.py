"""Senders that take what is already encoded.

What aiortc has no interface for is set through its private names; pyproject.toml keeps its version.
"""

from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpSender

from .encode import Encoding, make_encoder


class _Relay:
    """Stands where a sender has its encoder, and hands on what was encoded elsewhere."""

    def __init__(self, on_estimate: Callable[[int], None]) -> None:
        self._on_estimate = on_estimate

    @property
    def target_bitrate(self) -> int:
        return 0

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._on_estimate(bitrate)

    def pack(self, encoded: Any) -> tuple[list[bytes], int]:
        return encoded.payloads, encoded.timestamp


def relay(sender: RTCRtpSender, on_estimate: Callable[[int], None]) -> None:
    """Make a sender that has not started take encoded pictures from its track.

    on_estimate: gets the bits per second that the other side thinks it can take.
    """
    sender._RTCRtpSender__encoder = _Relay(on_estimate)  # type: ignore[attr-defined]


def set_encoder(sender: RTCRtpSender, codec: str, encoding: Encoding) -> None:
    """Give a sender that has not started its encoder."""
    sender._RTCRtpSender__encoder = make_encoder(codec, encoding)  # type: ignore[attr-defined]


def keyframe_wanted(sender: RTCRtpSender) -> bool:
    """Tell, once, whether the other side asked for a keyframe since the last call."""
    name = "_RTCRtpSender__force_keyframe"
    wanted = bool(getattr(sender, name))
    setattr(sender, name, False)
    return wanted
