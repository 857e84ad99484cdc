"""What a camera in a map of Doom sees: every pixel's surface and exact depth.

Floors are level, walls are upright and the camera is never tilted (it looks up and down by moving
the picture), so what a column of pixels shows follows from the lines that its ray crosses: each
bounds what is seen of the sectors behind it, as in Doom's own renderer.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .level import Level

NEAREST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Where it is (map units), whither it looks (radians, left of east and up), and its picture.

    focal: of columns and of rows, in pixels; those of Doom are not the same, as its pixels were
    taller than wide. size: width and height.
    """

    x: float
    y: float
    z: float
    angle: float
    pitch: float
    focal: tuple[float, float]
    size: tuple[int, int]

    @property
    def horizon(self) -> float:
        """The row of what is as high as the camera; the half a row is measured."""
        return (self.size[1] - 1) / 2 + self.focal[1] * math.tan(self.pitch)

    @property
    def middle(self) -> float:
        """The column of what is straight ahead; the half a column is measured."""
        return (self.size[0] + 1) / 2

    def slopes(self) -> NDArray[np.float32]:
        """How far to the right each column's ray goes on one unit ahead, [W]."""
        columns = np.arange(self.size[0], dtype=np.float32) + 0.5
        return (columns - self.middle) / self.focal[0]

    def drops(self) -> NDArray[np.float32]:
        """How far down each row's ray goes on one unit ahead, [H]."""
        rows = np.arange(self.size[1], dtype=np.float32) + 0.5
        return (rows - self.horizon) / self.focal[1]

    def see(self, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Turn points [..., 2] of the map into how far they are to the right, and ahead."""
        return self.turn(points - np.array((self.x, self.y), np.float32))

    def turn(self, ways: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Turn ways [..., 2] east and north into ways to the right and ahead."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = ways @ np.array(((sin, cos), (-cos, sin)), np.float32)
        return turned[..., 0], turned[..., 1]


@dataclass(frozen=True)
class Crossings:
    """Rays of columns with lines, M of them, by column, the nearest first; each [M].

    near, far: sectors on this side and on the other (-1: none). front: seen from its front.
    start: [W + 1] the first crossing of each column, and the end.
    """

    column: NDArray[np.intp]
    line: NDArray[np.intp]
    depth: NDArray[np.float32]
    near: NDArray[np.intp]
    far: NDArray[np.intp]
    front: NDArray[np.bool_]
    start: NDArray[np.intp]


def crossings(level: Level, camera: Camera) -> Crossings:
    """Find all that a camera's rays cross."""
    right, ahead = camera.see(level.ends)
    front = right[:, 0] * ahead[:, 1] < right[:, 1] * ahead[:, 0]
    near = np.where(front, level.sectors[:, 0], level.sectors[:, 1])
    far = np.where(front, level.sectors[:, 1], level.sectors[:, 0])
    met = np.flatnonzero((ahead.max(1) > NEAREST) & (near >= 0) & (near != far))
    first, last = _span(right[met], ahead[met], camera)
    count = last - first
    line = met.repeat(count)
    column = np.arange(len(line)) - (count.cumsum() - count - first).repeat(count)
    depth = _depth(right[line], ahead[line], camera.slopes()[column])
    order = np.lexsort((depth, column))
    line, column = line[order], column[order]
    start = np.searchsorted(column, np.arange(camera.size[0] + 1))
    return Crossings(column, line, depth[order], near[line], far[line], front[line], start)


def _span(
    right: NDArray[np.float32], ahead: NDArray[np.float32], camera: Camera
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First column of each line [L, 2], and the first one after it."""
    run, rise = right[:, 1:] - right[:, :1], ahead[:, 1:] - ahead[:, :1]
    edge = right[:, :1] + (NEAREST - ahead[:, :1]) * run / np.where(rise == 0, 1, rise)
    behind = ahead < NEAREST
    slope = np.where(behind, edge, right) / np.where(behind, NEAREST, ahead)
    columns = np.ceil(slope * camera.focal[0] + (camera.middle - 0.5))
    columns = np.clip(columns, 0, camera.size[0]).astype(np.intp)
    return columns.min(1), columns.max(1)


def _depth(
    right: NDArray[np.float32], ahead: NDArray[np.float32], slope: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How far ahead rays [M] meet their lines [M, 2]."""
    run, rise = right[:, 1] - right[:, 0], ahead[:, 1] - ahead[:, 0]
    across = run - slope * rise
    share = (slope * ahead[:, 0] - right[:, 0]) / np.where(across == 0, 1, across)
    return np.maximum(ahead[:, 0] + share * rise, NEAREST)


def cast(
    level: Level, heights: NDArray[np.float32], camera: Camera, met: Crossings
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the surface [H, W] of every pixel (-1: none) and its depth in map units.

    heights: [N, 2] of the floors and ceilings as they are now. met: what this camera's rays cross.
    """
    steps = 2 * int(np.diff(met.start).max(initial=0))
    ceilings, floors = _bounds(heights, camera, met)
    over = _above(np.maximum.accumulate(_spread(ceilings, met, steps, -np.inf), 1), camera)
    under = steps - _above(np.minimum.accumulate(_spread(floors, met, steps, np.inf), 1), camera)
    step = np.minimum(over, under)
    part = 4 * (met.start[:-1].astype(np.int32) + (step >> 1)) + 2 * (under < over) + (step & 1)
    part[step >= steps] = 4 * len(met.line)
    surfaces, walls, flats = _parts(level, heights, camera, met)
    drops = camera.drops()[:, None]
    ways = np.divide(1, drops, where=drops != 0, out=np.zeros_like(drops))
    return surfaces.take(part), walls.take(part) + flats.take(part) * ways


def _bounds(
    heights: NDArray[np.float32], camera: Camera, met: Crossings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows at each crossing, [M, 2]: down to which the ceiling before it is seen and its upper
    part, and from which its floor and its lower part are."""
    near, far = heights[met.near], heights[met.far]
    solid = met.far < 0
    upper = np.where(solid, -np.inf, np.minimum(near[:, 1], far[:, 1]))
    lower = np.where(solid, np.inf, np.maximum(near[:, 0], far[:, 0]))
    scale = (camera.focal[1] / met.depth)[:, None]
    bounds = np.stack([near[:, 1], upper, near[:, 0], lower], 1, dtype=np.float32)
    rows = (camera.horizon - (bounds - camera.z) * scale).astype(np.float32, copy=False)
    return rows[:, :2], rows[:, 2:]


def _spread(
    bounds: NDArray[np.float32], met: Crossings, steps: int, rest: float
) -> NDArray[np.float32]:
    """Bounds [M, 2] as [W, K], K those of the column with the most."""
    table = np.full((len(met.start) - 1, steps // 2, 2), rest, np.float32)
    table[met.column, np.arange(len(met.column)) - met.start[met.column]] = bounds
    return table.reshape(len(table), steps)


def _above(bounds: NDArray[np.float32], camera: Camera) -> NDArray[np.int32]:
    """How many of a column's bounds [W, K], in rows, are above the middle of each pixel, [H, W]."""
    width, height = camera.size
    rows = np.ceil(np.clip(bounds, 0, height) - 0.5).astype(np.intp)
    place = rows * width + np.arange(width)[:, None]
    found = np.bincount(place.ravel(), minlength=width * (height + 1))
    return found[: width * height].reshape(-1, width).astype(np.int32).cumsum(0, np.int32)


def _parts(
    level: Level, heights: NDArray[np.float32], camera: Camera, met: Crossings
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """Of the ceiling before each crossing, its upper part (or all of the wall), the floor before
    it, its lower part, and at the end of what is not there, [4M + 1]: their surfaces, the depth of
    walls, how far flats are below the camera."""
    lines, sectors = len(level.ends), len(level.sky)
    side, floor = 6 * met.line + 3 * ~met.front, 6 * lines + met.near
    solid = met.far < 0
    sky = ~solid & level.sky[met.near] & level.sky[met.far]
    upper = np.where(sky, floor + sectors, side + 2 * solid)
    surfaces = np.stack([floor + sectors, upper, floor, side + 1], 1)
    below = camera.z - heights[met.near]
    zero = np.zeros_like(met.depth)
    walls = np.stack([zero, met.depth, zero, met.depth], 1)
    flats = np.stack([below[:, 1], zero, below[:, 0], zero], 1)
    return np.append(surfaces, -1), np.append(walls, np.float32(np.inf)), np.append(flats, zero[:1])
