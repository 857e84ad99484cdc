"""Whole messages: header and planes, to parts and back; parts in one piece for WebSocket."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encodings import ENCODINGS
from .errors import WireError
from .header import Frame, Part, Plane, dump
from .planes import PLANES, PNG_DTYPES, Limits, check_frame, check_plane, decode_plane, dtype_name

LENGTH = struct.Struct("<I")
MAX_PARTS = 1 + len(PLANES)
Arrays = Mapping[str, NDArray[Any]]


def describe(planes: Arrays, encoding: str = "raw") -> tuple[Plane, ...]:
    """Return what a header says of planes; png is for integers, others go as zlib beside it."""
    found = []
    for name, array in planes.items():
        dtype = dtype_name(array)
        fits = encoding != "png" or dtype in PNG_DTYPES
        chosen = encoding if fits else "zlib"
        found.append(Plane(name=name, dtype=dtype, shape=array.shape, encoding=chosen))
    return tuple(found)


def check_planes(planes: Arrays, size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of planes that belong together, `size` of landmarks alone.

    Raises WireError.
    """
    unknown = set(planes) - set(PLANES)
    if unknown or not planes:
        came = ", ".join(planes) or "none"
        raise WireError("planes", f"planes are {came}; each of {', '.join(PLANES)} may come once")
    width, height = size
    for name in [name for name in planes if name != "landmarks"][:1]:
        shape, skip = planes[name].shape, 1 if name == "motion" else 0
        if len(shape) < skip + 2:
            raise WireError("shape", f"the shape of {name} is {list(shape)}")
        height, width = shape[skip : skip + 2]
    for plane in describe(planes):
        check_plane(plane, width, height, ("raw",))
    return width, height


def encode(frame: Frame, planes: Arrays) -> list[Part]:
    """Write a frame whose header describes these planes; raw ones are not copied."""
    arrays = planes.values()
    encoded = (
        ENCODINGS[plane.encoding].encode(np.ascontiguousarray(array))
        for plane, array in zip(frame.planes, arrays, strict=True)
    )
    return [dump(frame), *encoded]


def decode(frame: Frame, parts: Sequence[Part], limits: Limits) -> dict[str, NDArray[Any]]:
    """Read the planes of a frame; raw ones are views of the parts. Raises WireError.

    Nothing is unpacked before all that the header says has been checked.
    """
    check_frame(frame, parts, limits)
    return {
        plane.name: decode_plane(plane, part, limits)
        for plane, part in zip(frame.planes, parts, strict=True)
    }


def join(parts: Sequence[Part]) -> bytes:
    """Write parts as one piece, each behind its length (u32, little endian)."""
    return b"".join(piece for part in parts for piece in (LENGTH.pack(len(part)), part))


def split(data: Part) -> list[memoryview]:
    """Read parts from one piece, as views of it. Raises WireError."""
    rest, parts = memoryview(data), []
    while rest:
        size = LENGTH.unpack(rest[: LENGTH.size])[0] if len(rest) >= LENGTH.size else -1
        if not 0 <= size <= len(rest) - LENGTH.size or len(parts) == MAX_PARTS:
            came = f"part {len(parts)} says {size} bytes of {len(rest)} that are left"
            raise WireError("bytes", f"{came}; at most {MAX_PARTS} parts fill the message exactly")
        parts.append(rest[LENGTH.size : LENGTH.size + size])
        rest = rest[LENGTH.size + size :]
    if not parts:
        raise WireError("header", "an empty message came; a header is the least")
    return parts
