"""A colour for every thing, kept for as long as it is to be seen: several appearances of one input.

After the instance-wise features of Wang et al., "High-Resolution Image Synthesis and Semantic
Manipulation with Conditional GANs" (2018): what a thing looks like is told by some numbers, the
same all over it (here its mean colour). Their clusters are found per class from the training clips;
one of them is taken for each thing, and kept.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .packing import NO_TINT, pack_tints

CLUSTERS = 8
"""Colours of a class."""
GAIN = 2.0
"""Of tints, which are centred, so that black and white tell as much."""


def tell(tints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tints [..., 3] in 0..1, as the generator gets them; black ones, which are none, are 0."""
    known = tints.any(-1, keepdims=True)
    return np.where(known, GAIN * (tints - np.float32(0.5)), np.float32(0))


class Tints:
    """Colours of things. table: float32 [S, C, CLUSTERS, 3] in 0..1, by style and class."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table = table
        none = np.full((1, 3), NO_TINT, np.uint8)
        self._told = [np.concatenate([none, t.reshape(-1, 3)]).T for t in pack_tints(tell(table))]

    @classmethod
    def from_list(cls, values: Sequence[Any] | None, styles: int, classes: int) -> "Tints":
        """Rebuild from `to_list`; None: no colours. Raises ModelError for another shape."""
        if values is None:
            return cls(np.zeros((styles, classes, CLUSTERS, 3), np.float32))
        table = np.asarray(values, np.float32) / np.float32(255)
        if table.shape != (styles, classes, CLUSTERS, 3):
            raise ModelError(
                f"tints of shape {table.shape}; {styles} styles, {classes} classes, {CLUSTERS} "
                "colours of 3 numbers are expected"
            )
        return cls(table.astype(np.float32))

    def to_list(self) -> list[Any]:
        """Return plain JSON types, 0..255."""
        return np.rint(255 * self._table).astype(int).tolist()

    def paint(
        self, label: NDArray[np.uint8], instance: NDArray[np.unsignedinteger], style: int
    ) -> NDArray[np.uint8]:
        """What is told of every pixel's thing, packed, [3, H, W]; none where it is no instance."""
        place = np.uint16(CLUSTERS) * label.astype(np.uint16) + chosen(instance)
        place += np.uint16(1)
        place *= instance != 0
        return self._told[style].take(place, 1, mode="clip")


def chosen(instance: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """Which of the clusters each thing takes: by its number alone (Knuth's multiplicative hash)."""
    mixed = instance.astype(np.uint32) * np.uint32(2654435761)
    return (mixed >> np.uint32(29)).astype(np.uint16)
