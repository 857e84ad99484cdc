"""Engines at the door: real sockets, real servers, palette pictures whose colours are known."""

import asyncio
import contextlib
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.auth
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray
from serving import serving, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.palette import palette
from rotolive.model.errors import InputError
from rotolive.model.live import PaletteModel, Picture
from rotolive.nodes.client import Client, Curve, Painted
from rotolive.stream.bench import free_port
from rotolive.stream.engine import EngineSettings
from rotolive.stream.webrtc.client import offer, request_json
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.peers import Peers
from rotolive.stream.webrtc.settings import Settings
from rotolive.stream.wire.errors import WireError
from rotolive.stream.wire.header import (
    FROM_SERVER,
    SILENCE_S,
    Control,
    Error,
    Frame,
    Header,
    Hello,
    Part,
    Welcome,
    dump,
    parse,
)
from rotolive.stream.wire.message import describe, encode, join, split
from rotolive.stream.zeromq import is_local
from rotolive.web.access import Access
from rotolive.web.app import create_app
from rotolive.web.serve import most_bytes

W, H = 128, 64
CLASSES = ("void", "road", "building", "car")
COLOURS = palette(STREET)[[STREET.index(name) for name in ("unlabeled", *CLASSES[1:])]]
TOKEN = "open-sesame"


class SlowPalette(PaletteModel):
    """Takes its time, as long as `delay` says."""

    delay = 0.0
    resets = 0
    styles_seen: set[int]

    def __init__(self, slots: int) -> None:
        super().__init__(slots, W, H)
        self.styles, self.styles_seen = ("day", "night"), set()

    def step(self, requests: Any) -> list[Picture]:
        time.sleep(self.delay)
        self.styles_seen |= {int(np.argmax(request.style)) for request in requests}
        return super().step(requests)

    def reset(self, slot: int) -> None:
        self.resets += 1


@dataclass(frozen=True)
class Served:
    url: str
    tcp: str
    ipc: str
    published: str
    peers: Peers
    model: SlowPalette


@contextlib.contextmanager
def served_at(folder: Path, access: Access | None = None, **more: Any) -> Iterator[Served]:
    tcp, ipc = f"tcp://127.0.0.1:{free_port()}", f"ipc://{folder}/engine"
    published = f"ipc://{folder}/published"
    model = SlowPalette(2)
    settings = EngineSettings(addresses=(tcp, ipc), publish=published, **more)
    app = create_app(model, Settings(largest=(640, 480)), access or Access(), settings)
    options = {"ws": "websockets-sansio", "ws_max_size": most_bytes((640, 480))}
    with serving(app, **options, ws_per_message_deflate=False) as port:
        yield Served(f"http://127.0.0.1:{port}", tcp, ipc, published, app.state.peers, model)


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


