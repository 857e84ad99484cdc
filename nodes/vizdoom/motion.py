"""Where what is at each pixel was in the last frame, in pixels: backward, x right, y down."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cast import Camera
from .level import Level


@dataclass(frozen=True, kw_only=True)
class Past:
    """What moves, as it was in one frame.

    heights: [N, 2] of floors and ceilings. things: places of things by their ids.
    """

    camera: Camera
    heights: NDArray[np.float32]
    things: dict[int, tuple[float, float, float]]


def of_world(
    depth: NDArray[np.float32], rise: NDArray[np.float32] | None, now: Camera, then: Camera
) -> NDArray[np.float32]:
    """Motion [2, H, W] of what stands still, by its exact depth [H, W]; inf is the sky.

    rise: [H, W] how far it has come up since then; None: nothing has.
    """
    slopes, drops = now.slopes(), now.drops()[:, None]
    ways = np.stack([np.ones_like(slopes), -slopes], 1)
    right, ahead = then.turn(_back(now, ways))
    from_right, from_ahead = then.see(np.array((now.x, now.y), np.float32))
    far = np.isinf(depth)
    depth = np.where(far, np.float32(1e6), depth)
    distance = np.maximum(from_ahead + depth * ahead, 1)
    x = (from_right + depth * right) / distance - slopes
    below = np.float32(then.z - now.z) + depth * drops
    y = (below if rise is None else below + rise) / distance - drops
    y[far] = 0
    shift = np.float32(then.horizon - now.horizon)
    return np.stack([x * now.focal[0], y * now.focal[1] + shift], dtype=np.float32)


def _back(camera: Camera, ways: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn ways [..., 2] ahead and left of a camera into ways east and north."""
    cos, sin = np.cos(camera.angle), np.sin(camera.angle)
    ahead, left = ways[..., 0], ways[..., 1]
    return np.stack([ahead * cos - left * sin, ahead * sin + left * cos], -1, dtype=np.float32)


def rise(
    level: Level, now: NDArray[np.float32], then: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """How far each surface [6L + 2N + 1] has come up, by heights [N, 2] now and then; None: none.

    The last, -1, is no surface. A wall's upper part hangs on the ceiling behind it, its lower part
    on the floor behind, unless the map says otherwise.
    """
    if np.array_equal(now, then):
        return None
    moved = now - then
    walls = np.zeros((len(level.ends), 2, 3), np.float32)
    behind = level.sectors[:, ::-1, None]
    hangs = ~level.pegged[:, None, :] & (behind >= 0)
    walls[..., :2] = np.where(hangs, moved[behind, (1, 0)], 0)
    return np.concatenate([walls.ravel(), moved[:, 0], moved[:, 1], [np.float32(0)]])
