"""Sends an engine's planes to a Rotolive server and gets painted pictures back.

    with Client("tcp://127.0.0.1:5599", classes=["void", "road", "car"]) as client:
        while running:
            client.send(label=ids, motion=motion)
            painted = client.receive()
            if painted:
                show(painted.rgb)

Needs numpy, pyzmq and msgspec, for ws:// websockets; docs/wire.md says what goes over the wire.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zmq.auth
from numpy.typing import NDArray

from ..stream.wire.encodings import ENCODINGS
from ..stream.wire.errors import WireError
from ..stream.wire.header import Control, Hello, Welcome
from ..stream.wire.message import check_planes
from .carrier import open_carrier
from .link import Link, Outgoing, Painted

__all__ = ["Client", "Curve", "Painted"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Keys for a server beyond this machine (Z85): the server's public one, our own pair."""

    server: bytes
    public: bytes
    secret: bytes

    @classmethod
    def load(cls, server: Path, own: Path) -> "Curve":
        """Read the server's `server.key` and our own `.key_secret` file. Raises OSError."""
        public, secret = zmq.auth.load_certificate(own)
        if secret is None:
            raise ValueError(f"{own} holds no secret key")
        return cls(server=zmq.auth.load_certificate(server)[0], public=public, secret=secret)


class Client:
    """A connection to one server, kept up by a thread of its own through restarts of the server.

    address: tcp://HOST:PORT or ipc://PATH, one of the server's --engine; or that of its page,
    ws://HOST:PORT/api/engine or wss://. curve: for tcp:// to another machine. certificate: for
    wss://, a PEM file of what the server shows when no authority vouches for it. classes: names of
    the label ids, in id order; mapping: some of them onto the model's, where the server does not
    find a place by itself. size: width and height of the planes. encodings: of what is sent, the
    first one is used; painted: of what comes back. Use it from one thread.
    """

    def __init__(
        self,
        address: str,
        classes: Sequence[str] = (),
        *,
        stream: str = "game",
        model: str | None = None,
        token: str | None = None,
        size: tuple[int, int] = (512, 256),
        fps: float = 30.0,
        encodings: Sequence[str] = ("raw",),
        painted: str = "raw",
        mapping: Mapping[str, str] | None = None,
        style: int = 0,
        curve: Curve | None = None,
        certificate: Path | None = None,
    ) -> None:
        for encoding in (*encodings, painted):
            if encoding not in ENCODINGS:
                known = ", ".join(ENCODINGS)
                raise WireError("encoding", f"no encoding {encoding!r} here; there is {known}")
        hello = Hello(
            stream=stream,
            model=model,
            token=token,
            width=size[0],
            height=size[1],
            fps=fps,
            classes=tuple(classes),
            mapping=dict(mapping or {}),
            encodings=(*encodings, painted),
            painted=painted,
            style=style,
        )
        self._seq, self._size = 0, size
        self._link = Link(open_carrier(address, curve, certificate), hello)
        self._thread = threading.Thread(target=self._link.run, name="rotolive", daemon=True)
        self._thread.start()

    def send(
        self,
        *,
        label: NDArray[np.unsignedinteger] | None = None,
        instance: NDArray[np.unsignedinteger] | None = None,
        depth: NDArray[np.floating] | None = None,
        motion: NDArray[np.floating] | None = None,
        color: NDArray[np.uint8] | None = None,
        landmarks: NDArray[np.floating] | None = None,
        captured_ns: int | None = None,
        reset: bool = False,
    ) -> None:
        """Send a frame as soon as the server takes one; a newer one goes before it.

        Shapes: [H, W]; motion [2, H, W] in pixels from this frame to the last, x right, y down;
        color [H, W, 3]; landmarks [33, 4] of a body: x, y in 0..1 of the picture, z as x,
        visibility (0 everywhere: nobody). The planes are copied. captured_ns: comes back with the
        picture; now (monotonic) when left out. reset: a cut. Raises WireError for planes that do
        not fit.
        """
        given = {
            "label": label,
            "instance": instance,
            "depth": depth,
            "motion": motion,
            "color": color,
            "landmarks": landmarks,
        }
        planes = {name: array for name, array in given.items() if array is not None}
        fitting = check_planes(planes, self._size)
        now = time.monotonic_ns()
        self._seq += 1
        self._link.put(
            Outgoing(
                seq=self._seq,
                size=fitting,
                planes={name: np.array(array, order="C") for name, array in planes.items()},
                captured_ns=now if captured_ns is None else captured_ns,
                reset=reset,
                at=now,
            )
        )

    def receive(self, timeout: float = 0.0) -> Painted | None:
        """Return the newest picture that was not returned yet; wait up to `timeout` s for one."""
        return self._link.take(timeout)

    def style(self, style: int | str) -> None:
        """Paint in another style, by its index or name. Raises WireError for an unknown name."""
        if isinstance(style, str):
            welcome = self.welcome
            if welcome is None or style not in welcome.styles:
                known = ", ".join(welcome.styles) if welcome else "none before the welcome"
                raise WireError("style", f"no style {style!r}; there is {known}")
            style = welcome.styles.index(style)
        self._link.ask(Control(type="style", index=style))

    def edit(
        self,
        classes: Mapping[str, str] | None = None,
        instances: Mapping[int, str] | None = None,
        erased: Sequence[str] = (),
    ) -> None:
        """Show classes, or instances by id, as other classes of the model.

        "building:*7": each instance takes one of a building's surfaces, drawn by the seed 7.
        erased: classes that give way to what is next to them. Nothing: no more edits.
        """
        self._link.ask(
            Control(
                type="edits",
                classes=dict(classes or {}),
                instances=dict(instances or {}),
                erased=tuple(erased),
            )
        )

    def reset(self) -> None:
        """Forget what was painted before."""
        self._link.ask(Control(type="reset"))

    def wait(self, timeout: float = 5.0) -> Welcome:
        """Wait for the server's welcome. Raises WireError with its refusal, or none came."""
        return self._link.wait(timeout)

    @property
    def welcome(self) -> Welcome | None:
        """What the server said at the beginning; None while there is no connection."""
        return self._link.welcome

    @property
    def error(self) -> WireError | None:
        """The last refusal since the welcome."""
        return self._link.error

    @property
    def stats(self) -> dict[str, Any]:
        """Frames sent, painted, overwritten here, skipped there, lost; round trips in ms."""
        return self._link.stats()

    def close(self) -> None:
        """Say goodbye; safe to call again."""
        self._link.stop()
        self._thread.join(2.0)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
