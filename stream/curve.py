"""Keys for ZeroMQ beyond this machine (CURVE, RFC 26 of ZeroMQ): the server's and its clients'.

A folder holds `server.key_secret` and, in `clients/`, a `.key` file of each client that is let in,
as `zmq.auth.create_certificates` writes them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from ..model.errors import InputError

logger = logging.getLogger(__name__)

SERVER = "server.key_secret"
CLIENTS = "clients"
DOMAIN = "rotolive"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A server's pair of keys (Z85), and the folder of its clients' public ones."""

    public: bytes
    secret: bytes
    clients: Path

    @classmethod
    def load(cls, folder: Path) -> "Keys":
        """Read a folder of keys, made where there is none. Raises InputError."""
        clients = folder / CLIENTS
        try:
            clients.mkdir(parents=True, exist_ok=True)
            if not (folder / SERVER).exists():
                zmq.auth.create_certificates(folder, "server")
            public, secret = zmq.auth.load_certificate(folder / SERVER)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: the keys cannot be read: {error}") from error
        if secret is None:
            raise InputError(f"{folder / SERVER} holds no secret key")
        return cls(public=public, secret=secret, clients=clients)

    def guard(self, context: zmq.Context[Any]) -> ThreadAuthenticator:
        """Begin to check clients' keys in a context, as they are when a client connects."""
        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(DOMAIN, _Clients(self.clients))
        return authenticator

    def require(self, socket: Any) -> None:
        """Let only known clients into what a socket binds from now on."""
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self.public, self.secret
        socket.zap_domain = DOMAIN.encode()


@dataclass(frozen=True)
class _Clients:
    """A folder of public keys. Who has a connection keeps it when the key is taken away."""

    folder: Path

    def callback(self, domain: str, key: bytes) -> bool:
        """Tell whether a key (Z85) is let in; called at each handshake."""
        return key in self._keys()

    def _keys(self) -> Iterator[bytes]:
        for path in self.folder.glob("*.key"):
            try:
                yield zmq.auth.load_certificate(path)[0]
            except (OSError, ValueError, IndexError) as error:  # half written, or something else
                logger.warning("%s: the key cannot be read: %s", path, error)
