"""Clips of labelled scenes on disk, as conditions and targets."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.condition.labels.conditioner import condition, edges, nearness
from ..model.condition.labels.tints import tell
from .rgb_clip import RgbClip, opaque
from .streams import Window

NO_MOTION, NO_DEPTH, NO_INSTANCES, PLAIN_WALLS, PLAIN_ROADS = 0.25, 0.3, 0.3, 0.15, 0.15
"""Shares of the streams that go without a plane, or without the finer classes, as some senders do:
windows and doors are walls then, lane markings road."""
CLOSE_UPS = 3
TINTED = 10
"""Every so many frames count for the mean colour of a thing."""
NEAR_PIXELS = 1500
"""Of a thing in those, so that its colour counts among the usual ones."""
INTERESTING = 1.2
"""Classes that count for more than this are what close-ups are of."""


class _Colours(NamedTuple):
    """The things of a clip, sorted [N], their mean colours in 0..1 [N, 3], what is told of those
    [3, N], and how many pixels they were taken from [N]."""

    keys: NDArray[np.int64]
    tints: NDArray[np.float32]
    told: NDArray[np.float32]
    sizes: NDArray[np.intp]


class LabelClip(RgbClip):
    """One folder of frames: rgb, label, instance, depth, motion (see `clip_format`)."""

    def __init__(self, folder: Path, weights: Tensor | None = None) -> None:
        """weights: how much each class counts; close-ups are of what counts for more."""
        super().__init__(folder, "label", "instance", "depth")
        self.label, self.instance, self.depth = self.others
        self.classes: list[str] = self.info["classes"]
        even = np.ones(len(self.classes))
        self._interesting = (even if weights is None else weights.numpy()) > INTERESTING

    def moment(self, frame: int, before: int, window: Window, whim: int) -> dict[str, Tensor]:
        """One row of a `Batch`, of what is in `window`; the whim decides what is missing."""
        wish = np.random.default_rng(whim).random(5)
        label, instance, depth = (
            np.array(planes[frame][window]) for planes in (self.label, self.instance, self.depth)
        )
        shown = self._coarser(label, instance, wish[3] < PLAIN_WALLS, wish[4] < PLAIN_ROADS)
        near = None if wish[1] < NO_DEPTH else nearness(depth)
        borders = None if wish[2] < NO_INSTANCES else edges(instance)
        thing = things(label, instance)
        tints = None if wish[2] < NO_INSTANCES else self._tinted(thing)
        motion = self.motion[frame][:, *window.quarter].astype(np.float32)
        told = np.zeros_like(motion) if wish[0] < NO_MOTION else motion * (frame - before)
        return {
            "condition": torch.from_numpy(condition(shown, near, borders, tints)),
            "target": opaque(self.rgb[frame][window]),
            "before": opaque(self.rgb[before][window]),
            "parts": torch.from_numpy(label.astype(np.int64)),
            "things": thing,
            "things_before": things(self.label[before][window], self.instance[before][window]),
            "told": torch.from_numpy(told),
            "motion": torch.from_numpy(motion),
            "motion_known": torch.tensor(frame - before == 1),
            "crops": self._points(label),
        }

    @cached_property
    def _colours(self) -> "_Colours":
        rows = slice(None, None, TINTED)
        keys, where, counts = np.unique(
            things(self.label[rows], self.instance[rows]).numpy(),
            return_inverse=True,
            return_counts=True,
        )
        colours = self.rgb[rows].reshape(-1, 3)
        sums = [np.bincount(where.ravel(), colours[:, i], len(keys)) for i in range(3)]
        tints = (np.stack(sums, 1) / counts[:, None] / 255).astype(np.float32)
        return _Colours(keys, tints, tell(tints).T, counts)

    def tints(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Class and mean colour of everything that has an instance; far things look alike."""
        keys, tints, _, sizes = self._colours
        for key, tint, size in zip(keys, tints, sizes, strict=True):
            if key >= 256 and size >= NEAR_PIXELS:
                yield int(key % 256), tint

    def _tinted(self, thing: Tensor) -> NDArray[np.float32]:
        """What is told of things [H, W] all over them, [3, H, W]; 0 without an instance."""
        keys, _, told, _ = self._colours
        key = thing.numpy()
        place = np.searchsorted(keys, key).clip(max=len(keys) - 1)
        known = (key >= 256) & (keys[place] == key)
        return np.where(known, told[:, place], 0).astype(np.float32)

    def _coarser(
        self,
        label: NDArray[np.uint8],
        instance: NDArray[np.uint16],
        plain_walls: bool,
        plain_roads: bool,
    ) -> NDArray[np.uint8]:
        """Labels of a sender who does not tell windows and doors, or lane markings."""
        shown = label.copy()
        if plain_roads and {"road", "lane marking"} <= set(self.classes):
            shown[label == self.classes.index("lane marking")] = self.classes.index("road")
        if plain_walls and "building" in self.classes:
            walls = [i for i, name in enumerate(self.classes) if name.startswith("building")]
            wall_of = np.full(65536, self.classes.index("building"), np.uint8)
            wall = np.isin(label, walls)
            wall_of[instance[wall]] = label[wall]
            parts = [i for i, name in enumerate(self.classes) if name in ("window", "door")]
            fine = np.isin(label, parts)
            shown[fine] = wall_of[instance[fine]]
        return shown

    def _points(self, label: NDArray[np.uint8]) -> Tensor:
        """Where to look closely, x, y [K, 2]: at what counts."""
        rng = np.random.default_rng(int(label[::16, ::16].sum()))
        ys, xs = np.nonzero(self._interesting[label[::4, ::4]])
        chosen = rng.integers(0, len(xs), CLOSE_UPS) if len(xs) else []
        points = [(4 * xs[i], 4 * ys[i]) for i in chosen] or [
            rng.uniform(0, label.shape[::-1]) for _ in range(CLOSE_UPS)
        ]
        return torch.from_numpy(np.array(points, np.float32))


def things(label: NDArray[np.uint8], instance: NDArray[np.uint16]) -> Tensor:
    """A number for each thing, int64 [H, W]: its class and its instance."""
    return torch.from_numpy(label.astype(np.int64) + 256 * instance.astype(np.int64))
