"""From painted frames to RTP: the newest picture goes out, at a bitrate that stays put."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import MediaStreamError
from av.video.reformatter import VideoReformatter

from ..mailbox import Closed, Mailbox
from ..protocol import Frame
from .jitter import known_aiortc

logger = logging.getLogger(__name__)

Sent = Callable[[int, Mapping[str, int]], None]


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


def pin_bitrate(sender: RTCRtpSender, codec: str, bitrate: int) -> None:
    """Give a sender that has not started its encoder; nothing happens with an unknown aiortc."""
    if not known_aiortc():
        return
    encoders = {"VP8": PinnedVp8Encoder, "H264": PinnedH264Encoder}
    make = encoders.get(codec.upper())
    if make:
        sender._RTCRtpSender__encoder = make(bitrate)  # type: ignore[attr-defined]


class PictureTrack(MediaStreamTrack):
    """A video track of what a mailbox holds: waits for the newest picture, never repeats one.

    sent: told captured_ns and marks of each frame once it is on the wire. The sender asks for the
    next picture only when the last one is encoded and sent.
    """

    kind = "video"

    def __init__(self, outbox: Mailbox[Frame], sent: Sent) -> None:
        super().__init__()
        self._outbox = outbox
        self._sent = sent
        self._reformatter = VideoReformatter()
        self._last: Frame | None = None

    async def recv(self) -> av.VideoFrame:
        self._report_last()
        try:
            frame = await self._outbox.receive()
        except Closed as error:
            self.stop()
            raise MediaStreamError from error
        frame.marks["taken"] = time.monotonic_ns()
        picture = await asyncio.get_running_loop().run_in_executor(None, self._convert, frame)
        self._last = frame
        return picture

    def _report_last(self) -> None:
        if self._last is not None:
            self._last.marks["sent"] = time.monotonic_ns()
            self._sent(self._last.captured_ns, self._last.marks)
            self._last = None

    def _convert(self, frame: Frame) -> av.VideoFrame:
        rgb = av.VideoFrame.from_ndarray(frame.planes["rgb"], format="rgb24")
        picture = self._reformatter.reformat(rgb, format="yuv420p")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        return picture
