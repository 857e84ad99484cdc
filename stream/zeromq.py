"""Engines over ZeroMQ: a ROUTER for each address, a PUB socket for whoever wants to look."""

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any

import zmq
import zmq.asyncio

from ..model.errors import InputError
from .addresses import is_loopback
from .curve import Keys
from .engine import Door, EngineClient, EngineSettings
from .wire.header import Part
from .wire.planes import MAX_PART_BYTES

logger = logging.getLogger(__name__)

SWEEP_S = 0.25
HELD_UP_S = 1.0
MOST_WAITING = 4
"""Messages for one client that are not yet on their way; further ones are thrown away."""
BUFFER_BYTES = 4 << 20
LINGER_MS = 200


class ZeroMQ:
    """Binds at once; serves from `start` on, until `close`. Raises InputError."""

    def __init__(self, door: Door, settings: EngineSettings) -> None:
        keys = Keys.load(settings.curve) if settings.curve else None
        self._context = zmq.asyncio.Context()
        self._guard = keys.guard(zmq.Context.shadow(self._context.underlying)) if keys else None
        self._tasks: list[asyncio.Task[None]] = []
        self._routers: list[_Router] = []
        self._publisher: zmq.asyncio.Socket | None = None
        try:
            for address in settings.addresses:
                self._routers.append(_Router(self._bind(zmq.ROUTER, address, keys), door))
            if settings.publish:
                self._publisher = self._bind(zmq.PUB, settings.publish, keys)
                door.publish = self._publish
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Serve on the running event loop."""
        self._tasks = [asyncio.ensure_future(router.run()) for router in self._routers]

    def close(self) -> None:
        """Stop; what is on its way has LINGER_MS to leave."""
        for task in self._tasks:
            task.cancel()
        for router in self._routers:
            router.close()
        if self._publisher:
            self._publisher.close(LINGER_MS)
        if self._guard:
            self._guard.stop()
        self._context.destroy(LINGER_MS)

    def _bind(self, kind: int, address: str, keys: Keys | None) -> zmq.asyncio.Socket:
        if not keys and not is_local(address):
            raise InputError(f"{address} can be reached from elsewhere: give keys with --curve")
        if is_answered(address):
            raise InputError(f"{address} is in use; choose another")
        bound = self._context.socket(kind)
        bound.sndhwm = bound.rcvhwm = MOST_WAITING
        bound.maxmsgsize = MAX_PART_BYTES
        bound.sndbuf = bound.rcvbuf = BUFFER_BYTES
        if kind == zmq.ROUTER:
            bound.router_mandatory = bound.router_handover = True
        if keys and not address.startswith("ipc:"):
            keys.require(bound)
        try:
            bound.bind(address)
        except zmq.ZMQError as error:
            bound.close(0)
            raise InputError(f"engines cannot be let in at {address}: {error}") from error
        return bound

    def _publish(self, stream: str, parts: list[Part]) -> None:
        assert self._publisher is not None
        future: Any = self._publisher.send_multipart(
            [stream.encode(), *parts], zmq.NOBLOCK, copy=False
        )
        future.exception()  # done at once; a PUB socket throws away what it cannot send


class _Router:
    """One ROUTER socket and the clients behind it."""

    def __init__(self, socket: zmq.asyncio.Socket, door: Door) -> None:
        self._socket = socket
        self._door = door
        self._clients: dict[bytes, EngineClient] = {}

    async def run(self) -> None:
        """Serve until cancelled."""
        sweeper = asyncio.ensure_future(self._sweep())
        try:
            while True:
                await self._receive()
        finally:
            sweeper.cancel()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._socket.close(LINGER_MS)

    async def _receive(self) -> None:
        identity, *frames = await self._socket.recv_multipart(copy=False)
        name = identity.bytes
        client = self._clients.get(name) or EngineClient(self._door, self._sender(name))
        try:
            await client.receive([frame.buffer for frame in frames])
        except Exception:
            logger.exception("a message could not be taken")
        if client.alive:
            self._clients[name] = client

    def _sender(self, name: bytes) -> Any:
        async def send(parts: list[Part]) -> bool:
            try:
                await self._socket.send_multipart([name, *parts], zmq.NOBLOCK, copy=False)
            except zmq.ZMQError:  # it reads too slowly, or has gone
                return False
            return True

        return send

    async def _sweep(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(SWEEP_S)
            if time.monotonic() - before > HELD_UP_S:  # what they said has not been read yet
                continue
            for name in [name for name, client in self._clients.items() if not client.alive]:
                logger.info("an engine has left")
                self._clients.pop(name).close()


def is_answered(address: str) -> bool:
    """Tell whether somebody listens at an ipc address, which ZeroMQ would take from them."""
    if not address.startswith("ipc://"):
        return False
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(address.removeprefix("ipc://"))
        return True
    return False


def is_local(address: str) -> bool:
    """Tell whether only this machine can reach an address."""
    scheme, _, rest = address.partition("://")
    if scheme != "tcp":
        return scheme in ("ipc", "inproc")
    return is_loopback(rest.rpartition(":")[0].strip("[]"))
