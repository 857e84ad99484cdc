"""Engines at the door over WebSocket, their viewers, and who is let in."""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.auth
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from engines import (
    COLOURS,
    H,
    Served,
    SlowPalette,
    W,
    client,
    frame,
    hello,
    painted,
    served_at,
    stripes,
    wait_for,
)
from numpy.typing import NDArray
from serving import serving, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rotolive.model.errors import InputError
from rotolive.nodes.client import Client, Curve
from rotolive.stream.bench import free_port
from rotolive.stream.engine import EngineSettings
from rotolive.stream.webrtc.client import offer, request_json
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.wire.errors import WireError
from rotolive.stream.wire.header import (
    FROM_SERVER,
    SILENCE_S,
    Control,
    Error,
    Frame,
    Welcome,
    dump,
    parse,
)
from rotolive.stream.wire.message import join, split
from rotolive.stream.zeromq import is_local
from rotolive.web.access import Access
from rotolive.web.app import create_app

TOKEN = "open-sesame"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    allow_loopback(only=True)
    with served_at(tmp_path_factory.mktemp("e"), mapping={"brickwork": "building:brick"}) as found:
        yield found


@pytest.fixture(autouse=True)
def nobody_left(served: Served) -> Iterator[None]:
    yield
    served.model.delay = 0.0
    wait_for(lambda: len(served.peers) == 0, SILENCE_S + 3)


def test_the_token_is_asked_for(tmp_path: Path) -> None:
    with served_at(tmp_path, Access(token=TOKEN)) as guarded:
        for token in (None, "wrong", "ö" * 11):
            with client(guarded.tcp, token=token) as engine:
                with pytest.raises(WireError, match="token") as caught:
                    engine.wait()
                assert caught.value.code == "token"
        with client(guarded.tcp, token=TOKEN) as engine:
            painted(engine, label=stripes(1))
        with websocket(guarded) as link:
            link.send(join([hello()]))
            refused = parse(split(link.recv())[0], FROM_SERVER)
            assert isinstance(refused, Error) and refused.code == "token"
            link.send(join([hello(token=TOKEN)]))
            assert isinstance(parse(split(link.recv())[0], FROM_SERVER), Welcome)
        with websocket(guarded, {"Authorization": f"Bearer {TOKEN}"}) as link:
            link.send(join([hello(stream="by-header")]))
            assert isinstance(parse(split(link.recv())[0], FROM_SERVER), Welcome)
        request = f"{guarded.url}/api/sessions"
        with pytest.raises(InputError, match="401"):
            request_json(request)


def test_beyond_this_machine_only_with_keys(tmp_path: Path) -> None:
    assert is_local("tcp://127.0.0.1:1") and is_local("tcp://[::1]:1") and is_local("ipc:///tmp/x")
    assert is_local("tcp://localhost:1") and not is_local("tcp://*:1")
    for address in ("tcp://0.0.0.0:5599", "tcp://*:5599", "udp://127.0.0.1:1"):
        with pytest.raises(InputError, match="--curve"):
            create_app(SlowPalette(1), engines=EngineSettings(addresses=(address,)))
    keys, (known, stranger) = tmp_path / "keys", (tmp_path / "known", tmp_path / "stranger")
    (keys / "clients").mkdir(parents=True)
    for folder in (known, stranger):
        folder.mkdir()
        zmq.auth.create_certificates(folder, "own")
    (keys / "clients" / "known.key").write_bytes((known / "own.key").read_bytes())
    address = f"tcp://0.0.0.0:{free_port()}"
    app = create_app(SlowPalette(2), engines=EngineSettings(addresses=(address,), curve=keys))
    reached = address.replace("0.0.0.0", "127.0.0.1")
    with serving(app):
        with client(reached, curve=pair(keys, known)) as engine:
            painted(engine, label=stripes(1))
        for curve in (None, pair(keys, stranger)):
            with (
                client(reached, curve=curve) as engine,
                pytest.raises(WireError, match="no server"),
            ):
                engine.wait(0.7)


def pair(keys: Path, folder: Path) -> Curve:
    return Curve.load(keys / "server.key", folder / "own.key_secret")


def test_engines_come_over_websocket(served: Served) -> None:
    with websocket(served) as link:
        link.send(join([hello(stream="web")]))
        welcome = parse(split(link.recv())[0], FROM_SERVER)
        assert isinstance(welcome, Welcome) and welcome.stream == "web"
        for seq, ids in enumerate(((0, 1), (2, 3)), 1):
            label = stripes(*ids)
            link.send(join(frame(seq, label)))
            header, plane = split(link.recv())
            read = parse(header, FROM_SERVER)
            assert isinstance(read, Frame) and read.seq == seq
            rgb = np.frombuffer(plane, np.uint8).reshape(H, W, 3)
            np.testing.assert_array_equal(rgb, COLOURS[label])
        for noise in (b"", b"\x01", b"\xff" * 9, b"\x02\x00\x00\x00{}", "text"):
            link.send(noise)
            refused = parse(split(link.recv())[0], FROM_SERVER)
            assert isinstance(refused, Error)
        link.send(join([dump(Control(type="ping", id=4))]))
        assert parse(split(link.recv())[0], FROM_SERVER) == Control(type="ok", id=4)
    wait_for(lambda: len(served.peers) == 0, 2)


