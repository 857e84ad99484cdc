"""All peers of a server: makes them, finds them, sweeps out the dead."""

import asyncio
import contextlib
import logging
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from ...model.errors import InputError
from ...model.live import LiveModel
from ..protocol import StatsReport
from ..record import Recorder
from ..renderer import Renderer
from ..session import Session
from .broadcast import Broadcast
from .ice import allow_loopback, resolve_mdns
from .peer import Peer
from .sdp import as_dtls_server, check_offer, with_packetization_mode
from .settings import Settings
from .stage import Stage

logger = logging.getLogger(__name__)

SWEEP_S = 2.0
MAX_VIEWERS = 32
"""Of one session."""
ABSENT_S = 3.0
"""Who has been silent for longer gives up the session's name to who asks for it."""
SEEN = ".seen"
"""Behind the name of an engine's session: what goes in, not what comes out."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NoSuchSession(InputError):
    """A session name that is not, or no longer, in use."""


class NameTaken(InputError):
    """A session name that is in use."""


class CannotRecord(InputError):
    """A recording that cannot begin or end now."""


class TooManyViewers(Exception):
    """A session with as many viewers as it may have."""


Member = Peer | Stage


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A session as it is listed; kind: "camera" or "engine"."""

    name: str
    kind: str
    viewers: int
    model: str
    width: int
    height: int
    fps: float


