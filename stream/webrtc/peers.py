"""All peers of a server: makes them, finds them, sweeps out the dead."""

import asyncio
import contextlib
import logging
import secrets

from ...model.errors import InputError
from ...model.live import LiveModel
from ..protocol import StatsReport
from ..renderer import Renderer
from ..session import Session
from .ice import allow_loopback, resolve_mdns
from .peer import Peer
from .sdp import check_offer

logger = logging.getLogger(__name__)

SWEEP_S = 2.0


class NoSuchSession(InputError):
    """A session id that is not, or no longer, in use."""


class Peers:
    """The server's side of WebRTC; use it from one event loop."""

    def __init__(self, model: LiveModel, *, max_sessions: int = 4, marker: bool = False) -> None:
        self.renderer = Renderer(model, max_sessions)
        self._marker = marker
        self._peers: dict[str, Peer] = {}
        self._sweeper: asyncio.Task[None] | None = None
        allow_loopback()

    def __len__(self) -> int:
        return len(self._peers)

    async def answer(
        self,
        sdp: str,
        kind: str,
        *,
        style: int = 0,
        mirror: bool = True,
        client: str | None = None,
    ) -> tuple[str, str]:
        """Open a session for an offer; return its id and the answer's SDP.

        client: the address the offer came from. Raises InputError, TooManySessions.
        """
        check_offer(sdp, kind)
        await self._sweep()
        session = Session(self.renderer, style=style, mirror=mirror, marker=self._marker)
        peer = Peer(secrets.token_urlsafe(12), session)
        self._peers[peer.name] = peer
        if self._sweeper is None:
            self._sweeper = asyncio.ensure_future(self._keep_sweeping())
        try:
            return peer.name, await peer.answer(resolve_mdns(sdp, client))
        except BaseException:
            await self._drop(peer)
            raise

    def stats(self, name: str) -> StatsReport:
        """Return a session's statistics. Raises NoSuchSession."""
        return self._find(name).session.report()

    async def close(self, name: str) -> None:
        """End a session. Raises NoSuchSession."""
        await self._drop(self._find(name))

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

    def _find(self, name: str) -> Peer:
        if name not in self._peers:
            raise NoSuchSession("no such session; it may have ended")
        return self._peers[name]

    async def _drop(self, peer: Peer) -> None:
        self._peers.pop(peer.name, None)
        await peer.close()

    async def _sweep(self) -> None:
        for peer in [peer for peer in self._peers.values() if peer.dead]:
            logger.info("session %s is gone", peer.name)
            await self._drop(peer)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._sweep()
            except Exception:
                logger.exception("sweeping failed")
