"""Senders that take what is already encoded.

What aiortc has no interface for is set through its private names; pyproject.toml keeps its version.
"""

from typing import Any

from aiortc import RTCRtpSender

from .encode import Encoding, make_encoder


class _Relay:
    """Stands where a sender has its encoder, and hands on what was encoded elsewhere."""

    target_bitrate = 0

    def pack(self, encoded: Any) -> tuple[list[bytes], int]:
        return encoded.payloads, encoded.timestamp


def relay(sender: RTCRtpSender) -> None:
    """Make a sender that has not started take encoded pictures from its track."""
    sender._RTCRtpSender__encoder = _Relay()  # type: ignore[attr-defined]


def set_encoder(sender: RTCRtpSender, codec: str, encoding: Encoding) -> None:
    """Give a sender that has not started its encoder."""
    sender._RTCRtpSender__encoder = make_encoder(codec, encoding)  # type: ignore[attr-defined]


def keyframe_wanted(sender: RTCRtpSender) -> bool:
    """Tell, once, whether the other side asked for a keyframe since the last call."""
    name = "_RTCRtpSender__force_keyframe"
    wanted = bool(getattr(sender, name))
    setattr(sender, name, False)
    return wanted