class Peers:
    """The server's sessions and their viewers; use it from one event loop."""

    def __init__(
        self,
        model: LiveModel,
        settings: Settings = Settings(),  # noqa: B008
    ) -> None:
        self.settings = settings
        self.renderer = Renderer(model, settings.max_sessions)
        self._peers: dict[str, Member] = {}
        self._sweeper: asyncio.Task[None] | None = None
        gauge = self.renderer.metrics.gauge
        gauge("sessions", "Sessions now", lambda: len(self))
        gauge("viewers", "Viewers of sessions now", lambda: len(self._peers) - len(self))
        allow_loopback()

    def __len__(self) -> int:
        return sum(peer.owns for peer in self._peers.values())

    async def answer(
        self,
        sdp: str,
        *,
        style: int = 0,
        mirror: bool = True,
        client: str | None = None,
        name: str | None = None,
    ) -> tuple[Peer, str]:
        """Open a session for an offer; return its owner and the answer's SDP.

        client: the address the offer came from. An offer whose video is "sendrecv" gets the painted
        video back on the same line. Raises InputError, NameTaken, TooManySessions.
        """
        direction = check_offer(sdp, publishing=True)
        await self._sweep()
        name = await self._new_name(name)
        marker, encoding = self.settings.marker, self.settings.encoding
        session = Session(self.renderer, style=style, mirror=mirror, marker=marker)
        try:
            owner = Peer(name, Broadcast(session, encoding), direction, self.settings)
        except BaseException:
            session.close()
            raise
        return owner, await self._admit(owner, sdp, client)

    async def resume(self, key: str, sdp: str, *, client: str | None = None) -> tuple[Peer, str]:
        """Let a session go on over a new connection, as its owner's network has changed.

        It stays what it is: name, key, style, memory, viewers. This takes the place of an ICE
        restart (RFC 9725, 4.3.3), which aiortc has not. The old connection, and with it the
        session, is kept for 30 s without a sign of life (RFC 7675). Raises InputError,
        NoSuchSession.
        """
        direction = check_offer(sdp, publishing=True)
        owner = self._owner(key)
        if not isinstance(owner, Peer):
            raise NoSuchSession(f"{owner.name} is an engine's session, which has no connection")
        heir = Peer(owner.name, owner.broadcast, direction, self.settings, owner)
        try:
            answer = await heir.answer(_prepared(sdp, client))
            if self._peers.get(owner.name) is not owner:
                raise NoSuchSession("no such session; it has ended meanwhile")
        except BaseException:
            await heir.hand_over()
            raise
        self._peers[heir.name] = heir
        logger.info("session %s goes on over a new connection", heir.name)
        await owner.hand_over()
        return heir, answer

    async def open_stage(self, name: str, *, style: int = 0) -> Stage:
        """Open a session for an engine; `Stage.close` ends it.

        Raises InputError, NameTaken, TooManySessions.
        """
        await self._sweep()
        name = await self._new_name(name)
        session = Session(self.renderer, style=style, mirror=False)
        stage = self._peers[name] = Stage(name, session, self.settings.encoding)
        self._begin_sweeping()
        return stage

    def sessions(self) -> list[Listed]:
        """Return the sessions there are now."""
        owners = [peer for peer in self._peers.values() if peer.owns and not peer.dead]
        model = self.renderer.model
        return [
            Listed(
                name=owner.name,
                kind=owner.kind,
                viewers=len(self._viewers(owner)),
                model=model.name,
                width=model.width,
                height=model.height,
                fps=owner.session.report().fps,
            )
            for owner in owners
        ]

    async def watch(self, name: str, sdp: str, *, client: str | None = None) -> tuple[str, str]:
        """Add a viewer to a session; return the viewer's name and the answer's SDP.

        With SEEN behind an engine's name: of what the engine sends. Raises InputError,
        NoSuchSession, TooManyViewers.
        """
        await self._sweep()
        owner = self._find(name.removesuffix(SEEN))
        broadcast = owner.broadcast if owner.name == name else self.stage(owner.name).seen
        direction = check_offer(sdp, publishing=False)
        if len(self._viewers(owner)) >= MAX_VIEWERS:
            raise TooManyViewers(f"{MAX_VIEWERS} viewers watch this session, and that is the limit")
        viewer = Peer(secrets.token_urlsafe(12), broadcast, direction, self.settings)
        return viewer.name, await self._admit(viewer, sdp, client)

    def stage(self, name: str) -> Stage:
        """Return an engine's session. Raises NoSuchSession."""
        owner = self._find(name)
        if not isinstance(owner, Stage):
            raise NoSuchSession(f"{name} is no engine's session")
        return owner

    def stats(self, key: str) -> StatsReport:
        """Return a session's statistics. Raises NoSuchSession."""
        return self._owner(key).broadcast.report()

    def record(self, key: str) -> str:
        """Record a session; return the file's name. Raises NoSuchSession, CannotRecord."""
        owner, folder = self._owner(key), self.settings.recordings
        if folder is None:
            raise CannotRecord("this server keeps no recordings; start it with --recordings FOLDER")
        if owner.broadcast.recording:
            raise CannotRecord("this session is being recorded already")
        name = f"{owner.name}-{datetime.now():%Y%m%d-%H%M%S-%f}.mp4"
        folder.mkdir(parents=True, exist_ok=True)
        owner.broadcast.record(folder / name)
        return name

    async def stop_recording(self, key: str) -> Recorder:
        """End a recording, its file written. Raises NoSuchSession, CannotRecord, InputError."""
        recorder = await self._owner(key).stop_recording()
        if recorder is None:
            raise CannotRecord("this session is not being recorded")
        return recorder

    async def close(self, key: str) -> None:
        """End a session. Raises NoSuchSession."""
        await self._drop(self._owner(key))

    async def leave(self, name: str, viewer: str) -> None:
        """End one viewer of a session. Raises NoSuchSession."""
        for peer in self._viewers(self._find(name.removesuffix(SEEN))):
            if peer.name == viewer:
                await self._drop(peer)
                return
        raise NoSuchSession("no such viewer; it may have left")

    async def close_all(self, timeout: float = 1.0) -> None:
        """End everything within `timeout` seconds."""
        if self._sweeper:
            self._sweeper.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await asyncio.gather(
                    *(self._drop(peer) for peer in list(self._peers.values())),
                    return_exceptions=True,
                )
        await asyncio.to_thread(self.renderer.close, 0.5)

    def _find(self, name: str) -> Member:
        peer = self._peers.get(name)
        if peer is None or not peer.owns:
            raise NoSuchSession("no such session; it may have ended")
        return peer

    def _owner(self, key: str) -> Member:
        for peer in self._peers.values():
            if peer.owns and peer.key == key:
                return peer
        raise NoSuchSession("no such session; it may have ended")

    def _viewers(self, owner: Member) -> list[Member]:
        everyone = self._peers.values()
        return [peer for peer in everyone if peer.session is owner.session and not peer.owns]

    async def _new_name(self, wanted: str | None) -> str:
        if wanted is None:
            return secrets.token_urlsafe(12)
        if not _NAME.fullmatch(wanted):
            raise InputError(f"the session name {wanted[:80]!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
        taken = self._peers.get(wanted)
        if taken and taken.owns and (taken.dead or taken.absent_s > ABSENT_S):
            await self._drop(taken)
        if wanted in self._peers:
            raise NameTaken(f"the session name {wanted!r} is in use; end that session first")
        return wanted

    async def _admit(self, peer: Peer, sdp: str, client: str | None) -> str:
        self._peers[peer.name] = peer
        self._begin_sweeping()
        try:
            return await peer.answer(_prepared(sdp, client))
        except BaseException:
            await self._drop(peer)
            raise

    def _begin_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.ensure_future(self._keep_sweeping())
            self.settings.network.keep_to_ports(asyncio.get_running_loop())

    async def _drop(self, peer: Member) -> None:
        """Let a peer go; with a session go those who watch it."""
        leaving = [*self._viewers(peer), peer] if peer.owns else [peer]
        for one in leaving:
            if self._peers.get(one.name) is one:  # a successor may have the name already
                del self._peers[one.name]
        await asyncio.gather(*(one.close() for one in leaving))

    async def _sweep(self) -> None:
        for peer in [peer for peer in self._peers.values() if peer.dead]:
            logger.info("%s %s is gone", "session" if peer.owns else "viewer", peer.name)
            await self._drop(peer)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._sweep()
            except Exception:
                logger.exception("sweeping failed")


def _prepared(sdp: str, client: str | None) -> str:
    return with_packetization_mode(as_dtls_server(resolve_mdns(sdp, client)))
