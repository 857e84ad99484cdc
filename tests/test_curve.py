"""Keys of clients that come and go while a server runs, over real sockets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq.auth
from engines import SlowPalette, client, painted, stripes, wait_for
from serving import serving

from rotolive.nodes.client import Client, Curve
from rotolive.stream.bench import free_port
from rotolive.stream.engine import EngineSettings
from rotolive.stream.wire.errors import WireError
from rotolive.web.app import create_app


@dataclass(frozen=True)
class Guarded:
    """A server with keys: how it is reached, and its folder of clients."""

    address: str
    keys: Path

    def client(self, folder: Path, stream: str = "game") -> Client:
        curve = Curve.load(self.keys / "server.key", folder / "own.key_secret")
        return client(self.address, curve=curve, stream=stream)

    def let_in(self, folder: Path) -> Path:
        card = self.keys / "clients" / f"{folder.name}.key"
        card.write_bytes((folder / "own.key").read_bytes())
        return card


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    port, keys = free_port(), tmp_path / "keys"
    settings = EngineSettings(addresses=(f"tcp://0.0.0.0:{port}",), curve=keys)
    with serving(create_app(SlowPalette(2), engines=settings)):
        yield Guarded(f"tcp://127.0.0.1:{port}", keys)


def pair(folder: Path) -> Path:
    folder.mkdir()
    zmq.auth.create_certificates(folder, "own")
    return folder


def test_keys_come_and_go_without_a_restart(guarded: Guarded, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "first"), pair(tmp_path / "second")
    with guarded.client(first) as engine:
        with pytest.raises(WireError, match="refuses our key"):
            engine.wait(1.0)
        card = guarded.let_in(first)
        painted(engine, 15.0, label=stripes(1))  # by itself: it goes on trying
        card.unlink()
        painted(engine, label=stripes(2))  # the connection stays
    with guarded.client(first) as engine, pytest.raises(WireError, match="refuses our key"):
        engine.wait(1.0)
    guarded.let_in(second)
    with guarded.client(second) as engine:
        painted(engine, label=stripes(1))


def test_a_file_that_is_no_key_keeps_nobody_out(
    guarded: Guarded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known, stranger = pair(tmp_path / "known"), pair(tmp_path / "stranger")
    (guarded.keys / "clients" / "a.key").write_text("public-key")
    (guarded.keys / "clients" / "b.key").mkdir()
    guarded.let_in(known)
    with guarded.client(known) as engine:
        painted(engine, label=stripes(1))
    with guarded.client(stranger) as engine, pytest.raises(WireError, match="refuses our key"):
        engine.wait(1.0)
    wait_for(lambda: "b.key" in caplog.text)
