"""One session's pictures, encoded once for everybody who watches."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Protocol

import av
import msgspec
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from av.video.reformatter import VideoReformatter

from ..mailbox import Closed, Mailbox
from ..protocol import Frame, StatsReport
from ..record import Recorder
from ..session import Session
from ..stats import Stats
from .encode import Encoding
from .lane import Encoded, Lane, Size
from .load import Load, halved
from .reach import Reach
from .send import keyframe_wanted, relay

logger = logging.getLogger(__name__)

MAX_UNSENT = 30


class Source(Protocol):
    """Where pictures come from while they are watched: a session, or a tap of one."""

    outbox: Mailbox[Frame]
    stats: Stats

    def watch(self, on: bool) -> None: ...


class Broadcast:
    """Takes a session's pictures as they come; use it from the event loop.

    source: of the pictures, the session itself when left out. While nobody watches and nothing is
    recorded, it rests. Where this machine cannot encode all that comes, or a viewer's connection
    cannot carry it, it is encoded smaller: see `Load` and `Reach`.
    """

    def __init__(
        self,
        session: Session,
        encoding: Encoding = Encoding(),  # noqa: B008
        source: Source | None = None,
    ) -> None:
        self.session = session
        self._source: Source = source or session
        self._encoding = encoding
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._recorder: Recorder | None = None
        self._reformatters: dict[Size, VideoReformatter] = {}
        self._load = Load()
        self._taken = 0
        self._full: Size = (0, 0)
        self._task = asyncio.ensure_future(self._run())
        self._source.watch(False)

    def join(self, track: "BroadcastTrack", codec: str, rung: int = 0) -> Lane:
        """Feed a track, from here alone; codec: VP8 or H264; rung: see `Lane`."""
        if (codec, rung) not in self._lanes:
            self._lanes[codec, rung] = Lane(codec, self._encoding, rung)
        lane = self._lanes[codec, rung]
        lane.watchers.add(track)
        self._leave(track, but=lane)
        self._source.watch(True)
        return lane

    def leave(self, track: "BroadcastTrack") -> None:
        """Stop feeding a track."""
        self._leave(track)
        self._rest_if_unwatched()

    def report(self) -> StatsReport:
        """Return the session's times and rates, and how its pictures are encoded."""
        return msgspec.structs.replace(self.session.report(), encoding=self._sentence())

    @property
    def recording(self) -> bool:
        return self._recorder is not None

    def record(self, path: Path) -> None:
        """Write what is painted into a file, too. Raises InputError."""
        model = self.session.model
        self._recorder = Recorder(path, model.width, model.height)
        self._source.watch(True)

    def stop_recording(self) -> Recorder | None:
        """End the recording; it is the caller's to close."""
        recorder, self._recorder = self._recorder, None
        self._rest_if_unwatched()
        return recorder

    def _leave(self, track: "BroadcastTrack", but: Lane | None = None) -> None:
        """Take a track out of its lane; one that nobody watches loses its encoder."""
        for key, lane in list(self._lanes.items()):
            if lane is but:
                continue
            lane.watchers.discard(track)
            if not lane.watchers:
                del self._lanes[key]

    def _rest_if_unwatched(self) -> None:
        self._source.watch(bool(self._lanes) or self.recording)

    def _sentence(self) -> str:
        """Say what is not encoded as it should be, and why."""
        parts = []
        if self._load.halvings:
            full, size = self._full, halved(self._full, self._load.halvings)
            parts.append(f"{_by(size)}, as this machine cannot keep up with {_by(full)}")
        lanes = self._lanes.values()
        everybody = sum(len(lane.watchers) for lane in lanes)
        for lane in lanes:
            if lane.rung and lane.bitrate:
                who = f"{len(lane.watchers)} of {everybody}"
                rate = lane.bitrate / 1e6
                parts.append(f"{rate:.2g} Mbit/s for {who}, whose connection carries no more")
        return "; ".join(parts)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await self._source.outbox.receive()
                frame.marks["taken"] = time.monotonic_ns()
                self._taken += 1
                if self._recorder:
                    self._recorder.put(frame)
                lanes = list(self._lanes.values())
                try:
                    pictures = await loop.run_in_executor(None, self._encode, frame, lanes)
                except Exception:
                    logger.exception("a picture could not be encoded")
                    continue
                for lane, picture in zip(lanes, pictures, strict=True):
                    lane.hand_out(picture)
                frame.marks["sent"] = time.monotonic_ns()
                self._source.stats.went_out(frame.captured_ns, frame.marks)
        except Closed:
            for lane in self._lanes.values():
                for track in list(lane.watchers):
                    track.end()

    def _encode(self, frame: Frame, lanes: list[Lane]) -> list[Encoded]:
        begun = time.monotonic()
        rgb = av.VideoFrame.from_ndarray(frame.planes["rgb"], format="rgb24")
        full = self._full = rgb.width, rgb.height
        sizes = [lane.size(full, self._load.halvings) for lane in lanes]
        pictures = {size: self._convert(rgb, size, frame) for size in set(sizes)}
        frame.marks["converted"] = time.monotonic_ns()
        encoded = [
            lane.encode(pictures[size], full) for lane, size in zip(lanes, sizes, strict=True)
        ]
        frame.marks["encoded"] = time.monotonic_ns()
        offered = self._taken + self._source.outbox.dropped
        self._load.took(time.monotonic() - begun, offered, full)
        return encoded

    def _convert(self, rgb: av.VideoFrame, size: Size, frame: Frame) -> av.VideoFrame:
        reformatter = self._reformatters.setdefault(size, VideoReformatter())
        picture = reformatter.reformat(rgb, *size, format="yuv420p")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        return picture


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


