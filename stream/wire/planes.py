"""Planes: which there are, what they may look like, and whether what came is that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encodings import ENCODINGS, decode_part
from .errors import WireError
from .header import MAX_HEADER_BYTES, Frame, Part, Plane

LARGEST = (3840, 2160)
"""Width and height, either way round, of any plane."""
MAX_PART_BYTES = LARGEST[0] * LARGEST[1] * 8
SLACK_BYTES = 4096
"""That encoded data may be larger than raw."""
DTYPES = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "f16": "<f2", "f32": "<f4"}
PLANES = {
    "label": ("u8", "u16"),
    "instance": ("u16", "u32"),
    "depth": ("f16", "f32"),
    "motion": ("f16", "f32"),
    "color": ("u8",),
    "landmarks": ("f16", "f32"),
}
LANDMARKS = (33, 4)
"""Of a body, numbered as by MediaPipe Pose: x, y, z, visibility."""
FARTHEST = 16.0
"""Widths or heights of the picture that a landmark may be away."""
PNG_DTYPES = ("u8", "u16")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one sender may send. largest: width and height, either way round; classes: their count.

    encodings: those agreed on.
    """

    largest: tuple[int, int] = LARGEST
    classes: int = 256
    encodings: tuple[str, ...] = tuple(ENCODINGS)


def shape_of(name: str, width: int, height: int) -> tuple[int, ...]:
    """Return the shape of a plane of a picture's size."""
    if name == "landmarks":
        return LANDMARKS
    if name == "motion":
        return (2, height, width)
    return (height, width, 3) if name == "color" else (height, width)


