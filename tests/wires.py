"""Planes and messages that are accepted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotolive.stream.wire.header import (
    Frame,
    Part,
    parse,
)
from rotolive.stream.wire.message import decode, describe, encode
from rotolive.stream.wire.planes import DTYPES, Limits, shape_of

W, H = 24, 10


LIMITS = Limits(largest=(64, 32), classes=5)


Arrays = dict[str, NDArray[Any]]


def made(name: str, dtype: str, rng: np.random.Generator, size: tuple[int, int] = (W, H)) -> Any:
    """Return a plane that is accepted."""
    shape = shape_of(name, *size)
    if name == "label":
        return rng.integers(0, LIMITS.classes, shape).astype(DTYPES[dtype])
    if dtype[0] == "u":
        return rng.integers(0, 2 ** int(dtype[1:]), shape).astype(DTYPES[dtype])
    if name == "landmarks":
        return rng.uniform(0, 1, shape).astype(DTYPES[dtype])
    values = rng.normal(0, 20, shape)
    return (np.abs(values) if name == "depth" else values).astype(DTYPES[dtype])


def message(planes: Arrays, encoding: str = "raw", **fields: Any) -> tuple[Frame, list[Part]]:
    width, height = fields.pop("size", (W, H))
    planes = {name: np.asarray(plane) for name, plane in planes.items()}
    about = describe(planes, encoding)
    frame = Frame(seq=7, width=width, height=height, planes=about, captured_ns=-3, **fields)
    return frame, encode(frame, planes)


def there_and_back(planes: Arrays, encoding: str, **fields: Any) -> Arrays:
    frame, parts = message(planes, encoding, **fields)
    read = parse(parts[0])
    assert read == frame
    return decode(frame, parts[1:], LIMITS)
