"""What carries a client's messages: ZeroMQ or WebSocket, by the address."""

import secrets
import socket
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import zmq

from ..stream.wire.errors import WireError
from ..stream.wire.header import Part
from ..stream.wire.planes import MAX_PART_BYTES

if TYPE_CHECKING:
    from .client import Curve

BUFFER_BYTES = 4 << 20
LINGER_MS = 200
RETRY_S = 1.0


class Carrier(Protocol):
    """A connection that is made anew whenever it breaks. Used from one thread, but for `wake`."""

    @property
    def trouble(self) -> str:
        """Why there is no connection, where that is known."""
        ...

    def wait(self, timeout: float) -> None:
        """Wait for a message, a `wake` or a new connection, up to `timeout` s."""
        ...

    def wake(self) -> None:
        """End a `wait`; from any thread, and even after `close`."""
        ...

    def receive(self) -> list[Part] | None:
        """Return the parts of the next message that has come. Raises WireError for noise."""
        ...

    def send(self, parts: Sequence[Part]) -> bool:
        """Send a message; False when it cannot leave now."""
        ...

    def close(self) -> None:
        """Let what was sent leave, for a moment, and end."""
        ...


def open_carrier(address: str, curve: "Curve | None", certificate: Path | None) -> Carrier:
    """Begin to connect; curve: for tcp://, certificate: for wss://. Raises WireError."""
    scheme = address.partition("://")[0]
    if curve and scheme != "tcp":
        raise WireError("stream", f"CURVE keys are for tcp://; the address is {address!r}")
    if certificate and scheme != "wss":
        raise WireError("stream", f"a certificate is for wss://; the address is {address!r}")
    if scheme not in ("ws", "wss"):
        return ZeroMQ(address, curve)
    from .websocket import WebSocket

    return WebSocket(address, certificate)


class ZeroMQ:
    """A DEALER socket. Raises WireError for an address that is none."""

    def __init__(self, address: str, curve: "Curve | None" = None) -> None:
        self.trouble = ""
        self._address, self._curve = address, curve
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._open()

    def wait(self, timeout: float) -> None:
        if time.monotonic() > self._again_at:
            self._shut()
            self._open()
        ready = dict(self._poller.poll(round(timeout * 1e3)))
        if self._monitor in ready:
            self._monitor.recv_multipart()
            self.trouble, self._again_at = "it refuses our key", time.monotonic() + RETRY_S
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            return

    def _open(self) -> None:
        """ZeroMQ connects again by itself, but not where it was refused."""
        self._again_at = inf
        self._socket = _connect(self._address, self._curve)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._poller = zmq.Poller()
        for source in (self._socket, self._monitor, self._bell):
            self._poller.register(source, zmq.POLLIN)

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._socket.close(LINGER_MS)
        self._socket.context.destroy(LINGER_MS)

    def wake(self) -> None:
        try:
            self._ring.send(b"!")
        except OSError:  # it rings already, or is closed
            return

    def receive(self) -> list[Part] | None:
        try:
            return [frame.buffer for frame in self._socket.recv_multipart(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return None

    def send(self, parts: Sequence[Part]) -> bool:
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        self._shut()
        self._bell.close()
        self._ring.close()


def _connect(address: str, curve: "Curve | None") -> zmq.Socket[bytes]:
    opened = zmq.Context().socket(zmq.DEALER)
    opened.routing_id = b"r" + secrets.token_bytes(15)
    opened.immediate = True
    opened.sndhwm = opened.rcvhwm = 4
    opened.maxmsgsize = MAX_PART_BYTES
    opened.sndbuf = opened.rcvbuf = BUFFER_BYTES
    opened.reconnect_ivl, opened.reconnect_ivl_max = 100, 1000
    opened.heartbeat_ivl, opened.heartbeat_timeout = 1000, 3000
    if curve:
        opened.curve_serverkey = curve.server
        opened.curve_publickey, opened.curve_secretkey = curve.public, curve.secret
    try:
        opened.connect(address)
    except zmq.ZMQError as error:
        opened.context.destroy(0)
        raise WireError("stream", f"cannot connect to {address!r}: {error}") from error
    return opened
