"""Pixels that stand for classes, as lossless files hold them: ids, palette ids or colours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from .accounts import UNREADABLE, Flaw

IDS = ("gray", "gray16le", "gray16be", "pal8")
COLOURS = (
    *("rgb24", "bgr24", "gbrp", "gbrap", "rgba", "bgra", "argb", "abgr"),
    *("rgb0", "bgr0", "0rgb", "0bgr"),
)
"""FFmpeg's pixel formats that are read; the others round colours, or share them by neighbours."""
ACCEPTED = "FFV1, HuffYUV, Ut Video, PNG and the like in gray, palette or RGB pixels are accepted"


class Pixels(NamedTuple):
    """What stands for classes: ids [H, W] of 8 or 16 bits, or colours uint8 [H, W, 3]; of palette
    ids also the palette, uint8 [256, 3]."""

    values: NDArray[Any]
    palette: NDArray[np.uint8] | None = None


def read_pixels(path: Path) -> Iterator[Pixels]:
    """Read an image or the pictures of a video. Raises Flaw for what is damaged or may be lossy."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise Flaw(UNREADABLE)
            stream = container.streams.video[0]
            _check(stream.codec_context)
            empty = True
            for frame in container.decode(stream):
                yield _pixels(frame)
                empty = False
    except (av.error.FFmpegError, OSError) as error:
        raise Flaw(UNREADABLE) from error
    if empty:
        raise Flaw(UNREADABLE)


def _check(codec: Any) -> None:
    if codec.pix_fmt is None:
        raise Flaw(UNREADABLE)
    if codec.codec.lossy:
        raise Flaw(f"labels in {codec.name}, which can mix the ids of neighbours; {ACCEPTED}")
    if codec.pix_fmt not in IDS + COLOURS:
        why = "colours are rounded" if codec.pix_fmt.startswith("yuv") else "ids have not 8 bits"
        raise Flaw(f"labels in {codec.pix_fmt} pixels, where {why}; {ACCEPTED}")


def _pixels(frame: av.VideoFrame) -> Pixels:
    if frame.format.name == "pal8":
        ids, argb = frame.to_ndarray()
        return Pixels(ids, argb[:, 1:])
    return Pixels(frame.to_ndarray(format=None if frame.format.name in IDS else "rgb24"))
