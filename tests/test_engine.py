"""Engines at the door, over ZeroMQ and WebSocket: real sockets, real servers, known colours."""

import contextlib
import random
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.auth
from engines import (
    CLASSES,
    COLOURS,
    H,
    Served,
    SlowPalette,
    W,
    bare,
    client,
    frame,
    hear,
    hello,
    painted,
    process,
    say,
    served_at,
    stripes,
    wait_for,
)
from numpy.typing import NDArray

from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.palette import palette
from rotolive.model.errors import InputError
from rotolive.nodes.client import Client
from rotolive.stream.bench import free_port
from rotolive.stream.engine import EngineSettings, parse_mapping
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.wire.errors import WireError
from rotolive.stream.wire.header import (
    SILENCE_S,
    Control,
    Error,
    Frame,
    Welcome,
    dump,
)
from rotolive.web.app import create_app


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


@pytest.fixture(params=["ipc", "ws"])
def address(served: Served, request: pytest.FixtureRequest) -> str:
    return getattr(served, request.param)


@pytest.mark.parametrize("carrier", ["tcp", "ipc", "ws"])
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
@pytest.mark.parametrize("carrier", ["tcp", "ws"])
def test_refusals_of_a_hello(
    served: Served, carrier: str, code: str, words: tuple[str, ...], options: dict[str, Any]
) -> None:
    options = {"classes": CLASSES, "size": (W, H), **options}
    address = getattr(served, carrier)
    with Client(address, options.pop("classes"), **options) as engine:
        with pytest.raises(WireError) as caught:
            engine.wait()
        assert caught.value.code == code and engine.error is caught.value
        for word in words:
            assert word in str(caught.value)
    assert len(served.peers) == 0


def test_a_bad_frame_is_refused_and_the_next_one_painted(address: str) -> None:
    with client(address) as engine:
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


def test_edits_reach_the_picture(address: str) -> None:
    label, instance = stripes(1, 2, 2, 3), stripes(1, 2, 3, 4).astype(np.uint32)
    colour = {name: palette(STREET)[i] for i, name in enumerate(STREET)}
    with client(address) as engine:
        painted(engine, label=label)
        engine.edit(classes={"building": "vegetation"}, instances={3: "sky"})
        rgb = painted(engine, label=label, instance=instance).rgb
        names = ("road", "vegetation", "sky", "car")
        np.testing.assert_array_equal(rgb[0, :: W // 4], [colour[name] for name in names])
        engine.edit(classes={"building": "building:*7"})
        rgb = painted(engine, label=label, instance=instance).rgb
        surfaces = np.array([*map(colour.get, ("building", "building:brick", "building:glass"))])
        assert all((surfaces == rgb[0, x]).all(1).any() for x in (W // 4, W // 2))
        engine.edit(erased=["building", "road"])
        erased = painted(engine, label=label).rgb
        assert not {tuple(COLOURS[1]), tuple(COLOURS[2])} & set(map(tuple, erased[0].tolist()))
        engine.edit(classes={"castle": "sky"})
        wait_for(lambda: engine.error and engine.error.code == "classes")
        assert "no class 'castle'" in str(engine.error)
        engine.edit()
        np.testing.assert_array_equal(painted(engine, label=label).rgb, COLOURS[label])


def test_style_and_reset_reach_the_model(served: Served, address: str) -> None:
    with client(address) as engine:
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


def test_overload_skips_and_stays_fresh(served: Served, address: str) -> None:
    """Frames come three times as fast as they are painted; a cut among them is not lost."""
    served.model.delay = 0.03
    with client(address) as engine:
        painted(engine, label=stripes(1))
        resets, behind, seqs = served.model.resets, [], []
        for number in range(200):
            engine.send(label=stripes(1, 2), reset=number == 50)
            picture = engine.receive(0.01)
            if picture:
                behind.append(number + 2 - picture.seq)
                seqs.append(picture.seq)
        assert served.model.resets == resets + 1
        assert seqs == sorted(set(seqs)) and len(seqs) < 100
        assert engine.stats["overwritten"] > 50
        assert np.median(behind[-len(behind) // 4 :]) < 20


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
                painted(engine, label=stripes(1))
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


def test_a_silent_client_stays_by_its_heartbeat(served: Served, address: str) -> None:
    with client(address) as engine:
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


def test_the_command_lets_engines_in(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/engine"
    options = ["--port", str(free_port()), "--map", "blorb=car", "--map", "gleeb=sky"]
    command = ["-m", "rotolive", "serve", "--model", "palette", "--engine", address, *options]
    with (
        process([sys.executable, *command]),
        Client(address, ("gleeb", "blorb")) as engine,
    ):
        label = np.zeros((256, 512), np.uint8)
        label[128:] = 1
        rgb = painted(engine, 30.0, label=label).rgb
        for row, name in ((0, "sky"), (255, "car")):
            assert (rgb[row] == palette(STREET)[STREET.index(name)]).all()
    for wrong in ("car", "=car", "ute="):
        with pytest.raises(InputError, match="ute=car"):
            parse_mapping([wrong])


def test_an_address_in_use_is_refused(served: Served) -> None:
    for address in (served.tcp, served.ipc):
        with pytest.raises(InputError, match="in use"):  # not taken away from who has it
            create_app(SlowPalette(1), engines=EngineSettings(addresses=(address,)))
    with client(served.ipc) as engine:
        painted(engine, label=stripes(1))


def socket_to(address: str) -> socket.socket:
    host, port = address.removeprefix("tcp://").split(":")
    return socket.create_connection((host, int(port)), 2)


def send_frame(link: zmq.Socket[bytes], seq: int, label: NDArray[np.uint8]) -> None:
    link.send_multipart(frame(seq, label))
