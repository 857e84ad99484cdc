"""The wire between engines and us: every plane there and back, and its documentation."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from wires import LIMITS, H, W, made, message, there_and_back

from rotolive.stream.wire import header as headers
from rotolive.stream.wire.encodings import ENCODINGS
from rotolive.stream.wire.errors import Code
from rotolive.stream.wire.header import (
    FROM_SERVER,
    Bye,
    Control,
    Error,
    Frame,
    Hello,
    Part,
    Welcome,
    dump,
    parse,
)
from rotolive.stream.wire.message import check_planes, decode, describe, encode, join, split
from rotolive.stream.wire.planes import PLANES, most_bytes


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@pytest.mark.parametrize("name", PLANES)
def test_every_plane_comes_back_as_it_went(name: str, encoding: str) -> None:
    rng = np.random.default_rng(1)
    for dtype in PLANES[name]:
        for size in ((W, H), (1, 1), (3, 5), (64, 32)):
            plane = made(name, dtype, rng, size)
            back = there_and_back({name: plane}, encoding, size=size)[name]
            assert back.dtype == plane.dtype and back.shape == plane.shape
            assert back.tobytes() == plane.tobytes() and back.flags.aligned


def test_any_set_of_planes_travels_together() -> None:
    rng, choose = np.random.default_rng(2), random.Random(2)
    for _ in range(200):
        names = choose.sample(sorted(PLANES), choose.randint(1, len(PLANES)))
        planes = {name: made(name, choose.choice(PLANES[name]), rng) for name in names}
        encoding = choose.choice(sorted(ENCODINGS))
        back = there_and_back(planes, encoding, reset=choose.random() < 0.5)
        assert list(back) == names
        for name, plane in planes.items():
            np.testing.assert_array_equal(back[name], plane)
        assert check_planes(planes, (W, H)) == (W, H)


def test_raw_planes_are_not_copied() -> None:
    label = made("label", "u8", np.random.default_rng(3))
    _, parts = message({"label": label})
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), label)
    assert np.shares_memory(there_and_back({"label": label}, "raw")["label"], label)


def test_planes_without_order_are_sent_in_order() -> None:
    label = made("label", "u8", np.random.default_rng(4))
    frame, parts = message({"label": label[::-1, ::-1]})
    np.testing.assert_array_equal(decode(frame, parts[1:], LIMITS)["label"], label[::-1, ::-1])


@pytest.mark.parametrize(
    "header",
    [
        Hello(
            stream="game", width=4, height=2, classes=("a", "ü"), mapping={"a": "road"}, token="x"
        ),
        Welcome(
            stream="game",
            key="k",
            model="palette",
            width=4,
            height=2,
            condition="labels",
            styles=("day",),
            classes=("road",),
            mapping={"a": "road"},
            encodings=("raw", "zlib"),
            credit=2,
            silence_s=4.0,
        ),
        Control(type="edits", id=3, classes={"a": "b"}, instances={4_000_000_000: "b"}),
        Control(type="ok", id=3, stats={"fps": 1.5, "stages": {"step": {"p50": 1}}}),
        Error(code="seq", error="no", seq=2**63 - 1),
        Bye(),
    ],
)
def test_headers_come_back_as_they_went(header: headers.Header) -> None:
    assert parse(dump(header), ("hello", "control", *FROM_SERVER)) == header
    assert json.loads(dump(header))["v"] == 1


def test_fields_that_are_not_known_are_left_alone() -> None:
    text = b'{"v":1,"kind":"bye","mood":"good","planes":[1,2,{"x":null}]}'
    assert parse(text) == Bye()


def test_a_newer_client_that_speaks_our_version_is_let_in() -> None:
    hello = Hello(v=3, v_min=1, v_max=3, stream="s", width=1, height=1)
    assert parse(dump(hello)) == hello


def test_everything_at_once_is_the_largest_message() -> None:
    rng = np.random.default_rng(8)
    planes = {name: made(name, dtypes[-1], rng, (64, 32)) for name, dtypes in PLANES.items()}
    _, parts = message(planes, size=(64, 32))
    assert len(join(parts)) < most_bytes((64, 32)) < len(join(parts)) + 100_000


def test_an_engine_needs_no_torch() -> None:
    heavy = {"torch", "mediapipe", "aiortc", "fastapi", "websockets"}
    script = f"import sys, rotolive.nodes.client; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


def example_frame() -> list[Part]:
    label = np.array([[0, 0, 2, 2], [1, 1, 1, 1]], np.uint8)
    motion = np.zeros((2, 2, 4), np.float16)
    motion[0] = -1
    planes = {"label": label, "motion": motion}
    about = Frame(
        seq=1, width=4, height=2, planes=describe(planes), captured_ns=123456789, reset=True
    )
    return encode(about, planes)


def example_landmarks() -> list[Part]:
    planes = {"landmarks": np.tile(np.array([0.5, 0.25, 0, 1], np.float16), (33, 1))}
    about = Frame(seq=2, width=4, height=2, planes=describe(planes))
    return encode(about, planes)


def example_picture() -> list[Part]:
    planes = {"color": np.arange(24, dtype=np.uint8).reshape(2, 4, 3)}
    about = Frame(
        stream="game",
        seq=1,
        width=4,
        height=2,
        planes=describe(planes),
        captured_ns=123456789,
        server_ms=2.5,
    )
    return encode(about, planes)


EXAMPLES: dict[str, list[Part]] = {
    "hello": [dump(Hello(stream="game", width=4, height=2, classes=("void", "road", "car")))],
    "welcome": [
        dump(
            Welcome(
                stream="game",
                key="Rf2bWzXk_5tqYy0d",
                model="palette",
                width=4,
                height=2,
                condition="labels",
                styles=("by class",),
                classes=("unlabeled", "road", "building", "car"),
                mapping={"void": "unlabeled", "road": "road", "car": "car"},
                planes=("label", "instance", "depth", "motion"),
                encodings=("raw", "zlib"),
                credit=2,
                silence_s=4.0,
            )
        )
    ],
    "frame": example_frame(),
    "landmarks": example_landmarks(),
    "painted": example_picture(),
    "edits": [
        dump(Control(type="edits", id=1, classes={"car": "building"}, instances={7: "building"}))
    ],
    "ok": [dump(Control(type="ok", id=1))],
    "error": [dump(Error(code="seq", error="seq is 1 after 1; it has to grow", seq=1))],
    "bye": [dump(Bye())],
}


def test_the_examples_of_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "wire.md").read_text()
    found = re.findall(r"```json\n(.*?)\n```\n\n```hex (\w+)\n(.*?)\n```", text, re.S)
    assert [name for _, name, _ in found] == list(EXAMPLES)
    for header, name, data in found:
        written = bytes.fromhex(data)
        assert written == join(EXAMPLES[name])
        read = split(written)
        assert bytes(read[0]).decode() == header
        parsed = parse(read[0], (*FROM_SERVER, "hello"))
        if isinstance(parsed, Frame):
            decode(parsed, read[1:], LIMITS)


def test_every_code_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "wire.md").read_text()
    errors = text[text.index("## Errors") : text.index("## Who is let in")]
    assert set(re.findall(r"`(\w+)`", errors)) >= set(get_args(Code))
