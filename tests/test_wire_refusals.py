"""The wire between engines and us: every refusal, and any bytes at all."""

import random
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from wires import LIMITS, Arrays, H, W, made, message, there_and_back

from rotolive.model.errors import InputError
from rotolive.stream.wire.encodings import ENCODINGS
from rotolive.stream.wire.errors import Code, WireError
from rotolive.stream.wire.header import (
    MAX_HEADER_BYTES,
    Control,
    Frame,
    Hello,
    Part,
    Plane,
    dump,
    parse,
)
from rotolive.stream.wire.message import decode, join, split
from rotolive.stream.wire.planes import DTYPES, PLANES, Limits, shape_of


@contextmanager
def refuses(code: str, *words: str) -> Iterator[None]:
    with pytest.raises(WireError) as caught:
        yield
    assert caught.value.code == code, caught.value
    for word in words:
        assert word in str(caught.value)


def changed(**fields: Any) -> tuple[Frame, list[Part]]:
    frame, parts = message({"label": made("label", "u8", np.random.default_rng(5))})
    return msgspec.structs.replace(frame, **fields), parts[1:]


def plane(**fields: Any) -> Plane:
    about: Any = {"name": "label", "dtype": "u8", "shape": (H, W), "encoding": "raw"}
    return Plane(**(about | fields))


@pytest.mark.parametrize(
    ("code", "words", "fields"),
    [
        ("size", ("0x10", "1x1 to 64x32"), {"width": 0}),
        ("size", ("24x-1",), {"height": -1}),
        ("size", ("65x10",), {"width": 65}),
        ("size", ("40x40",), {"width": 40, "height": 40}),
        ("size", ("99999999999999999999x10",), {"width": 99999999999999999999}),
        ("planes", ("1 parts came for 0",), {"planes": ()}),
        ("planes", ("1 parts came for 2",), {"planes": (plane(), plane())}),
        ("planes", ("smell", "label, instance, depth"), {"planes": (plane(name="smell"),)}),
        ("dtype", ("label is f64", "u8 or u16"), {"planes": (plane(dtype="f64"),)}),
        ("dtype", ("label is f16",), {"planes": (plane(dtype="f16"),)}),
        ("shape", ("[24, 10]", "[10, 24]"), {"planes": (plane(shape=(W, H)),)}),
        ("shape", (), {"planes": (plane(shape=(H, W, 1)),)}),
        ("shape", (), {"planes": (plane(shape=()),)}),
        ("shape", (), {"planes": (plane(shape=(-H, -W)),)}),
        ("shape", (), {"planes": (plane(shape=(2**62, 2**62)),)}),
        ("encoding", ("'rar'", "raw"), {"planes": (plane(encoding="rar"),)}),
        ("bytes", ("240 bytes", "480"), {"planes": (plane(dtype="u16"),)}),
        ("corrupt", ("zlib",), {"planes": (plane(encoding="zlib"),)}),
    ],
)
def test_frames_that_contradict_themselves(
    code: str, words: tuple[str, ...], fields: dict[str, Any]
) -> None:
    frame, parts = changed(**fields)
    with refuses(code, *words):
        decode(frame, parts, LIMITS)


def test_parts_are_counted_and_named_once() -> None:
    frame, parts = changed()
    for wrong in ([], [*parts, *parts]):
        with refuses("planes"):
            decode(frame, wrong, LIMITS)
    twice = msgspec.structs.replace(frame, planes=(plane(), plane()))
    with refuses("planes", "label, label", "once"):
        decode(twice, [*parts, *parts], LIMITS)


def test_only_encodings_that_were_agreed_on() -> None:
    frame, parts = message({"label": made("label", "u8", np.random.default_rng(6))}, "zlib")
    with refuses("encoding", "zlib", "raw were agreed on"):
        decode(frame, parts[1:], Limits(encodings=("raw",)))


def test_png_carries_whole_numbers_only() -> None:
    pytest.importorskip("cv2")
    deep = np.ones((H, W), np.float16)
    frame, parts = message({"depth": deep}, "png")
    assert frame.planes[0].encoding == "zlib"
    wrong = msgspec.structs.replace(
        frame, planes=(plane(name="depth", dtype="f16", encoding="png"),)
    )
    with refuses("encoding", "png carries u8 and u16"):
        decode(wrong, parts[1:], LIMITS)