def wait_for(condition: Callable[[], Any], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def stripes(*ids: int) -> NDArray[np.uint8]:
    """Return labels [H, W] in as many upright stripes of the same width."""
    return np.repeat(np.array(ids, np.uint8), W // len(ids))[None].repeat(H, 0)


def client(address: str, classes: Any = CLASSES, **options: Any) -> Client:
    return Client(address, classes, size=(W, H), **options)


def painted(client: Client, timeout: float = 5.0, **planes: Any) -> Painted:
    """Send a frame until it comes back."""
    client.wait(timeout)
    client.send(**planes)
    return arrived(client, lambda picture: picture.seq == client._seq, timeout)


def arrived(client: Client, wanted: Callable[[Painted], bool], timeout: float = 5.0) -> Painted:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        picture = client.receive(0.2)
        if picture and wanted(picture):
            return picture
    raise AssertionError(f"no such picture came; {client.stats} {client.error}")


@pytest.mark.parametrize("carrier", ["tcp", "ipc"])
@pytest.mark.parametrize("encoding", ["raw", "zlib", "png"])
def test_labels_come_back_in_their_colours(served: Served, carrier: str, encoding: str) -> None:
    address = getattr(served, carrier)
    with client(address, encodings=(encoding,), painted=encoding) as engine:
        for ids in ((0, 1, 2, 3), (3, 3, 2, 1)):
            label = stripes(*ids)
            picture = painted(
                engine,
                label=label,
                instance=label.astype(np.uint16),
                depth=np.full((H, W), np.inf, np.float16),
                motion=np.zeros((2, H, W), np.float32),
                captured_ns=-5,
            )
            np.testing.assert_array_equal(picture.rgb, COLOURS[label])
            assert picture.captured_ns == -5 and picture.round_trip_ms >= picture.server_ms >= 0
        assert engine.error is None


def test_the_welcome_says_what_there_is(served: Served) -> None:
    names = ("Void", "ROAD", "brickwork", "trees", "X")
    with client(served.ipc, names, mapping={"x": "car"}, stream="hall") as engine:
        welcome = engine.wait()
        assert (welcome.model, welcome.stream) == ("palette", "hall")
        assert (welcome.width, welcome.height, welcome.credit) == (W, H, 2)
        assert welcome.classes == STREET and welcome.styles == ("day", "night")
        assert list(welcome.mapping.items()) == [
            ("Void", "unlabeled"),
            ("ROAD", "road"),
            ("brickwork", "building:brick"),
            ("trees", "vegetation"),
            ("X", "car"),
        ]
        label = np.full((H, W), 2, np.uint16)
        rgb = painted(engine, label=label).rgb
        assert (rgb == palette(STREET)[STREET.index("building:brick")]).all()


@pytest.mark.parametrize(
    ("code", "words", "options"),
    [
        (
            "classes",
            ("'blorb'", "'gleeb'", "traffic light"),
            {"classes": ("blorb", "car", "gleeb")},
        ),
        ("classes", ("0 classes",), {"classes": ()}),
        ("model", ("'dancer'", "'palette'"), {"model": "dancer"}),
        ("style", ("style 7", "0 day, 1 night"), {"style": 7}),
        ("stream", ("'a b'",), {"stream": "a b"}),
        ("size", ("0x64", "640x480"), {"size": (0, H)}),
        ("size", ("4000x64",), {"size": (4000, H)}),
    ],
)
def test_refusals_of_a_hello(
    served: Served, code: str, words: tuple[str, ...], options: dict[str, Any]
) -> None:
    options = {"classes": CLASSES, "size": (W, H), **options}
    with Client(served.tcp, options.pop("classes"), **options) as engine:
        with pytest.raises(WireError) as caught:
            engine.wait()
        assert caught.value.code == code and engine.error is caught.value
        for word in words:
            assert word in str(caught.value)
    assert len(served.peers) == 0


def test_a_bad_frame_is_refused_and_the_next_one_painted(served: Served) -> None:
    with client(served.ipc) as engine:
        painted(engine, label=stripes(0, 1))
        bad = {
            "value": {"label": stripes(0, 4)},
            "size": {"label": np.zeros((700, 700), np.uint8)},
            "paint": {"depth": np.ones((H, W), np.float32)},
        }
        for code, planes in bad.items():
            engine.send(**planes)
            wait_for(lambda code=code: engine.error and engine.error.code == code)
            label = stripes(2, 1)
            np.testing.assert_array_equal(painted(engine, label=label).rgb, COLOURS[label])
        with pytest.raises(WireError, match="u8 or u16"):
            engine.send(label=np.zeros((H, W), np.float32))
        with pytest.raises(WireError, match="shape of motion"):
            engine.send(label=stripes(0), motion=np.zeros((H, W, 2), np.float16))


def test_edits_reach_the_picture(served: Served) -> None:
    label, instance = stripes(1, 2, 2, 3), stripes(1, 2, 3, 4).astype(np.uint32)
    colour = {name: palette(STREET)[i] for i, name in enumerate(STREET)}
    with client(served.ipc) as engine:
        painted(engine, label=label)
        engine.edit(classes={"building": "vegetation"}, instances={3: "sky"})
        rgb = painted(engine, label=label, instance=instance).rgb
        names = ("road", "vegetation", "sky", "car")
        np.testing.assert_array_equal(rgb[0, :: W // 4], [colour[name] for name in names])
        engine.edit(classes={"castle": "sky"})
        wait_for(lambda: engine.error and engine.error.code == "classes")
        assert "no class 'castle'" in str(engine.error)
        engine.edit()
        np.testing.assert_array_equal(painted(engine, label=label).rgb, COLOURS[label])


def test_style_and_reset_reach_the_model(served: Served) -> None:
    with client(served.ipc) as engine:
        painted(engine, label=stripes(1, 2))
        served.model.styles_seen.clear()
        engine.style("night")
        painted(engine, label=stripes(1, 2))
        painted(engine, label=stripes(1, 2))
        assert 1 in served.model.styles_seen
        before = served.model.resets
        engine.reset()
        painted(engine, label=stripes(1, 2))
        assert served.model.resets == before + 1
        painted(engine, label=stripes(1, 2), reset=True)
        assert served.model.resets == before + 2
        engine.style(2)
        wait_for(lambda: engine.error and engine.error.code == "style")
        with pytest.raises(WireError, match="'dusk'; there is day, night"):
            engine.style("dusk")


def test_overload_skips_and_stays_fresh(served: Served) -> None:
    """Frames come three times as fast as they are painted; a cut among them is not lost."""
    served.model.delay = 0.03
    with client(served.ipc) as engine:
        painted(engine, label=stripes(1))
        resets, ages, seqs = served.model.resets, [], []
        for number in range(200):
            engine.send(label=stripes(1, 2), reset=number == 50)
            picture = engine.receive(0.01)
            if picture:
                ages.append(picture.round_trip_ms)
                seqs.append(picture.seq)
        assert served.model.resets == resets + 1
        assert seqs == sorted(set(seqs)) and len(seqs) < 90
        assert engine.stats["overwritten"] > 50 and engine.stats["lost"] == 0
        quarter = len(ages) // 4
        assert np.median(ages[-quarter:]) < np.median(ages[:quarter]) + 30
        assert np.percentile(ages, 95) < 150


def test_a_sender_without_manners_gets_the_newest(served: Served) -> None:
    """It sends what it likes, whatever its credit."""
    served.model.delay = 0.02
    with bare(served.ipc) as link:
        say(link, hello())
        assert isinstance(hear(link)[0], Welcome)
        for seq in range(1, 101):
            send_frame(link, seq, stripes(1))
            time.sleep(0.002)
        seqs, skipped = [], 0
        while not seqs or seqs[-1] < 100:
            header, _ = hear(link)
            assert isinstance(header, Frame)
            seqs.append(header.seq)
            skipped = header.skipped
        assert len(seqs) < 40 and skipped + len(seqs) == 100
        send_frame(link, 100, stripes(1))
        header, _ = hear(link)
        assert isinstance(header, Error) and header.code == "seq" and header.seq == 100
        say(link, b'{"v":1,"kind":"bye"}')


def test_a_reader_that_stops_holds_up_nobody(served: Served) -> None:
    with bare(served.ipc) as deaf, client(served.ipc, stream="other") as engine:
        deaf.rcvhwm = 1
        say(deaf, hello())
        hear(deaf)
        engine.wait()
        large = np.zeros((480, 640), np.uint8)
        for seq in range(1, 400):
            send_frame(deaf, seq, large)
            if seq % 40 == 0:
                assert painted(engine, label=stripes(1)).round_trip_ms < 1000
        say(deaf, b'{"v":1,"kind":"bye"}')


def test_two_clients_cannot_have_one_name(served: Served) -> None:
    with client(served.tcp, stream="one") as first, client(served.ipc, stream="two") as other:
        first.wait()
        other.wait()
        with client(served.ipc, stream="one") as second:
            with pytest.raises(WireError, match="'one' is in use") as caught:
                second.wait()
            assert caught.value.code == "name_taken"
        with client(served.ipc, stream="three") as third:
            with pytest.raises(WireError, match="too many sessions: palette serves 2") as caught:
                third.wait()
            assert caught.value.code == "full"
            first.close()
            wait_for(lambda: third.welcome)


def test_who_vanishes_gives_up_session_and_name(served: Served) -> None:
    with bare(served.ipc) as link:
        say(link, hello())
        hear(link)
        assert len(served.peers) == 1
    start = time.monotonic()
    wait_for(lambda: len(served.peers) == 0, 5.0)
    assert time.monotonic() - start > 2.0


def test_a_silent_client_stays_by_its_heartbeat(served: Served) -> None:
    with client(served.ipc) as engine:
        engine.wait()
        time.sleep(SILENCE_S + 1)
        assert len(served.peers) == 1
        painted(engine, label=stripes(1))
        assert engine.stats["sent"] == 1


def test_controls_are_answered_by_id(served: Served) -> None:
    with bare(served.ipc) as link:
        say(link, dump(Control(type="ping", id=1)))
        refusal, _ = hear(link)
        assert isinstance(refusal, Error) and (refusal.code, refusal.id) == ("no_session", 1)
        assert "say hello" in refusal.error
        say(link, hello())
        hear(link)
        for id, wish in enumerate((Control(type="ping"), Control(type="style", index=1)), 5):
            say(link, dump(Control(type=wish.type, index=wish.index, id=id)))
            assert hear(link)[0] == Control(type="ok", id=id)
        say(link, dump(Control(type="stats", id=9)))
        answer, _ = hear(link)
        assert isinstance(answer, Control) and answer.stats and answer.stats["skipped"] == 0
        say(link, dump(Control(type="style", id=10)))
        assert (error := hear(link)[0]) and isinstance(error, Error) and error.code == "style"
        say(link, dump(Control(type="ok", id=11)))
        assert (error := hear(link)[0]) and isinstance(error, Error) and error.code == "control"
        say(link, b'{"v":1,"kind":"bye"}')


def test_noise_is_answered_and_does_no_harm(served: Served) -> None:
    rng = random.Random(1)
    good = [bytes(part) for part in frame(1, stripes(1))]
    with client(served.tcp) as engine, bare(served.tcp) as link:
        painted(engine, label=stripes(1))
        for number in range(600):
            parts = [rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(1, 5))]
            if number % 2:
                parts = [bytearray(part) for part in good]
                part = rng.choice(parts)
                part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
            link.send_multipart(parts)
            header, _ = hear(link)
            assert isinstance(header, Error) and header.error
        with socket_to(served.tcp) as raw:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    raw.send(rng.randbytes(500))
        painted(engine, label=stripes(2))
    assert len(served.peers) <= 1


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


def test_a_server_that_restarts_is_found_again(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/engine"
    with client(address) as engine:
        with pytest.raises(WireError, match="no server answered"):
            engine.wait(0.3)
        for label in (stripes(1, 2), stripes(3, 2)):
            with process(address):
                np.testing.assert_array_equal(
                    painted(engine, 30.0, label=label).rgb, COLOURS[label]
                )
            for _ in range(5):
                engine.send(label=label)
                time.sleep(0.02)
        assert engine.error is None


@contextlib.contextmanager
def process(address: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ["--model", "palette", "--size", f"{W}x{H}", "--engine", address]
    server = subprocess.Popen(
        [sys.executable, "-m", "rotolive.web.serve", *command], stdout=subprocess.PIPE
    )
    try:
        assert server.stdout and server.stdout.readline().startswith(b"ready")
        yield server
    finally:
        server.terminate()
        server.wait(10)


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


def test_an_address_in_use_is_refused(served: Served) -> None:
    for address in (served.tcp, served.ipc):
        with pytest.raises(InputError, match="in use"):  # not taken away from who has it
            create_app(SlowPalette(1), engines=EngineSettings(addresses=(address,)))
    with client(served.ipc) as engine:
        painted(engine, label=stripes(1))


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
        assert listed[0]["viewers"] == 2 and listed[0]["fps"] > 5
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


@contextlib.contextmanager
def bare(address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger, link.rcvtimeo, link.sndtimeo = 100, 5000, 5000
        link.connect(address)
        yield link


def socket_to(address: str) -> socket.socket:
    host, port = address.removeprefix("tcp://").split(":")
    return socket.create_connection((host, int(port)), 2)


def websocket(served: Served, headers: dict[str, str] | None = None) -> ClientConnection:
    url = served.url.replace("http", "ws") + "/api/engine"
    return connect(url, additional_headers=headers, max_size=None, proxy=None)


def hello(**fields: Any) -> bytes:
    about: Any = {"stream": "game", "width": W, "height": H, "classes": CLASSES}
    return dump(Hello(**(about | fields)))


def frame(seq: int, label: NDArray[np.uint8]) -> list[Part]:
    height, width = label.shape
    planes = {"label": label}
    return encode(Frame(seq=seq, width=width, height=height, planes=describe(planes)), planes)


def send_frame(link: zmq.Socket[bytes], seq: int, label: NDArray[np.uint8]) -> None:
    link.send_multipart(frame(seq, label))


def say(link: zmq.Socket[bytes], header: bytes) -> None:
    link.send_multipart([header])


def hear(link: zmq.Socket[bytes]) -> tuple[Header, list[bytes]]:
    header, *parts = link.recv_multipart()
    return parse(header, FROM_SERVER), parts
