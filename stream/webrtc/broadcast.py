"""One session's pictures, encoded once for everybody who watches."""

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from av.video.reformatter import VideoReformatter

from ..mailbox import Closed, Mailbox
from ..protocol import Frame
from ..record import Recorder
from ..session import Session
from ..stats import Stats
from .encode import Encoding, make_encoder
from .send import keyframe_wanted, relay

logger = logging.getLogger(__name__)

MAX_UNSENT = 30
KEYFRAME_GAP_S = 0.3
"""Keyframes are no closer than this, however many viewers ask for one."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """RTP payloads of one picture, its time at 90 kHz, and whether it can be decoded alone."""

    payloads: list[bytes]
    timestamp: int
    key: bool


class Source(Protocol):
    """Where pictures come from while they are watched: a session, or a tap of one."""

    outbox: Mailbox[Frame]
    stats: Stats

    def watch(self, on: bool) -> None: ...


class Broadcast:
    """Takes a session's pictures as they come; use it from the event loop.

    source: of the pictures, the session itself when left out. While nobody watches and nothing is
    recorded, it rests.
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
        self._lanes: dict[str, _Lane] = {}
        self._recorder: Recorder | None = None
        self._reformatter = VideoReformatter()
        self._task = asyncio.ensure_future(self._run())
        self._source.watch(False)

    def join(self, track: "BroadcastTrack", codec: str) -> "_Lane":
        """Feed a track; codec: VP8 or H264."""
        if codec not in self._lanes:
            self._lanes[codec] = _Lane(codec, self._encoding)
        lane = self._lanes[codec]
        lane.watchers.add(track)
        self._source.watch(True)
        return lane

    def leave(self, track: "BroadcastTrack") -> None:
        """Stop feeding a track; a lane that nobody watches loses its encoder."""
        for codec, lane in list(self._lanes.items()):
            lane.watchers.discard(track)
            if not lane.watchers:
                del self._lanes[codec]
        self._rest_if_unwatched()

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

    def _rest_if_unwatched(self) -> None:
        self._source.watch(bool(self._lanes) or self.recording)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await self._source.outbox.receive()
                frame.marks["taken"] = time.monotonic_ns()
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

    def _encode(self, frame: Frame, lanes: list["_Lane"]) -> list[Encoded]:
        rgb = av.VideoFrame.from_ndarray(frame.planes["rgb"], format="rgb24")
        picture = self._reformatter.reformat(rgb, format="yuv420p")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        frame.marks["converted"] = time.monotonic_ns()
        pictures = [lane.encode(picture) for lane in lanes]
        frame.marks["encoded"] = time.monotonic_ns()
        return pictures


class _Lane:
    """One codec: an encoder, and those who watch through it."""

    def __init__(self, codec: str, encoding: Encoding) -> None:
        self.watchers: set[BroadcastTrack] = set()
        self._encoder: Any = make_encoder(codec, encoding)
        self._key_wanted = True
        self._last_key = float("-inf")

    def ask_for_keyframe(self) -> None:
        self._key_wanted = True

    def encode(self, picture: av.VideoFrame) -> Encoded:
        key = self._key_wanted and time.monotonic() - self._last_key > KEYFRAME_GAP_S
        if key:
            self._key_wanted, self._last_key = False, time.monotonic()
        payloads, timestamp = self._encoder.encode(picture, key)
        return Encoded(payloads=payloads, timestamp=timestamp, key=key)

    def hand_out(self, encoded: Encoded) -> None:
        for track in self.watchers:
            track.hand(encoded)


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
        self._lane: _Lane | None = None
        self._sender: RTCRtpSender | None = None

    def start(self, sender: RTCRtpSender, codec: str) -> None:
        """Join the broadcast, once the codec is agreed on."""
        relay(sender)
        self._sender = sender
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
        return encoded
