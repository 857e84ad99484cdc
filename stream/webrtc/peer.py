"""One browser: its peer connection, its session, and the tasks between them."""

import asyncio
import logging
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
from ..protocol import Ready
from ..session import Session
from .control import ControlChannel
from .receive import drain, tune
from .send import PictureTrack, bitrate_for, pin_bitrate

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 20.0
SILENCE_S = 30.0


class Peer:
    """Owns a peer connection and the session behind it."""

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self.session = session
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._control: ControlChannel | None = None
        self._drain: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._born = self._last_heard = time.monotonic()
        track = PictureTrack(session.outbox, session.stats.went_out)
        self._video: RTCRtpTransceiver = self._pc.addTransceiver(track, direction="sendrecv")
        self._video.setCodecPreferences(preferred_codecs())
        self._frames = tune(self._video.receiver)
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)

    async def answer(self, sdp: str) -> str:
        """Take an offer, return the answer's SDP with all candidates. Raises InputError."""
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            self._refuse_other_media()
            model = self.session.model
            codec = self._video._codecs[0].name
            pin_bitrate(self._video.sender, codec, bitrate_for(model.width, model.height))
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except Exception as error:  # aiortc raises bare errors of many kinds for a bad offer
            raise InputError(f"the offer cannot be answered: {error or 'incomplete'}") from error
        return self._pc.localDescription.sdp

    @property
    def dead(self) -> bool:
        """Whether nobody is there: failed, never connected, or silent for long."""
        if self.session.closed or self._pc.connectionState in ("failed", "closed"):
            return True
        now = time.monotonic()
        if self._pc.connectionState != "connected" and now - self._born > CONNECT_TIMEOUT_S:
            return True
        return now - max(self._last_heard, self.session.stats.last_in) > SILENCE_S

    async def close(self) -> None:
        """Free the session and hang up; safe to call again."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._hang_up())
        await asyncio.shield(self._closing)

    async def _hang_up(self) -> None:
        self.session.close()
        if self._control:
            self._control.close()
        if self._drain:
            self._drain.cancel()
        await self._pc.close()

    def _refuse_other_media(self) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver is not self._video:
                transceiver.direction = "inactive"

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track is self._video.receiver.track:
            self._drain = asyncio.ensure_future(drain(track, self.session.put, self._frames))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "control" or self._control:
            return
        model = self.session.model
        ready = Ready(
            session=self.name,
            model=model.name,
            styles=list(model.styles),
            runtime=model.runtime,
            width=model.width,
            height=model.height,
        )
        self._control = ControlChannel(channel, self.session, ready, self._heard)

    def _heard(self) -> None:
        self._last_heard = time.monotonic()


def preferred_codecs() -> list:  # pyright: ignore[reportMissingTypeArgument]
    """Return what we send and receive, VP8 first: it costs the least on a CPU."""
    known = RTCRtpSender.getCapabilities("video").codecs
    order = {"video/vp8": 0, "video/rtx": 1, "video/h264": 2}
    return sorted(known, key=lambda codec: order.get(codec.mimeType.lower(), 3))