def test_a_silent_websocket_is_let_go(served: Served) -> None:
    with websocket(served) as link:
        link.send(join([hello()]))
        link.recv()
        with pytest.raises(ConnectionClosed):
            while True:
                link.recv(SILENCE_S + 2)


def test_a_websocket_that_reads_nothing_is_let_go(served: Served) -> None:
    tight = socket.socket()
    tight.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tight.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
    with (
        websocket(served, sock=tight) as link,
        client(served.ipc, stream="other") as engine,
    ):
        link.send(join([hello()]))
        wait_for(lambda: len(served.peers) == 2)
        sender = threading.Thread(target=send_until_closed, args=(link,), daemon=True)
        sender.start()
        deadline = time.monotonic() + 20
        while len(served.peers) == 2:
            assert time.monotonic() < deadline
            painted(engine, label=stripes(1))
        tight.shutdown(socket.SHUT_RDWR)
        sender.join(5)


def send_until_closed(link: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for seq in itertools.count(1):
            link.send(join(frame(seq, stripes(1, 2))))


def test_pages_of_others_cannot_come_in(served: Served, tmp_path: Path) -> None:
    with pytest.raises(InvalidStatus):
        websocket(served, {"Origin": "https://evil.example"}).__enter__()
    with websocket(served, {"Origin": served.url}):
        pass
    with (
        served_at(tmp_path, Access(origins=("https://good.example",))) as open_to,
        websocket(open_to, {"Origin": "https://good.example"}),
    ):
        pass


async def test_engines_can_be_watched_in_a_browser(served: Served) -> None:
    engine = client(served.ipc, stream="stage")
    stop = threading.Event()
    feeder = threading.Thread(target=feed, args=(engine, stop), daemon=True)
    feeder.start()
    try:
        await until(lambda: engine.stats["painted"] > 3)
        listed = await asyncio.to_thread(request_json, f"{served.url}/api/sessions")
        assert [(s["name"], s["kind"], s["viewers"]) for s in listed] == [("stage", "engine", 0)]
        assert (listed[0]["model"], listed[0]["width"], listed[0]["height"]) == ("palette", W, H)
        viewers = [await watch(f"{served.url}/whep/stage") for _ in range(2)]
        await until(lambda: all(len(seen) > 5 for _, seen in viewers))
        for _, seen in viewers:
            middle = seen[-1][H // 2]
            assert np.abs(middle[W // 4] - COLOURS[1].astype(int)).max() < 40
            assert np.abs(middle[3 * W // 4] - COLOURS[3].astype(int)).max() < 40
        listed = await asyncio.to_thread(request_json, f"{served.url}/api/sessions")
        assert listed[0]["viewers"] == 2 and listed[0]["fps"] > 0
        before = engine.stats["painted"]
        for pc, _ in viewers:
            await pc.close()
        await until(lambda: engine.stats["painted"] > before + 10)
    finally:
        stop.set()
        feeder.join()
        engine.close()
    await until(lambda: len(served.peers) == 0)
    with pytest.raises(InputError, match="404"):
        await watch(f"{served.url}/whep/stage")


def test_pictures_are_published(served: Served) -> None:
    with (
        zmq.Context() as context,
        context.socket(zmq.SUB) as looker,
        client(served.ipc) as engine,
    ):
        looker.connect(served.published)
        looker.subscribe(b"game")
        label = stripes(1, 3)
        wait_for(lambda: painted(engine, label=label) and looker.poll(50))
        topic, header, plane = looker.recv_multipart()
        read = parse(header, FROM_SERVER)
        assert topic == b"game" and isinstance(read, Frame) and read.stream == "game"
        rgb = np.frombuffer(plane, np.uint8).reshape(read.planes[0].shape)
        np.testing.assert_array_equal(rgb, COLOURS[label])


def feed(engine: Client, stop: threading.Event) -> None:
    while not stop.wait(0.03):
        engine.send(label=stripes(1, 3))
        engine.receive()


async def watch(url: str) -> tuple[RTCPeerConnection, list[NDArray[np.uint8]]]:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("video", "recvonly")
    seen: list[NDArray[np.uint8]] = []

    async def read(track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                seen.append((await track.recv()).to_ndarray(format="rgb24"))

    pc.on("track", lambda track: readers.append(asyncio.ensure_future(read(track))))
    readers: list[asyncio.Future[None]] = []
    await offer(pc, url)
    return pc, seen


def websocket(
    served: Served, headers: dict[str, str] | None = None, **more: Any
) -> ClientConnection:
    url = served.url.replace("http", "ws") + "/api/engine"
    return connect(url, additional_headers=headers, max_size=None, proxy=None, **more)