@pytest.mark.parametrize("encoding", sorted(set(ENCODINGS) - {"raw"}))
def test_what_unpacks_to_another_size_is_refused(encoding: str) -> None:
    big = np.zeros((32, 64), np.uint8)
    _, parts = message({"label": big}, encoding, size=(64, 32))
    frame, _ = changed(planes=(plane(encoding=encoding),))
    with pytest.raises(WireError) as caught:
        decode(frame, parts[1:], LIMITS)
    assert caught.value.code in ("corrupt", "bytes")
    for cut in (0, 1, 5, len(parts[1]) // 2, len(parts[1]) - 1):
        with pytest.raises(WireError):
            decode(frame, [parts[1][:cut]], LIMITS)


def test_a_bomb_is_not_unpacked() -> None:
    frame, _ = changed(planes=(plane(encoding="zlib"),))
    with refuses("bytes", "(+"):
        decode(frame, [zlib.compress(bytes(1 << 25), 9)], LIMITS)
    small = zlib.compress(bytes(1 << 21), 9)
    assert len(small) < 4096
    tracemalloc.start()
    with refuses("corrupt"):
        decode(frame, [small], LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 1 << 19
    tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_landmarks_that_are_nowhere(dtype: str) -> None:
    def sent(column: int, value: float) -> Arrays:
        array = np.full(shape_of("landmarks", W, H), 0.5, DTYPES[dtype])
        array[7, column] = value
        return there_and_back({"landmarks": array}, "raw")

    wrong = [(0, np.nan), (1, np.inf), (2, -17.0), (3, -0.1), (3, 1.5), (3, np.nan)]
    for column, value in wrong:
        with refuses("value", "landmark 7", "visibility 0 to 1"):
            sent(column, value)
    for column, value in ((0, -3.0), (1, 16.0), (3, 0.0), (3, 1.0)):
        sent(column, value)
    with refuses("shape", "[32, 4]", "[33, 4]"):
        there_and_back({"landmarks": np.zeros((32, 4), DTYPES[dtype])}, "raw")


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_values_that_mean_nothing(dtype: str) -> None:
    def sent(name: str, value: float) -> Arrays:
        array = np.ones(shape_of(name, W, H), DTYPES[dtype])
        array[..., 3, 5] = value
        return there_and_back({name: array}, "raw")

    for value in (np.nan, -np.nan, -1.0, -np.inf, -1e-7):
        with refuses("value", "depth is", "x 5, y 3", "0 or more"):
            sent("depth", value)
    for value in (0.0, -0.0, np.inf, 6e4):
        sent("depth", value)
    for value in (np.nan, -np.nan, np.inf, -np.inf):
        with refuses("value", "motion is", "x 5, y 3", "finite"):
            sent("motion", value)
    for value in (0.0, -0.0, 6e4, -6e4, 1e-7):
        sent("motion", value)


@pytest.mark.parametrize("dtype", ["u8", "u16"])
def test_ids_beyond_the_classes(dtype: str) -> None:
    label = np.zeros((H, W), DTYPES[dtype])
    label[4, 9] = 5
    with refuses("value", "label is 5 at x 9, y 4", "0 to 4"):
        there_and_back({"label": label}, "raw")
    frame, parts = changed()
    with refuses("value", "named no classes"):
        decode(frame, parts, Limits(classes=0))


@pytest.mark.parametrize(
    ("code", "words", "text"),
    [
        ("header", (), b""),
        ("header", (), b"{"),
        ("header", (), b"\xff\xfe"),
        ("header", (), b"[" * 50_000),
        ("header", (), b'"frame"'),
        ("header", ("missing required field `v`",), b'{"kind":"bye"}'),
        ("header", ("kind",), b'{"v":1}'),
        ("header", ("Expected `int`, got `str`", "width"), b'{"v":1,"kind":"hello","width":"4"}'),
        ("header", ("seq",), b'{"v":1,"kind":"frame","seq":-1}'),
        ("header", ("seq",), b'{"v":1,"kind":"frame","seq":1e40}'),
        ("header", ("65537 bytes", "65536"), b" " * (MAX_HEADER_BYTES + 1)),
        ("kind", ("'welcome'", "hello, frame, control, bye"), b'{"v":1,"kind":"welcome"}'),
        ("kind", ("'x'",), b'{"v":1,"kind":"x"}'),
        ("version", ("v is 2", "1 is spoken"), b'{"v":2,"kind":"frame","new":[]}'),
        ("version", ("2 to 3",), b'{"v":3,"v_min":2,"v_max":3,"kind":"hello"}'),
        ("version", ("v is 0",), b'{"v":0,"kind":"bye","v_min":0,"v_max":9}'),
        ("header", ("type",), b'{"v":1,"kind":"control","type":"explode"}'),
    ],
)
def test_headers_that_cannot_be_read(code: str, words: tuple[str, ...], text: bytes) -> None:
    with refuses(code, *words):
        parse(text)


def test_parts_in_one_piece() -> None:
    parts: list[Part] = [b"header", b"", bytes(range(256)), memoryview(b"abc")]
    data = join(parts)
    assert data[:4] == struct.pack("<I", 6)
    assert [bytes(part) for part in split(data)] == [bytes(part) for part in parts]
    for cut in range(1, len(data)):
        if cut not in (10, 14, 274):
            with refuses("bytes", "fill the message exactly"):
                split(data[:cut])
    with refuses("bytes", "4294967295 bytes"):
        split(b"\xff\xff\xff\xff" + data)
    with refuses("bytes"):
        split(join([b""] * (len(PLANES) + 2)))
    with refuses("header", "empty"):
        split(b"")


def test_any_bytes_are_refused_with_a_sentence() -> None:
    """Noise, and good messages with bytes changed, parts lost and lengths broken."""
    rng, np_rng = random.Random(7), np.random.default_rng(7)
    planes = {name: made(name, dtypes[0], np_rng) for name, dtypes in PLANES.items()}
    good = [message(planes, encoding)[1] for encoding in sorted(ENCODINGS)]
    good.append([dump(Hello(stream="game", width=W, height=H, classes=("a",)))])
    good.append([dump(Control(type="edits", classes={"a": "b"}))])
    taken = 0
    for _ in range(6000):
        parts = [bytes(part) for part in rng.choice(good)]
        for _ in range(rng.choice((0, 1, 3))):
            i = rng.randrange(len(parts))
            parts[i] = mutated(parts[i], rng)
        if rng.random() < 0.1:
            parts = [rng.randbytes(rng.randrange(200)) for _ in range(rng.randrange(1, 4))]
        try:
            received = split(join(parts))
            read = parse(received[0])
            if isinstance(read, Frame):
                decode(read, received[1:], LIMITS)
            taken += 1
        except WireError as error:
            assert error.code in get_args(Code) and len(str(error)) < 600 and str(error)
    assert 1000 < taken < 5000


def mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(4):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + rng.randrange(1, 9)]
            case 2:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
            case _:
                changed[at : at + 1] = rng.choice((b"0", b"9", b'"', b"}", b"-", b"e9", b"null"))
    return bytes(changed)


def test_a_refusal_is_an_input_error() -> None:
    assert issubclass(WireError, InputError)
