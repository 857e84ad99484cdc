"""Reading and writing video files through PyAV: rotation, variable rate, audio passed through."""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .errors import InputError

log = logging.getLogger(__name__)

TEXT_ART = {"tty", "bin", "adf", "idf", "xbin"}
"""Formats in which FFmpeg takes any text for a picture."""
SMALLEST, LARGEST, NARROWEST = 16, 8192, 8
CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9"}
OPTIONS = {
    "libx264": {"crf": "16", "preset": "veryfast"},
    "libvpx-vp9": {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "6"},
}


@dataclass(frozen=True, kw_only=True)
class TimedPicture:
    """rgb uint8 [H, W, 3], upright, and its time in seconds from the file's start."""

    rgb: NDArray[np.uint8]
    time_s: float


class VideoReader:
    """A file that can be read from the start, any number of times. Raises InputError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as container:
            stream = _video_stream(container, path)
            timed = container.start_time is not None
            self.fps = float((stream.average_rate if timed else stream.guessed_rate) or 30)
            self.seconds = _duration(container, stream)
            self.frames = stream.frames or round(self.seconds * self.fps)
            check_size(stream.codec_context.width, stream.codec_context.height, str(path))

    def __iter__(self) -> Iterator[TimedPicture]:
        with self._open() as container:
            stream = _video_stream(container, self.path)
            stream.thread_type = "AUTO"
            begin = (container.start_time or 0) / 1e6
            last = None
            try:
                for frame in container.decode(stream):
                    last = self._time(frame, begin, last)
                    yield TimedPicture(rgb=_upright(frame), time_s=last)
            except av.error.FFmpegError as error:
                raise InputError(f"{self.path} breaks off at {last or 0:.1f} s: {error}") from error
            if last is None:
                raise InputError(f"{self.path} holds no picture that can be decoded")
            self._check_whole(last + begin)

    def _time(self, frame: av.VideoFrame, begin: float, last: float | None) -> float:
        """Seconds since `begin`, rising from 0 or more; evenly spaced where the file has none."""
        if frame.time is None:
            return 0.0 if last is None else last + 1 / self.fps
        return max(frame.time - begin, 0.0 if last is None else last + 1e-3)

    def _check_whole(self, last: float) -> None:
        if self.seconds > 1 and last < 0.9 * self.seconds - 1:
            raise InputError(
                f"{self.path} is truncated: it ends at {last:.1f} s of {self.seconds:.1f} s"
            )

    def _open(self) -> Any:
        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError) as error:
            missing = not self.path.exists()
            why = "there is no such file" if missing else "it is no video, or damaged"
            raise self._unreadable(why) from error
        if container.format.name in TEXT_ART:
            container.close()
            raise self._unreadable("it is text")
        return container

    def _unreadable(self, why: str) -> InputError:
        return InputError(
            f"{self.path} cannot be read: {why}. Any video that FFmpeg reads is accepted."
        )


class VideoWriter:
    """Writes a file that appears whole or not at all; leave the `with` block to finish it."""

    def __init__(
        self, path: Path, width: int, height: int, fps: float, sound_of: Path | None = None
    ) -> None:
        """sound_of: a file whose first audio stream is passed through, unchanged."""
        codec = CODECS.get(path.suffix.lower())
        if codec is None:
            raise InputError(f"{path}: the output may be {', '.join(CODECS)}")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
        self.path = path
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._container = av.open(str(self._part), "w")
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = cast(VideoStream, self._container.add_stream(codec, rate=rate))
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.options = OPTIONS[codec]
        self._stream.codec_context.time_base = Fraction(1, 90_000)
        self._last = -1
        self._sound = _Sound(sound_of, self._container) if sound_of else None

    def write(self, picture: TimedPicture) -> None:
        """Append one picture [H, W, 3] at its time."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.rgb), format="rgb24")
        self._last = max(self._last + 1, round(picture.time_s * 90_000))
        frame.pts, frame.time_base = self._last, Fraction(1, 90_000)
        with self._naming_errors():
            self._encode(frame, until_s=picture.time_s)

    def _encode(self, frame: av.VideoFrame | None, until_s: float) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        if self._sound:
            self._sound.copy(until_s)

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except av.error.FFmpegError as error:
            raise InputError(f"{self.path} cannot be written: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._naming_errors():
                if kind is None:
                    self._encode(None, until_s=float("inf"))
                self._container.close()
            if kind is None:
                self._part.replace(self.path)
        finally:
            if self._sound:
                self._sound.close()
            self._part.unlink(missing_ok=True)


class _Sound:
    """The audio packets of one file on their way into another."""

    def __init__(self, source: Path, target: Any) -> None:
        self._target, self._packets, self._next = target, None, None
        self._source = av.open(str(source))
        if not self._source.streams.audio:
            return
        audio = cast(AudioStream, self._source.streams.audio[0])
        try:
            _try_header(audio, target.format.name)
            self._stream = target.add_stream_from_template(audio)
        except (ValueError, av.error.FFmpegError):
            kind, codec = target.format.name, audio.codec_context.name
            log.warning("without sound: a %s file cannot hold %s audio", kind, codec)
            return
        begin = Fraction(self._source.start_time or 0, 1_000_000)
        self._packets = _since(begin, self._source.demux(audio))

    def close(self) -> None:
        self._source.close()

    def copy(self, until_s: float) -> None:
        """Copy what is due before a time, so that sound and pictures lie side by side."""
        while self._packets is not None:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None:
                self._packets = None
            elif float((packet.dts or 0) * (packet.time_base or 0)) > until_s:
                return
            else:
                self._next = None
                packet.stream = self._stream
                self._target.mux(packet)


def _try_header(audio: AudioStream, kind: str) -> None:
    """Raise ValueError or FFmpegError where files of this kind cannot hold this sound."""
    with av.open(BytesIO(), "w", format=kind) as container:
        container.add_stream_from_template(audio)
        container.start_encoding()


def _since(begin: Fraction, packets: Iterable[Packet]) -> Iterator[Packet]:
    """The packets that have a time, counted from `begin` [s]."""
    for packet in packets:
        if packet.dts is not None:
            offset = round(begin / packet.time_base)
            packet.dts -= offset
            packet.pts = None if packet.pts is None else packet.pts - offset
            yield packet


def check_size(width: int, height: int, source: str) -> None:
    """Raise InputError for pictures nobody can be seen in."""
    long, short = max(width, height), min(width, height)
    if short < SMALLEST or long > LARGEST or long > NARROWEST * short:
        raise InputError(
            f"{source} is {width}x{height}: sides must be {SMALLEST} to {LARGEST} pixels, "
            f"and one at most {NARROWEST} times the other"
        )


def _video_stream(container: Any, path: Path) -> VideoStream:
    if not container.streams.video:
        raise InputError(f"{path} holds no video stream")
    return container.streams.video[0]


def _duration(container: Any, stream: VideoStream) -> float:
    """Seconds of pictures, 0 where unknown: a container's duration may be that of its sound."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")
    if clock := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", tag):
        hours, minutes, seconds = map(float, clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    return 0.0 if container.streams.audio else float(container.duration or 0) / 1e6


def _upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    rgb = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
