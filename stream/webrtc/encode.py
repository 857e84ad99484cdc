"""Encoders for RTP at a bitrate that stays put, in hardware where there is some.

aiortc's encoders do the packetising; what they have no interface for is set on their codec.
"""

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from av.error import FFmpegError

logger = logging.getLogger(__name__)

FPS = 30
LARGE = 640 * 480
"""Pixels from which speed counts for more than size."""
LEVEL_3_1 = 1280 * 720
"""Pixels of a picture at the most by the level that answers name (H.264, A.3)."""
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How pictures are encoded; what is None is chosen by the size of the picture.

    bitrate: bits per second. preset: x264's. hardware: use NVENC for H264 where it works.
    """

    bitrate: int | None = None
    preset: Preset | None = None
    hardware: bool = True

    def bitrate_at(self, width: int, height: int) -> int:
        """Return bits per second."""
        return self.bitrate or bitrate_for(width, height)

    def preset_at(self, width: int, height: int) -> str:
        """Return x264's preset."""
        return self.preset or ("ultrafast" if width * height > LARGE else "veryfast")


def bitrate_for(width: int, height: int) -> int:
    """Return bits per second for 30 fps: 1.5 Mbit/s at 256x256, growing less than the area."""
    return round(min(12e6, 1.5e6 * (width * height / 256**2) ** 0.75))


class _Steady:
    """An encoder at one bitrate: aiortc builds a new one (a keyframe) at each estimate.

    bitrate: bits per second of what is opened next; None: as the encoding says.
    """

    codec: Any
    bitrate: int | None = None

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def target_bitrate(self) -> int:
        return self.codec.bit_rate if self.codec else 1

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        pass

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        size = frame.width, frame.height
        if self.codec is None or (self.codec.width, self.codec.height) != size:
            self.codec = self._open(*size)
        return super().encode(frame, force_keyframe)  # type: ignore[misc]

    def _bitrate(self, width: int, height: int) -> int:
        return self.bitrate or self._encoding.bitrate_at(width, height)

    def _open(self, width: int, height: int) -> Any:
        raise NotImplementedError


class SteadyVp8(_Steady, Vp8Encoder):  # pyright: ignore[reportIncompatibleMethodOverride]
    """VP8 at one bitrate."""

    def _open(self, width: int, height: int) -> Any:
        bitrate = str(self._bitrate(width, height))
        codec = _context("libvpx", width, height, int(bitrate))
        codec.gop_size, codec.qmin, codec.qmax = 3000, 2, 56
        codec.thread_count = 1  # libvpx's threads spin while they wait for each other
        codec.options = {
            "deadline": "realtime",
            "cpu-used": "-12" if width * height > LARGE else "-6",
            "lag-in-frames": "0",
            "minrate": bitrate,
            "maxrate": bitrate,
            "bufsize": bitrate,
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
        }
        return codec


class SteadyH264(_Steady, H264Encoder):  # pyright: ignore[reportIncompatibleMethodOverride]
    """H264 (constrained baseline) at one bitrate, by NVENC or x264."""

    def _open(self, width: int, height: int) -> Any:
        codec = self._try_nvenc(width, height) if self._encoding.hardware else None
        return codec or self._x264(width, height)

    def _try_nvenc(self, width: int, height: int) -> Any:
        try:
            codec = _context("h264_nvenc", width, height, self._bitrate(width, height))
            codec.gop_size = 3000
            codec.options = {
                "preset": "p2",
                "tune": "ull",
                "zerolatency": "1",
                "delay": "0",
                "rc": "cbr",
                "bf": "0",
                "forced-idr": "1",
                "profile": "baseline",
            }
            codec.open()
        except (FFmpegError, ValueError) as error:
            logger.info("H264 is encoded by x264, as NVENC is not to be had: %s", error)
            return None
        return codec

    def _x264(self, width: int, height: int) -> Any:
        codec = _context("libx264", width, height, self._bitrate(width, height))
        codec.profile = "Baseline"
        codec.options = {
            "preset": self._encoding.preset_at(width, height),
            "tune": "zerolatency",
            **({"level": "31"} if width * height <= LEVEL_3_1 else {}),
        }
        return codec


def make_encoder(codec: str, encoding: Encoding) -> SteadyVp8 | SteadyH264:
    """Build an encoder for VP8 or H264."""
    return {"VP8": SteadyVp8, "H264": SteadyH264}[codec.upper()](encoding)


def _context(name: str, width: int, height: int, bitrate: int) -> Any:
    codec: Any = av.CodecContext.create(name, "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = bitrate
    codec.framerate, codec.time_base = Fraction(FPS), Fraction(1, FPS)
    return codec
