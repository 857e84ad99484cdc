"""One client: its peer connection, and what it puts into a session or gets out of it."""

import asyncio
import contextlib
import logging
import secrets
import time

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from ...model.errors import InputError
from ..protocol import Error, Frame, Ready
from ..record import Recorder
from ..session import Session
from .broadcast import Broadcast, BroadcastTrack
from .control import ControlChannel
from .receive import drain, tune
from .sdp import with_one_fingerprint
from .settings import Settings

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 20.0
SILENCE_S = 30.0
HANG_UP_S = 5.0


class Peer:
    """A peer connection to a session's broadcast.

    direction: of the server's side: sendrecv (a page), recvonly (a publisher) or sendonly (a
    viewer, who leaves the session as it is; the others end it with themselves).
    name: known to all who watch. key: known to this client only; who has it may end the session.
    heir_of: who had the session until now, on a connection of which nothing comes any more.
    """

    kind = "camera"

    def __init__(
        self,
        name: str,
        broadcast: Broadcast,
        direction: str,
        settings: Settings,
        heir_of: "Peer | None" = None,
    ) -> None:
        self.name = name
        self.key = heir_of.key if heir_of else secrets.token_urlsafe(12)
        self.broadcast = broadcast
        self.session: Session = broadcast.session
        self.owns = direction != "sendonly"
        self._settings = settings
        self._last: Frame | None = None
        self._heir_of = heir_of
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=settings.network.ice_servers()))
        self._control: ControlChannel | None = None
        self._drain: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._born = self._last_heard = time.monotonic()
        self._track = None if direction == "recvonly" else BroadcastTrack(broadcast)
        self._video: RTCRtpTransceiver = self._pc.addTransceiver(
            self._track or "video", direction=direction
        )
        self._video.setCodecPreferences(preferred_codecs())
        self._frames = tune(self._video.receiver) if self.owns else None
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)

    async def answer(self, sdp: str) -> str:
        """Take an offer, return the answer's SDP with all candidates. Raises InputError."""
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            self._refuse_other_media()
            if self._track:
                self._track.start(self._video.sender, self._video._codecs[0].name)
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except Exception as error:  # aiortc raises bare errors of many kinds for a bad offer
            raise InputError(f"the offer cannot be answered: {error or 'incomplete'}") from error
        return self._settings.network.advertise(with_one_fingerprint(self._pc.localDescription.sdp))

    @property
    def dead(self) -> bool:
        """Whether nobody is there: failed, ended, never connected, or silent for long."""
        if self.session.closed or self._pc.connectionState in ("failed", "closed"):
            return True
        if self._drain and self._drain.done():
            return True
        if self._track and self._track.readyState == "ended":
            return True
        now = time.monotonic()
        if self._pc.connectionState != "connected" and now - self._born > CONNECT_TIMEOUT_S:
            return True
        if not self.owns:
            return False
        return now - max(self._last_heard, self.session.stats.last_in) > SILENCE_S

    @property
    def absent_s(self) -> float:
        """How long no frame has come."""
        return time.monotonic() - self.session.stats.last_in

    async def close(self) -> None:
        """Free the session and hang up; safe to call again."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._hang_up())
        await asyncio.shield(self._closing)

    async def hand_over(self) -> None:
        """Hang up, and leave the session to another connection."""
        self.owns = False
        await self.close()

    async def _hang_up(self) -> None:
        if self.owns:
            self.session.close()
            with contextlib.suppress(InputError):
                await self.stop_recording()
        if self._track:
            self._track.stop()
        if self._control:
            self._control.close()
        if self._drain:
            self._drain.cancel()
        try:
            async with asyncio.timeout(HANG_UP_S):
                await self._pc.close()
        except TimeoutError:
            logger.warning("the connection of %s does not close; it is left behind", self.name)

    async def stop_recording(self) -> Recorder | None:
        """End the recording and finish its file. Raises InputError when that fails."""
        recorder = self.broadcast.stop_recording()
        if recorder:
            await asyncio.to_thread(recorder.close)
        return recorder

    def _refuse_other_media(self) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver is not self._video:
                transceiver.direction = "inactive"

    def _on_track(self, track: MediaStreamTrack) -> None:
        if self.owns and track is self._video.receiver.track:
            self._drain = asyncio.ensure_future(self._take(track))

    async def _take(self, track: MediaStreamTrack) -> None:
        """Put what comes into the session, until it ends or is too large."""
        try:
            check = self._settings.check_size
            await drain(track, self._put, self._frames, check, self._last_of_all)
        except InputError as error:
            logger.warning("session %s ends: %s", self.name, error)
            if self._control:
                self._control.send(Error(str(error)))

    def _put(self, frame: Frame) -> None:
        self._last = frame
        self.session.put(frame)

    def _last_of_all(self) -> Frame | None:
        before, self._heir_of = self._heir_of, None
        return before and (before._last or before._last_of_all())

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "control" or self._control or not self.owns:
            return
        model = self.session.model
        ready = Ready(
            name=self.name,
            model=model.name,
            styles=list(model.styles),
            runtime=model.runtime,
            width=model.width,
            height=model.height,
        )
        self._control = ControlChannel(channel, self.broadcast, ready, self._heard)

    def _heard(self) -> None:
        self._last_heard = time.monotonic()


def preferred_codecs() -> list:  # pyright: ignore[reportMissingTypeArgument]
    """Return what we send and receive, VP8 first: it costs the least on a CPU."""
    known = RTCRtpSender.getCapabilities("video").codecs
    order = {"video/vp8": 0, "video/rtx": 1, "video/h264": 2}
    return sorted(known, key=lambda codec: order.get(codec.mimeType.lower(), 3))
