"""Label planes in, what the generator looks at out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .. import Observation, Planes, centre_crop, plane
from .packing import CHANNELS, pack_nearness, packed
from .palette import in_colours
from .tints import Tints

HALFWAY_M = 10.0
"""Distance at which nearness is a half."""


class LabelConditioner:
    """Crops an engine's planes to the model's shape and scales them."""

    def __init__(
        self, classes: Sequence[str], width: int, height: int, tints: Tints | None = None
    ) -> None:
        self._classes, self._size = tuple(classes), (width, height)
        self._tints, self._style = tints, 0

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn planes into a condition [6, H, W], packed in 8 bits (see `packing`), and, where it
        came, the motion [2, H/4, W/4]."""
        label, fit = self._fitted(planes)
        instance, depth, motion = (planes.get(name) for name in ("instance", "depth", "motion"))
        near = None if depth is None else pack_nearness(nearness(fit(depth)))
        borders = tints = None
        if instance is not None:
            instance = fit(instance)
            borders = edges(instance)
            tints = self._tints and self._tints.paint(label, instance, self._style)
        return Observation(
            condition=packed(label, near, borders, tints),
            motion=None if motion is None else fit.motion(motion),
        )

    def _fitted(self, planes: Planes) -> "tuple[NDArray[np.uint8], _Fit]":
        label = plane(planes, "label")
        fit = _Fit(label.shape, self._size)
        label = fit(label)
        highest = int(label.max(initial=0))
        if highest >= len(self._classes):
            last = len(self._classes) - 1
            raise InputError(f"label holds the id {highest}; the model's classes end at {last}")
        return label, fit

    def set_style(self, index: int) -> None:
        """Things have other tints in another style."""
        self._style = index

    def set_mirror(self, on: bool) -> None:
        """Engines are not mirrored."""

    def reset(self) -> None:
        """Nothing is remembered here."""

    def close(self) -> None:
        """Nothing is held."""


class PaletteConditioner(LabelConditioner):
    """The condition is a picture [H, W, 3]: every class in its colour."""

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn the label plane into a picture."""
        return Observation(condition=in_colours(self._fitted(planes)[0], self._classes))


def condition(
    label: NDArray[np.uint8],
    near: NDArray[np.float32] | None = None,
    borders: NDArray[np.bool_] | None = None,
    tints: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Stack ids, nearness, edges and tints (as `tell` gives them), [6, H, W]; else zeros."""
    planes = np.zeros((CHANNELS, *label.shape), np.float32)
    planes[0] = label
    if near is not None:
        planes[1] = near
    if borders is not None:
        planes[2] = borders
    if tints is not None:
        planes[3:] = tints
    return planes


def nearness(depth: NDArray[np.floating]) -> NDArray[np.float32]:
    """Metres -> 1 at the camera, 0 far away, at the sky and where nothing is known."""
    known = np.isfinite(depth) & (depth > 0)
    far = np.where(known, depth, np.inf).astype(np.float32, copy=False)
    return np.float32(HALFWAY_M) / (np.float32(HALFWAY_M) + far)


def edges(instance: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Where [H, W] the pixel to the left or above belongs to another instance."""
    found = np.zeros(instance.shape, bool)
    found[:, 1:] = instance[:, 1:] != instance[:, :-1]
    found[1:] |= instance[1:] != instance[:-1]
    return found


class _Fit:
    """Crops to a shape around the centre and takes the nearest pixels: ids do not mix."""

    def __init__(self, shape: tuple[int, ...], size: tuple[int, int]) -> None:
        height, width = shape
        self._shape, self._size = (height, width), size
        crop = centre_crop(width, height, size)
        self._left, self._top, self._w, self._h, self._scale = crop

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        self._check(values.shape)
        cut = values[self._top : self._top + self._h, self._left : self._left + self._w]
        if (self._w, self._h) == self._size:
            return cut
        rows, columns = (self._pick(axis) for axis in (1, 0))
        return cut[rows[:, None], columns]

    def motion(self, motion: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take [2, H, W] at the centres of the model's 4x4 cells, in the model's pixels."""
        self._check(motion.shape[1:])
        rows, columns = (self._pick(axis)[2::4] for axis in (1, 0))
        cells = motion[:, (self._top + rows)[:, None], self._left + columns]
        return np.nan_to_num(cells.astype(np.float32)) / self._scale

    def _pick(self, axis: int) -> NDArray[np.intp]:
        """Nearest source pixels of the model's columns (0) or rows (1)."""
        count, source = self._size[axis], (self._w, self._h)[axis]
        return ((np.arange(count) + 0.5) * source / count).astype(np.intp)

    def _check(self, shape: tuple[int, ...]) -> None:
        if shape != self._shape:
            raise InputError(
                f"a plane of {shape[1]}x{shape[0]} beside labels of "
                f"{self._shape[1]}x{self._shape[0]}; planes of one frame have one size"
            )