class BroadcastTrack(MediaStreamTrack):
    """A viewer's share of a broadcast, for a sender that `relay` was called on.

    It begins with a keyframe once the viewer is connected. Pictures depend on one another, so none
    is skipped; a viewer that stalls for MAX_UNSENT of them goes on with a keyframe.
    """

    kind = "video"

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._unsent: asyncio.Queue[Encoded | None] = asyncio.Queue()
        self._flowing = False
        self._lost = True
        self._lane: Lane | None = None
        self._sender: RTCRtpSender | None = None
        self._codec = ""
        self._reach = Reach()

    def start(self, sender: RTCRtpSender, codec: str) -> None:
        """Join the broadcast, once the codec is agreed on."""
        relay(sender, self._heard)
        self._sender, self._codec = sender, codec
        self._lane = self._broadcast.join(self, codec)

    def hand(self, encoded: Encoded) -> None:
        """Take the next picture, if the viewer is there to get it."""
        if not self._flowing:
            return
        if self._unsent.qsize() >= MAX_UNSENT:
            self._unsent = asyncio.Queue()
            self._lost = True
        if self._lost and not encoded.key:
            if self._lane:
                self._lane.ask_for_keyframe()
            return
        self._lost = False
        self._unsent.put_nowait(encoded)

    def end(self) -> None:
        """No more pictures will come."""
        self._unsent.put_nowait(None)

    def stop(self) -> None:
        super().stop()
        self._broadcast.leave(self)

    async def recv(self) -> Encoded:  # pyright: ignore[reportIncompatibleMethodOverride]
        wanted = self._sender is not None and keyframe_wanted(self._sender)
        if self._lane and (wanted or not self._flowing):
            self._lane.ask_for_keyframe()
        self._flowing = True
        encoded = await self._unsent.get()
        if encoded is None:
            self.stop()
            raise MediaStreamError
        self._reach.sent(sum(map(len, encoded.payloads)))
        return encoded

    def _heard(self, estimate: int) -> None:
        """Change lanes where the connection carries less, or more; begin there with a keyframe."""
        self._reach.heard(estimate)
        if self._lane and self._lane.rung != self._reach.rung and self.readyState == "live":
            self._lane = self._broadcast.join(self, self._codec, self._reach.rung)
            self._lane.ask_for_keyframe()
            self._lost = True
