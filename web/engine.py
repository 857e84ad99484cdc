"""Engines over WebSocket: /api/engine, a message of docs/wire.md in each binary message."""

import asyncio
import contextlib

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from ..stream.engine import Door, EngineClient
from ..stream.wire.errors import WireError
from ..stream.wire.header import SILENCE_S, Part
from ..stream.wire.message import join, split
from .access import Access, admits_origin, shows_token

POLICY_VIOLATION = 1008
"""RFC 6455, 7.4.1."""


def add_engine(app: FastAPI, door: Door, access: Access) -> None:
    """Add the endpoint to an app."""

    @app.websocket("/api/engine")
    async def engine(socket: WebSocket) -> None:
        if not admits_origin(access, socket.headers):
            await socket.close(POLICY_VIOLATION, "this page may not use the API: --allow-origin")
            return
        await socket.accept()
        await _Carrier(door, socket, trusted=shows_token(access, socket.headers)).run()


class _Carrier:
    """One WebSocket and the client behind it."""

    def __init__(self, door: Door, socket: WebSocket, *, trusted: bool) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()
        self._deaf = False
        self._client = EngineClient(door, self._send, trusted=trusted)

    async def run(self) -> None:
        """Serve until the client leaves, or says or reads nothing for too long."""
        try:
            while not self._deaf:
                async with asyncio.timeout(SILENCE_S):
                    message = await self._socket.receive()
                if message["type"] != "websocket.receive":
                    return
                await self._take(message.get("bytes"))
        except TimeoutError:
            self._client.close()
            with contextlib.suppress(RuntimeError):
                await self._socket.close()
        finally:
            self._client.close()

    async def _take(self, data: bytes | None) -> None:
        try:
            parts = split(data or b"")
        except WireError as error:
            await self._client.refuse(error)
        else:
            await self._client.receive(parts)

    async def _send(self, parts: list[Part]) -> bool:
        if self._deaf or self._socket.application_state != WebSocketState.CONNECTED:
            return False
        try:
            async with asyncio.timeout(SILENCE_S), self._sending:
                await self._socket.send_bytes(join(parts))
        except TimeoutError:
            self._deaf = True
            self._client.close()
            return False
        except (WebSocketDisconnect, RuntimeError):  # it has gone
            return False
        return True
