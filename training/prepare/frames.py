"""Frames of paired data, one after the other: pictures, what they show, which thing is which."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...model.video import TimedPicture, VideoReader
from .accounts import UNREADABLE, Flaw
from .label_pixels import Pixels, read_pixels
from .layouts import Series
from .pairing import Pair

STUFF = 1000
"""Numbers of 16 bits below this tell a class, not a thing: Cityscapes has 1000 * class + number."""
UNPAIRED, UNLABELLED = "without a picture", "without labels"


class Planes(NamedTuple):
    """Picture uint8 [H, W, 3], what stands for classes, numbers of things uint16 [H, W] (0: none),
    if they came."""

    rgb: NDArray[np.uint8]
    label: Pixels
    instance: NDArray[np.uint16] | None


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame that is still to be read; `read` raises Flaw for one that cannot be used."""

    name: str
    time_s: float
    read: Callable[[], Planes]


def frames(series: Series, fps: float) -> Iterator[Frame]:
    """Frames in their order; fps is that of images. Raises InputError for a video that is lossy."""
    if series.video:
        yield from _of_video(*series.pairs[0][:2])
        return
    things = any(pair.instance for pair in series.pairs)
    for i, pair in enumerate(series.pairs):
        yield Frame(name=pair.name, time_s=i / fps, read=partial(_of_files, pair, things))


def length(series: Series) -> int:
    """About how many frames there are."""
    picture = series.pairs[0].picture
    counted = VideoReader(picture).frames if series.video and picture else len(series.pairs)
    return max(1, counted)


def rate(series: Series, fps: float) -> float:
    """Pictures a second. Raises InputError for labels that are not as many as the pictures."""
    if not series.video:
        return fps
    picture, label = (path for path in series.pairs[0][:2] if path is not None)
    found, of_labels = VideoReader(picture).fps, VideoReader(label).fps
    if abs(found - of_labels) > 0.01 * found:
        raise InputError(
            f"{label} has {of_labels:g} pictures a second, {picture} {found:g}; each picture must "
            "have labels of its own"
        )
    return found


def _of_files(pair: Pair, things: bool) -> Planes:
    picture, label, instance = pair
    if picture is None or label is None:
        raise Flaw(UNPAIRED if picture is None else UNLABELLED)
    if things and instance is None:
        raise Flaw("without instances")
    bgr = cv2.imread(str(picture))
    if bgr is None:
        raise Flaw(UNREADABLE)
    rgb = np.asarray(bgr[:, :, ::-1], np.uint8)
    found = None if instance is None else _things(next(read_pixels(instance)))
    return _fitting(Planes(rgb, next(read_pixels(label)), found))


def _of_video(picture: Path | None, label: Path | None) -> Iterator[Frame]:
    assert picture is not None and label is not None
    try:
        for i, (shown, pixels) in enumerate(zip_longest(VideoReader(picture), read_pixels(label))):
            time_s = 0.0 if shown is None else shown.time_s
            yield Frame(
                name=f"{picture.name} {i}", time_s=time_s, read=partial(_of_pictures, shown, pixels)
            )
    except Flaw as flaw:
        raise InputError(f"{label}: {flaw}") from flaw


def _of_pictures(shown: TimedPicture | None, label: Pixels | None) -> Planes:
    if shown is None or label is None:
        raise Flaw(UNPAIRED if shown is None else UNLABELLED)
    return _fitting(Planes(shown.rgb, label, None))


def _things(pixels: Pixels) -> NDArray[np.uint16]:
    values = pixels.values
    if values.ndim != 2:
        raise Flaw("with instances in colours, not numbers of 8 or 16 bits")
    least = STUFF if values.itemsize > 1 else 1
    return np.where(values >= least, values, 0).astype(np.uint16)


def _fitting(planes: Planes) -> Planes:
    """Raise Flaw where planes are of several sizes."""
    height, width = planes.rgb.shape[:2]
    for name, values in (("labels", planes.label.values), ("instances", planes.instance)):
        if values is not None and values.shape[:2] != (height, width):
            shown = f"{values.shape[1]}x{values.shape[0]} of {width}x{height}"
            raise Flaw(f"with {name} of another size than the picture", shown)
    return planes