def most_bytes(largest: tuple[int, int]) -> int:
    """Return the bytes of a message with everything in it."""
    width, height = largest
    planes = (
        int(np.prod(shape_of(name, width, height))) * int(dtypes[-1][1:]) // 8
        for name, dtypes in PLANES.items()
    )
    return MAX_HEADER_BYTES + sum(size + size // 64 + SLACK_BYTES for size in planes)


def dtype_name(array: NDArray[Any]) -> str:
    """Return "u8" and so on."""
    return f"{array.dtype.kind}{array.dtype.itemsize * 8}"


def check_size(width: int, height: int, largest: tuple[int, int]) -> None:
    """Raise WireError for an empty or too large picture."""
    most, least = max(largest), min(largest)
    sides = max(width, height), min(width, height)
    if sides[1] < 1 or sides[0] > most or sides[1] > least:
        raise WireError("size", f"the size is {width}x{height}; 1x1 to {most}x{least} is accepted")


def check_frame(frame: Frame, parts: Sequence[Part], limits: Limits) -> None:
    """Check all that can be told without looking into the planes. Raises WireError."""
    check_size(frame.width, frame.height, limits.largest)
    names = [plane.name for plane in frame.planes]
    if not names or len(names) != len(parts):
        raise WireError("planes", f"{len(parts)} parts came for {len(names)} planes; one for each")
    if len(set(names)) != len(names) or not set(names) <= set(PLANES):
        came = ", ".join(name[:20] for name in names[:9])
        raise WireError("planes", f"planes are {came}; each of {', '.join(PLANES)} may come once")
    for plane, part in zip(frame.planes, parts, strict=True):
        check_plane(plane, frame.width, frame.height, limits.encodings)
        _check_bytes(plane, part)


def check_plane(plane: Plane, width: int, height: int, encodings: Sequence[str]) -> None:
    """Check a plane's dtype, shape and encoding. Raises WireError."""
    name, dtype, expected = plane.name, plane.dtype, shape_of(plane.name, width, height)
    if dtype not in PLANES[name]:
        accepted = " or ".join(PLANES[name])
        raise WireError("dtype", f"{name} is {dtype[:20]}; {accepted} is accepted")
    if plane.shape != expected:
        came = f"{list(plane.shape[:9])}; {width}x{height} makes it {list(expected)}"
        raise WireError("shape", f"the shape of {name} is {came}")
    if plane.encoding not in encodings:
        came, agreed = plane.encoding[:20], ", ".join(encodings)
        raise WireError("encoding", f"the encoding of {name} is {came!r}; {agreed} were agreed on")
    if plane.encoding == "png" and dtype not in PNG_DTYPES:
        raise WireError("encoding", f"{name} is {dtype}; png carries {' and '.join(PNG_DTYPES)}")


def _check_bytes(plane: Plane, part: Part) -> None:
    expected = int(np.prod(plane.shape)) * int(plane.dtype[1:]) // 8
    slack = 0 if plane.encoding == "raw" else expected // 64 + SLACK_BYTES
    if len(part) > expected + slack or (not slack and len(part) < expected):
        came = f"{plane.name} has {len(part)} bytes"
        wanted = f"{plane.dtype} of {list(plane.shape)} has {expected}"
        raise WireError("bytes", f"{came}; {wanted}" + (f" (+{slack})" if slack else ""))


def decode_plane(plane: Plane, part: Part, limits: Limits) -> NDArray[Any]:
    """Return a checked plane's array, on the part's own bytes where it is raw. Raises WireError."""
    data = decode_part(part, plane.encoding, plane.dtype, plane.shape)
    array = np.frombuffer(data, DTYPES[plane.dtype]).reshape(plane.shape)
    check_values(plane.name, array, limits.classes)
    return array if array.flags.aligned else array.copy()


def check_values(name: str, array: NDArray[Any], classes: int) -> None:
    """Raise WireError for what is out of range: ids, depth, motion, landmarks (docs/wire.md)."""
    if name == "label":
        _check_label(array, classes)
    elif name == "depth":
        _check_depth(array)
    elif name == "motion":
        _check_motion(array)
    elif name == "landmarks":
        _check_landmarks(array)


def _check_label(label: NDArray[np.unsignedinteger], classes: int) -> None:
    highest = int(label.max())
    if highest < classes:
        return
    if not classes:
        raise WireError("value", "label came, but hello named no classes or the model has none")
    at = _place(label >= classes)
    raise WireError("value", f"label is {highest} {at}; hello named the classes 0 to {classes - 1}")


def _check_depth(depth: NDArray[np.floating]) -> None:
    unsigned, _, infinity = _bits(depth)
    if unsigned.max() <= infinity:  # neither a sign nor a NaN anywhere
        return
    wrong = ~(depth >= 0)
    if wrong.any():
        raise WireError(
            "value", f"depth is {depth[wrong][0]} {_place(wrong)}; 0 or more, in metres"
        )


def _check_motion(motion: NDArray[np.floating]) -> None:
    unsigned, signed, infinity = _bits(motion)
    sign = 1 << (8 * motion.itemsize - 1)
    if signed.max() < infinity and unsigned.max() < sign + infinity:
        return
    wrong = ~np.isfinite(motion)
    came = f"motion is {motion[wrong][0]} {_place(wrong)}"
    raise WireError("value", f"{came}; finite numbers of pixels are accepted")


def _check_landmarks(landmarks: NDArray[np.floating]) -> None:
    visibility = landmarks[:, 3]
    near = (np.abs(landmarks) <= FARTHEST).all(1) & (visibility >= 0) & (visibility <= 1)
    if near.all():
        return
    number = int((~near).argmax())
    came = f"landmark {number} is {landmarks[number].tolist()}"
    accepted = f"x, y and z up to {FARTHEST:g} either way, visibility 0 to 1"
    raise WireError("value", f"{came}; {accepted}")


def _bits(array: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """View floats as unsigned and as signed bits; and infinity's (IEEE 754).

    Bits of positive floats order as the floats do, and comparing integers is several times faster.
    """
    bits = 8 * array.itemsize
    infinity = 0x7C00 if bits == 16 else 0x7F800000
    return array.view(f"u{bits // 8}"), array.view(f"i{bits // 8}"), infinity


def _place(wrong: NDArray[np.bool_]) -> str:
    *_, y, x = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return f"at x {x}, y {y}"
