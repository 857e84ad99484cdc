"""A client's WebSocket (RFC 6455), which a thread of its own connects and reads."""

import ssl
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from websockets.exceptions import InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from ..stream.wire.errors import WireError
from ..stream.wire.header import Part
from ..stream.wire.message import join, split
from ..stream.wire.planes import LARGEST, most_bytes

RETRY_S = 0.2
PING_S = 1.0
GONE_S = 5.0
"""A server that answers no ping, or takes no message, for this long has gone."""
CLOSE_S = 0.2


class WebSocket:
    """certificate: what the server shows, as PEM, when no authority vouches for it.

    Raises WireError for an address that is none, or a file that is no certificate.
    """

    def __init__(self, address: str, certificate: Path | None = None) -> None:
        self.trouble = ""
        self._address = _checked(address)
        self._trust = _trust(certificate) if certificate else None
        self._connection: ClientConnection | None = None
        self._inbox: deque[bytes] = deque()
        self._bell, self._closed = threading.Event(), threading.Event()
        threading.Thread(target=self._run, name="websocket", daemon=True).start()

    def wait(self, timeout: float) -> None:
        self._bell.wait(timeout)
        self._bell.clear()

    def wake(self) -> None:
        self._bell.set()

    def receive(self) -> list[Part] | None:
        return [*split(self._inbox.popleft())] if self._inbox else None

    def send(self, parts: Sequence[Part]) -> bool:
        connection = self._connection
        if connection is None:
            return False
        try:
            connection.send(join(parts))
        except (OSError, WebSocketException):
            return False
        return True

    def close(self) -> None:
        self._closed.set()
        connection = self._connection
        if connection:
            connection.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._connected() as connection:
                    self._read(connection)
            except (OSError, WebSocketException) as error:
                self.trouble = str(error)
            self._connection = None
            self._closed.wait(RETRY_S)

    def _connected(self) -> ClientConnection:
        connection = connect(
            self._address,
            ssl=self._trust,
            proxy=None,
            compression=None,
            open_timeout=GONE_S,
            ping_interval=PING_S,
            ping_timeout=GONE_S,
            close_timeout=CLOSE_S,
            max_size=most_bytes(LARGEST),
        )
        connection.socket.settimeout(GONE_S)
        return connection

    def _read(self, connection: ClientConnection) -> None:
        self._connection, self.trouble = connection, ""
        self._bell.set()
        for message in connection:
            if isinstance(message, bytes):
                self._inbox.append(message)
                self._bell.set()
            if self._closed.is_set():
                return


def _checked(address: str) -> str:
    try:
        parse_uri(address)
    except (InvalidURI, ValueError) as error:
        raise WireError("stream", f"cannot connect to {address!r}: {error}") from error
    return address


def _trust(certificate: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificate)
    except (OSError, ssl.SSLError) as error:
        sentence = f"{certificate} is no certificate in PEM: {error}"
        raise WireError("stream", sentence) from error
