"""Skeleton to planes: one soft distance per shape, and the same times its relative depth."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .skeleton import INDEX

DEPTH_GAIN = 4.0
"""Depth planes hold shape x depth x this (depth in picture heights from the pelvis)."""
CUTOFF = 9.0
"""Exponents beyond this are drawn as nothing."""


PARTS = ("shoulder", "elbow", "wrist", "thumb", "hip", "knee", "ankle", "heel", "toe", "eye", "ear")


def _shapes() -> tuple[tuple[str, str, float], ...]:
    shapes = [("pelvis", "chest", 0.03), ("chest", "head", 0.022)]
    for side in ("left", "right"):
        part = {name: f"{side}_{name}" for name in PARTS}
        shapes += [
            ("chest", part["shoulder"], 0.022),
            ("pelvis", part["hip"], 0.022),
            (part["shoulder"], part["hip"], 0.02),
            (part["shoulder"], part["elbow"], 0.016),
            (part["elbow"], part["wrist"], 0.014),
            (part["wrist"], part["thumb"], 0.010),
            (part["hip"], part["knee"], 0.02),
            (part["knee"], part["ankle"], 0.016),
            (part["ankle"], part["toe"], 0.013),
            (part["heel"], part["toe"], 0.013),
            (part["eye"], part["eye"], 0.012),
            (part["ear"], part["ear"], 0.012),
        ]
    return (*shapes, ("nose", "nose", 0.012), ("mouth", "mouth", 0.012))


SHAPES = _shapes()
PALMS = tuple(
    tuple(INDEX[f"{side}_{name}"] for name in ("wrist", "index", "pinky"))
    for side in ("left", "right")
)
PALM_RADIUS = 0.008
CHANNELS = 2 * (len(SHAPES) + len(PALMS))

_STARTS = np.array([INDEX[a] for a, _, _ in SHAPES])
_ENDS = np.array([INDEX[b] for _, b, _ in SHAPES])
_SHARPNESS = np.array([1 / (2 * radius**2) for _, _, radius in SHAPES], np.float32)


def draw(joints: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Draw joints [J, 3] (picture heights) into planes [C, height, width] of any raster.

    The first half are shapes in 0..1, the second half the same times depth or, for palms, times
    the signed area of the triangle, which tells palm from back.
    """
    planes = np.zeros((2, CHANNELS // 2, height * width), np.float32)
    points = grid(width, height)
    limbs = len(SHAPES)
    near, along = segments(points, joints[_STARTS], joints[_ENDS])
    planes[0, :limbs] = soft(near * _SHARPNESS[:, None])
    z_start, z_end = joints[_STARTS, 2, None], joints[_ENDS, 2, None]
    planes[1, :limbs] = planes[0, :limbs] * (DEPTH_GAIN * (z_start + (z_end - z_start) * along))
    for i, corners in enumerate(PALMS):
        palm, facing = _palm(points, joints[list(corners), :2])
        planes[0, limbs + i], planes[1, limbs + i] = palm, palm * facing
    return planes.reshape(CHANNELS, height, width)


@lru_cache(maxsize=8)
def grid(width: int, height: int) -> NDArray[np.float32]:
    """Centres of a raster's cells in picture heights, [2, P]."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    return (np.stack([xs.ravel(), ys.ravel()]) / height).astype(np.float32)


def segments(
    points: NDArray[np.float32], start: NDArray[np.float32], end: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Squared distance of points to segments, and where along them: both [S, P]."""
    v = end[:, :2] - start[:, :2]
    x, y = points[0] - start[:, :1], points[1] - start[:, 1:2]
    squared = (v * v).sum(1, keepdims=True) + 1e-8
    along = np.clip((x * v[:, :1] + y * v[:, 1:]) / squared, 0, 1)
    x -= along * v[:, :1]
    y -= along * v[:, 1:]
    return x * x + y * y, along


def soft(exponent: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp(-exponent), computed only where it can be seen."""
    out = np.zeros_like(exponent)
    return np.exp(-exponent, out=out, where=exponent < CUTOFF)


def _palm(
    points: NDArray[np.float32], corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """A soft triangle [P] and its signed, normalised area."""
    following = np.roll(corners, -1, axis=0)
    edges = following - corners
    near, _ = segments(points, corners, following)
    a, b = corners[1] - corners[0], corners[2] - corners[0]
    area = float(a[0] * b[1] - a[1] * b[0])
    turn = 1.0 if area >= 0 else -1.0
    offsets = points[None] - corners[:, :, None]  # [3, 2, P]
    sides = edges[:, :1] * offsets[:, 1] - edges[:, 1:] * offsets[:, 0]
    distance = np.where((sides * turn >= 0).all(0), 0, near.min(0))
    exponent = (distance / (2 * PALM_RADIUS**2)).astype(np.float32)
    return soft(exponent), float(np.clip(area / 6e-4, -1, 1))
