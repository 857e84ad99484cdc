"""How the bytes of a plane travel: raw and zlib always, lz4, zstd and png where installed."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import WireError
from .header import Part

ZLIB_LEVEL = 1
PNG_HEAD = struct.Struct(">8sI4sIIBB")
PNG_COLOURS = {(8, 0): ("u8", 2), (16, 0): ("u16", 2), (8, 2): ("u8", 3)}
"""Bit depth and colour type (PNG, 11.2.1) of what is taken, as dtype and dimensions."""


class Corrupt(Exception):
    """Bytes that are not what they should be; the message says in what way."""


@dataclass(frozen=True)
class Encoding:
    """Ways there and back; decode(part, dtype, shape) gives a buffer of exactly those bytes.

    decode raises Corrupt and never makes more than it was asked for.
    """

    encode: Callable[[NDArray[Any]], Part]
    decode: Callable[[Part, str, tuple[int, ...]], Any]


def _count(dtype: str, shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * int(dtype[1:]) // 8


def as_bytes(array: NDArray[Any]) -> memoryview:
    """View a C-ordered array as bytes."""
    return array.reshape(-1).view(np.uint8).data


def _zlib_decode(part: Part, dtype: str, shape: tuple[int, ...]) -> bytes:
    expected = _count(dtype, shape)
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(part, expected + 1)
    except zlib.error as error:
        raise Corrupt(str(error)) from error
    if len(data) > expected or not stream.eof or stream.unused_data:
        raise Corrupt("it ends too early, too late or not at all")
    return data


def _lz4() -> Encoding:
    import lz4.block  # pyright: ignore[reportMissingImports]

    def decode(part: Part, dtype: str, shape: tuple[int, ...]) -> bytes:
        try:
            return lz4.block.decompress(part, uncompressed_size=_count(dtype, shape))
        except lz4.block.LZ4BlockError as error:
            raise Corrupt(str(error)) from error

    return Encoding(lambda array: lz4.block.compress(as_bytes(array), store_size=False), decode)


def _zstd() -> Encoding:
    import zstandard  # pyright: ignore[reportMissingImports]

    compressor = zstandard.ZstdCompressor(level=1)

    def decode(part: Part, dtype: str, shape: tuple[int, ...]) -> bytes:
        expected = _count(dtype, shape)
        limited = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        try:
            with limited.stream_reader(part) as reader:
                return reader.read(expected + 1)
        except zstandard.ZstdError as error:
            raise Corrupt(str(error)) from error

    return Encoding(lambda array: compressor.compress(as_bytes(array)), decode)


def _png() -> Encoding:
    import cv2

    def encode(array: NDArray[Any]) -> Part:
        swapped = array[..., ::-1] if array.ndim == 3 else array
        return cv2.imencode(".png", swapped, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].data

    def decode(part: Part, dtype: str, shape: tuple[int, ...]) -> memoryview:
        _check_png(part, dtype, shape)
        picture = cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise Corrupt("its pixels cannot be read")
        return as_bytes(np.ascontiguousarray(picture[..., ::-1] if picture.ndim == 3 else picture))

    return Encoding(encode, decode)


def _check_png(part: Part, dtype: str, shape: tuple[int, ...]) -> None:
    """Look at the header (IHDR) before anything is made of the rest."""
    if len(part) < PNG_HEAD.size:
        raise Corrupt("it is no PNG")
    signature, _, chunk, width, height, depth, colour = PNG_HEAD.unpack(part[: PNG_HEAD.size])
    if signature != b"\x89PNG\r\n\x1a\n" or chunk != b"IHDR":
        raise Corrupt("it is no PNG")
    if (height, width) != shape[:2] or PNG_COLOURS.get((depth, colour)) != (dtype, len(shape)):
        raise Corrupt(f"it is {width}x{height}, {depth} bits, colour type {colour}")


def _available() -> dict[str, Encoding]:
    found = {
        "raw": Encoding(as_bytes, lambda part, dtype, shape: part),
        "zlib": Encoding(lambda array: zlib.compress(as_bytes(array), ZLIB_LEVEL), _zlib_decode),
    }
    for name, make in (("lz4", _lz4), ("zstd", _zstd), ("png", _png)):
        try:
            found[name] = make()
        except ImportError:
            continue
    return found


ENCODINGS = _available()


def decode_part(part: Part, encoding: str, dtype: str, shape: tuple[int, ...]) -> Any:
    """Return a buffer of the plane's bytes, the part itself where it is raw. Raises WireError."""
    expected = _count(dtype, shape)
    try:
        data = ENCODINGS[encoding].decode(part, dtype, shape)
    except Corrupt as error:
        raise WireError("corrupt", f"the {encoding} data cannot be used: {error}") from error
    if len(data) != expected:
        sizes = f"{len(data)} bytes"
        raise WireError("bytes", f"{sizes} came; {dtype} of {list(shape)} has {expected}")
    return data
