"""The still studio that people stand in: a drawn wall and floor."""

import numpy as np
from numpy.typing import NDArray

HORIZON = 0.80  # image y where the floor turns into the wall


def backdrop(size: int) -> NDArray[np.uint8]:
    """A soft studio, RGB uint8 [size, size, 3]; always the same picture."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    glow = np.exp(-(((x - 0.42) / 0.55) ** 2) - ((y - 0.38) / 0.5) ** 2)[..., None]
    wall = np.array((0.50, 0.55, 0.60)) + glow * np.array((0.20, 0.165, 0.12))
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)[..., None]
    pool = np.exp(-(((x - 0.5) / 0.42) ** 2) - ((y - 0.93) / 0.12) ** 2)[..., None]
    floor = np.array((0.52, 0.49, 0.46)) + depth * np.array((0.06, 0.05, 0.03)) + 0.09 * pool
    blend = 1 / (1 + np.exp(-(y - HORIZON) / 0.012))[..., None]
    picture = wall * (1 - blend) + floor * blend
    vignette = 1 - 0.28 * (((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.5)[..., None]
    dither = np.random.default_rng(7).uniform(-0.5, 0.5, (size, size, 1)) / 255
    return np.clip((picture * vignette + dither) * 255 + 0.5, 0, 255).astype(np.uint8)


def over(rgba: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight-alpha RGBA [..., H, W, 4] over RGB [H, W, 3]."""
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + background * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
