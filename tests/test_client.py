"""The client: restarts of the server, and over WebSocket addresses, tokens, certificates."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engines import COLOURS, H, Served, SlowPalette, W, client, painted, process, served_at, stripes
from numpy.typing import NDArray
from serving import serving

from rotolive.nodes.client import Client, Curve
from rotolive.stream.bench import free_port
from rotolive.stream.wire.errors import WireError
from rotolive.web.access import Access
from rotolive.web.app import create_app
from rotolive.web.tls import self_signed

TOKEN = "open-sesame"


def test_the_token_is_asked_for(tmp_path: Path) -> None:
    with served_at(tmp_path, Access(token=TOKEN)) as guarded:
        for token in (None, "wrong"):
            with client(guarded.ws, token=token) as engine:
                with pytest.raises(WireError, match="token") as caught:
                    engine.wait()
                assert caught.value.code == "token"
        with client(guarded.ws, token=TOKEN) as engine:
            painted(engine, label=stripes(1))


def test_two_engines_come_over_both_carriers(tmp_path: Path) -> None:
    with served_at(tmp_path) as served, client(served.ws, stream="web") as web:
        with client(served.ipc, stream="native") as native:
            for label in (stripes(1, 2), stripes(3, 0)):
                for engine in (web, native):
                    rgb = painted(engine, label=label).rgb
                    np.testing.assert_array_equal(rgb, COLOURS[label])
        with client(served.tcp, stream="web") as second, pytest.raises(WireError, match="in use"):
            second.wait()
        web.close()
        web.close()
        with client(served.tcp, stream="web") as second:
            second.wait()


def test_wss_trusts_a_certificate_that_is_given(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    files = {"ssl_certfile": tls.certificate, "ssl_keyfile": str(tls.key)}
    with serving(create_app(SlowPalette(1)), **files) as port:
        address = f"wss://127.0.0.1:{port}/api/engine"
        with client(address, certificate=tls.certificate) as engine:
            for label in (stripes(1, 2), stripes(3, 0)):
                np.testing.assert_array_equal(painted(engine, label=label).rgb, COLOURS[label])
        with client(address) as engine, pytest.raises(WireError, match="certificate"):
            engine.wait(1.0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_at(tmp_path_factory.mktemp("s")) as found:
        yield found


def test_why_there_is_no_connection(served: Served) -> None:
    for address, why in (
        (f"ws://127.0.0.1:{free_port()}/api/engine", "refused"),
        (served.ws.replace("/api/engine", "/api/motor"), "HTTP 40"),
    ):
        with client(address) as engine, pytest.raises(WireError, match=why):
            engine.wait(1.0)


def test_addresses_that_are_none(tmp_path: Path) -> None:
    keys = Curve(server=b"", public=b"", secret=b"")
    for address, options in (
        ("ws:nowhere", {}),
        ("ws://", {}),
        ("http://127.0.0.1:8080", {}),
        ("ws://127.0.0.1/api/engine", {"curve": keys}),
        ("tcp://127.0.0.1:1", {"certificate": tmp_path / "x.pem"}),
        ("wss://127.0.0.1/api/engine", {"certificate": tmp_path / "x.pem"}),
    ):
        with pytest.raises(WireError) as caught:
            client(address, **options)
        assert address in str(caught.value) or "x.pem" in str(caught.value)


@pytest.mark.parametrize("carrier", ["ipc", "ws"])
def test_a_server_that_restarts_is_found_again(tmp_path: Path, carrier: str) -> None:
    ipc, port = f"ipc://{tmp_path}/engine", free_port()
    address = {"ipc": ipc, "ws": f"ws://127.0.0.1:{port}/api/engine"}[carrier]
    options = ["--model", "palette", "--size", f"{W}x{H}", "--engine", ipc, "--port", str(port)]
    command = [sys.executable, "-m", "rotolive.web.serve", *options]
    with client(address) as engine:
        with pytest.raises(WireError, match="no server answered"):
            engine.wait(0.3)
        for label in (stripes(1, 2), stripes(3, 2)):
            with process(command) as server:
                sent_until_painted(engine, label)
                server.kill()
            for _ in range(5):
                engine.send(label=label)
                time.sleep(0.02)
        assert engine.error is None


def sent_until_painted(engine: Client, label: NDArray[np.uint8]) -> None:
    """A server that has begun anew has lost the frames before the welcome."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        engine.send(label=label)
        picture = engine.receive(0.2)
        if picture and np.array_equal(picture.rgb, COLOURS[label]):
            return
    raise AssertionError(f"it was not found again; {engine.stats} {engine.error}")
