"""A bar code of the frame number in a picture's top left corner, to measure latency with."""

import numpy as np
from numpy.typing import NDArray

BITS = 24
BLOCK = 8
DARK, LIGHT = 16, 235


def write_marker(picture: NDArray[np.uint8], number: int) -> None:
    """Write `number` into a luma plane [H, W] or RGB picture [H, W, 3], W >= 192, in place."""
    bits = (number >> np.arange(BITS)) & 1
    row = np.repeat(np.where(bits, LIGHT, DARK), BLOCK).astype(np.uint8)
    if picture.ndim == 3:
        picture[:BLOCK, : row.size] = row[:, None]
    else:
        picture[:BLOCK, : row.size] = row


def read_marker(picture: NDArray[np.uint8]) -> int:
    """Read the number from a luma plane [H, W] or an RGB picture [H, W, 3]."""
    corner = picture[2 : BLOCK - 2, : BITS * BLOCK]
    if corner.ndim == 3:
        corner = corner[..., 1]
    blocks = corner.reshape(corner.shape[0], BITS, BLOCK)[:, :, 2:-2]
    bits = blocks.mean(axis=(0, 2)) > 128
    return int((bits.astype(np.int64) << np.arange(BITS)).sum())
