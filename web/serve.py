"""Runs the app: a port, a ready line, a quick end."""

import argparse
import contextlib
import errno
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
import uvicorn

from ..model.errors import InputError, RotoliveError
from ..model.live import (
    IdentityModel,
    LiveModel,
    PaletteModel,
    Picture,
    Request,
    open_model,
)
from ..stream.engine import EngineSettings
from ..stream.webrtc.settings import Settings, parse_size
from ..stream.wire.planes import most_bytes
from .access import Access, check_exposure
from .app import create_app
from .tls import Tls


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, url: str, open_browser: bool) -> None:
        super().__init__(config)
        self._url = url
        self._open_browser = open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        print(f"ready: {self._url}  (stop with Ctrl-C)", flush=True)
        if self._open_browser:
            threading.Thread(target=webbrowser.open, args=(self._url,), daemon=True).start()


def serve(
    model: LiveModel,
    host: str = "127.0.0.1",
    port: int = 8000,
    open_browser: bool = False,
    *,
    settings: Settings = Settings(),  # noqa: B008
    page: str = "",
    access: Access = Access(),  # noqa: B008
    insecure: bool = False,
    tls: Tls | None = None,
    engines: EngineSettings = EngineSettings(),  # noqa: B008
) -> None:
    """Serve the page until interrupted; port 0 takes a free one. Raises RotoliveError.

    page: what follows the address that is shown and opened, such as ?style=1. insecure: let
    everybody in on an interface that others can reach, without a token. tls: serve HTTPS. engines:
    where they come in.
    """
    check_exposure(host, access, insecure)
    listener = bind(host, port)
    warm_up(model)
    app = create_app(model, settings, access, engines)
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=most_bytes(settings.largest),
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
        ssl_certfile=tls and tls.certificate,
        ssl_keyfile=tls and str(tls.key),
    )
    url = address(listener, "https" if tls else "http") + page + _hash(access)
    server = _Server(config, url, open_browser)
    with listener, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _hash(access: Access) -> str:
    return f"#token={quote(access.token, safe='')}" if access.token else ""


def warm_up(model: LiveModel) -> None:
    """Load what the first session would wait for, and fail now if it cannot be loaded."""
    conditioner = model.conditioner(mirror=False)
    kind = ((480, 640), "label") if model.classes else ((480, 640, 3), "rgb")
    try:
        conditioner.observe({kind[1]: np.zeros(kind[0], np.uint8)}, 0.0)
    finally:
        conditioner.close()


def bind(host: str, port: int) -> socket.socket:
    """Listen on a TCP port. Raises InputError with a way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(_why(error, host, port)) from error
    return listener


def _why(error: Exception, host: str, port: int) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return f"port {port} is in use; choose another with --port {port + 1}"
    if code == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023, such as --port 8000"
    return f"cannot listen on {host} port {port}: {error}"


def address(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL to open for a listening socket."""
    host, port = listener.getsockname()[:2]
    shown: str = {"0.0.0.0": "localhost", "::": "localhost", "127.0.0.1": "localhost"}.get(
        host, str(host)
    )
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}/"


class PacedIdentity(IdentityModel):
    """Takes its time for each step, as a model does that is slower than what comes in."""

    fps: float | None = None

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        time.sleep(1 / self.fps if self.fps else 0.0)
        return super().step(requests)


class PacedPalette(PacedIdentity, PaletteModel):
    """The same of labels."""


PACED = {"identity": PacedIdentity, "palette": PacedPalette}


def main() -> None:
    """Serve one model, as the bench's child process does."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="identity")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--marker", action="store_true")
    parser.add_argument("--size", default="256x256", help="of identity's and palette's pictures")
    parser.add_argument("--fps", type=float, help="that they can paint")
    parser.add_argument("--engine", action="append", default=[], help="address for engines")
    options = parser.parse_args()
    try:
        if options.model in PACED:
            width, height = parse_size(options.size)
            model = PACED[options.model](width=width, height=height)
            model.fps = options.fps
        else:
            model = open_model(options.model, runtime=options.runtime)
        settings = Settings(marker=options.marker)
        engines = EngineSettings(addresses=tuple(options.engine))
        serve(model, options.host, options.port, settings=settings, engines=engines)
    except RotoliveError as error:
        print(f"rotolive: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
