"""From RTP packets to the newest frame, with every queue on the way bounded."""

import logging
import queue
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame
from numpy.typing import NDArray

from ..protocol import Frame
from .jitter import MarkerJitterBuffer, known_aiortc

logger = logging.getLogger(__name__)

MAX_UNDECODED = 30
CLOCK_RATE = 90000


class DecoderQueue(queue.Queue[Any]):
    """The decoder thread's input: remembers arrival times, stays short, leaves no frame behind.

    A jitter buffer gives out one frame per packet; after a gap closes, `more` fetches the rest.
    A decoder that cannot keep up loses everything up to the next keyframe, which is asked for.
    """

    def __init__(
        self, more: Callable[[], JitterFrame | None], ask_for_keyframe: Callable[[], None]
    ) -> None:
        super().__init__()
        self._more = more
        self._ask_for_keyframe = ask_for_keyframe
        self._skipping = False
        self._arrivals: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            super().put(None)
            return
        codec, frame = item
        while frame is not None:
            self._put_frame(codec, frame)
            frame = self._more()

    def arrival(self, pts: int) -> tuple[int, int] | None:
        """Return when the frame of this pts began to come and when it was whole, monotonic ns."""
        return self._arrivals.pop(pts, None)

    def _put_frame(self, codec: Any, frame: JitterFrame) -> None:
        if self.qsize() >= MAX_UNDECODED and not self._skipping:
            logger.warning("the decoder falls behind; skipping to the next keyframe")
            self._skipping = True
        if self._skipping:
            if not is_keyframe(codec.name, frame.data) or self.qsize() >= MAX_UNDECODED:
                self._ask_for_keyframe()
                return
            self._skipping = False
        now = time.monotonic_ns()
        self._arrivals[frame.timestamp] = getattr(frame, "began_ns", now), now
        while len(self._arrivals) > 4 * MAX_UNDECODED:
            self._arrivals.popitem(last=False)
        super().put((codec, frame))


def is_keyframe(codec: str, data: bytes) -> bool:
    """Tell a keyframe: VP8 by its first bit (RFC 6386 9.1), H264 by its NAL units (Annex B)."""
    if codec.upper() == "VP8":
        return bool(data) and not data[0] & 1
    starts = (match.end() for match in re.finditer(b"\x00\x00\x01", data))
    return any(data[i] & 31 in (5, 7) for i in starts if i < len(data))


def tune(receiver: RTCRtpReceiver) -> DecoderQueue | None:
    """Give a receiver that has not started these queues; None with an unknown aiortc."""
    prefix = "_RTCRtpReceiver__"
    if not known_aiortc():
        logger.warning("aiortc %s is not known here: latency will be higher", version("aiortc"))
        return None
    buffer = MarkerJitterBuffer()
    mapper = getattr(receiver, prefix + "timestamp_mapper")
    error = getattr(receiver, prefix + "decoder_error")

    def more() -> JitterFrame | None:
        frame = buffer._remove_frame(0)
        if frame is not None:
            frame.timestamp = mapper.map(frame.timestamp)
        return frame

    frames = DecoderQueue(more, error.set)
    setattr(receiver, prefix + "jitter_buffer", buffer)
    setattr(receiver, prefix + "decoder_queue", frames)
    return frames


def planes_of(picture: VideoFrame) -> dict[str, NDArray[np.uint8]]:
    """View the planes of a decoded 4:2:0 picture; other formats become "rgb"."""
    if picture.format.name not in ("yuv420p", "yuvj420p"):
        return {"rgb": picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)}
    return {name: view(plane) for name, plane in zip("yuv", picture.planes, strict=True)}


def view(plane: Any) -> NDArray[np.uint8]:
    """View one plane of a decoded picture as [H, W]; it keeps the picture alive."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


async def drain(
    track: MediaStreamTrack,
    deliver: Callable[[Frame], None],
    frames: DecoderQueue | None,
    check_size: Callable[[int, int], None],
    last: Callable[[], Frame | None] = lambda: None,
) -> None:
    """Hand every decoded frame on at once, so that no queue grows; ends with the track.

    check_size: raises InputError for a width and height that are not taken, which ends this too.
    last: of the frames that came by another track before this one; numbers and times go on from it.
    """
    seq, ahead, begun = 0, 0, False
    while True:
        try:
            picture = await track.recv()
        except MediaStreamError:
            return
        if not isinstance(picture, VideoFrame) or picture.pts is None:
            continue
        check_size(picture.width, picture.height)
        now = time.monotonic_ns()
        began, whole = (frames and frames.arrival(picture.pts)) or (now, now)
        before = None if begun else last()
        if before:
            passed = (now - before.captured_ns) * CLOCK_RATE // 1_000_000_000
            seq, ahead = before.seq + 1, before.pts + passed - picture.pts
        begun = True
        deliver(
            Frame(
                seq=seq,
                pts=picture.pts + ahead,
                time_base=Fraction(1, CLOCK_RATE),
                captured_ns=whole,
                planes=planes_of(picture),
                marks={"began": began, "decoded": now},
            )
        )
        seq += 1
