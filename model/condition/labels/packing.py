"""The planes of a labels condition in 8 bits: a quarter of the bytes on the way to the generator.

A value is (byte - OFFSETS) * SCALES of its plane: ids as they are, nearness in 255ths, edges 0 or
1, tints in 127ths around 128.
"""

import numpy as np
from numpy.typing import NDArray

CHANNELS = 6
"""Of a condition: class id, nearness, edges between instances, and the tints of things (RGB)."""
OFFSETS = (0.0, 0.0, 0.0, 128.0, 128.0, 128.0)
SCALES = (1.0, 1 / 255, 1.0, 1 / 127, 1 / 127, 1 / 127)
NO_TINT = 128


def packed(
    label: NDArray[np.uint8],
    near: NDArray[np.uint8] | None = None,
    borders: NDArray[np.bool_] | None = None,
    tints: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Stack ids, nearness, edges and tints, packed by themselves, [6, H, W]; else none."""
    planes = np.empty((CHANNELS, *label.shape), np.uint8)
    planes[0] = label
    planes[1] = 0 if near is None else near
    planes[2] = 0 if borders is None else borders
    planes[3:] = NO_TINT if tints is None else tints
    return planes


def pack_nearness(near: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 in 255ths."""
    return (near * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def pack_tints(told: NDArray[np.float32]) -> NDArray[np.uint8]:
    """-1..1, as `tints.tell` gives them, in 127ths around 128."""
    return (np.rint(told * np.float32(127)) + NO_TINT).astype(np.uint8)
