"""Triangles with what the shaders need to know at each corner, collected in numpy.

A row of a mesh, float32 [20]: point (3, metres, z up), normal (3), uv (2, metres along the
surface), colour (4: linear tint, exposure to the sky), ids (4: class, material, instance, a random
number in 0..1) and extra (4: a facade's grid, a place across a street, or how a limb swings).
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import hypot

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
WIDTH = 20
POINT, NORMAL, UV, COLOUR, IDS, EXTRA = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 8),
    slice(8, 12),
    slice(12, 16),
    slice(16, 20),
)


class Material(IntEnum):
    """What a surface is made of; the shaders have a row for each."""

    ASPHALT = 0
    COBBLES = 1
    MARKING = 2
    PAVING = 3
    STONE = 4
    PLASTER = 5
    BRICK = 6
    GLASS = 7
    TILES = 8
    GRAVEL = 9
    GRASS = 10
    LEAVES = 11
    WOOD = 12
    METAL = 13
    CAR_PAINT = 14
    CAR_GLASS = 15
    RUBBER = 16
    HEADLIGHT = 17
    TAILLIGHT = 18
    SKIN = 19
    CLOTH = 20
    LAMP = 21
    LENS = 22
    SIGN = 23
    HEDGE = 24


@dataclass(frozen=True)
class Paint:
    """What a surface is: class, material, tint (linear), instance and a random number in 0..1."""

    label: int
    material: int
    tint: tuple[float, float, float] = (0.5, 0.5, 0.5)
    instance: int = 0
    seed: float = 0.0
    sky: float = 1.0

    def but(self, label: int, material: int, tint: tuple[float, float, float]) -> "Paint":
        """Another surface of the same thing."""
        return replace(self, label=label, material=material, tint=tint)


def srgb(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """A colour as designers name it, in 0..1, as linear light."""
    return red**2.2, green**2.2, blue**2.2


def palette(*colours: tuple[float, float, float]) -> tuple[tuple[float, float, float], ...]:
    """Several colours as linear light."""
    return tuple(srgb(*colour) for colour in colours)


@dataclass
class Mesh:
    """A growing list of triangles."""

    rows: list[Floats] = field(default_factory=list)
    faces: list[NDArray[np.uint32]] = field(default_factory=list)
    size: int = 0

    def add(self, rows: Floats, faces: NDArray[np.uint32]) -> None:
        """Add rows [N, 20] and triangles [M, 3] of indices into them."""
        self.rows.append(rows)
        self.faces.append(faces + np.uint32(self.size))
        self.size += len(rows)

    def arrays(self) -> tuple[Floats, NDArray[np.uint32]]:
        """All rows [N, 20] and triangles [M, 3]."""
        if not self.rows:
            return np.zeros((0, WIDTH), np.float32), np.zeros((0, 3), np.uint32)
        return np.concatenate(self.rows), np.concatenate(self.faces).astype(np.uint32)

    def polygon(
        self,
        points: ArrayLike,
        paint: Paint,
        *,
        uv: ArrayLike | None = None,
        normals: ArrayLike | None = None,
        sky: ArrayLike | None = None,
        extra: ArrayLike = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        """Add a flat convex polygon [N, 3], counterclockwise from outside."""
        corners = np.asarray(points, np.float32)
        count = len(corners)
        rows = np.empty((count, WIDTH), np.float32)
        rows[:, POINT] = corners
        if normals is None:
            rows[:, NORMAL] = _facing(corners)
        else:
            rows[:, NORMAL] = np.asarray(normals, np.float32)
        rows[:, UV] = flat_uv(corners, rows[0, NORMAL]) if uv is None else np.asarray(uv)
        rows[:, COLOUR] = (*paint.tint, paint.sky)
        if sky is not None:
            rows[:, COLOUR.stop - 1] = np.asarray(sky)
        rows[:, IDS] = paint.label, paint.material, paint.instance, paint.seed
        rows[:, EXTRA] = np.asarray(extra)
        fan = np.arange(1, count - 1, dtype=np.uint32)
        self.add(rows, np.stack([np.zeros_like(fan), fan, fan + 1], 1))

    def box(self, low: ArrayLike, high: ArrayLike, paint: Paint, *, bottom: bool = False) -> None:
        """Add an upright box between two corners, open below unless asked for."""
        x0, y0, z0 = np.asarray(low, float)
        x1, y1, z1 = np.asarray(high, float)
        ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        self.prism(ring, z0, z1, paint)
        self.polygon([(x, y, z1) for x, y in ring], paint)
        if bottom:
            self.polygon([(x, y, z0) for x, y in reversed(ring)], paint)

    def prism(self, ring: ArrayLike, low: float, high: float, paint: Paint) -> None:
        """Add upright walls over a counterclockwise ring [N, 2]."""
        outline = np.asarray(ring, float)
        for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            self.polygon([(ax, ay, low), (bx, by, low), (bx, by, high), (ax, ay, high)], paint)

    def tube(
        self,
        start: ArrayLike,
        end: ArrayLike,
        radii: tuple[float, float],
        paint: Paint,
        sides: int = 6,
        *,
        cap: bool = False,
        extra: ArrayLike = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        """Add a round, tapering tube between two points, with smooth normals."""
        first, last = np.asarray(start, float), np.asarray(end, float)
        axis = last - first
        length = float(np.linalg.norm(axis))
        axis /= max(length, 1e-9)
        side = np.cross(axis, (0.0, 1.0, 0.0) if abs(axis[2]) > 0.9 else (0.0, 0.0, 1.0))
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        out = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
        rows = np.empty((2 * sides + 2, WIDTH), np.float32)
        rows[:, NORMAL] = np.repeat(out, 2, 0)
        rows[::2, POINT] = first + out * radii[0]
        rows[1::2, POINT] = last + out * radii[1]
        rows[::2, UV.start] = rows[1::2, UV.start] = angle * max(radii)
        rows[::2, UV.stop - 1], rows[1::2, UV.stop - 1] = 0.0, length
        rows[:, COLOUR] = (*paint.tint, paint.sky)
        rows[:, IDS] = paint.label, paint.material, paint.instance, paint.seed
        rows[:, EXTRA] = np.asarray(extra)
        index = 2 * np.arange(sides, dtype=np.uint32)[:, None]
        self.add(
            rows,
            np.concatenate(
                [index + np.array([0, 2, 3], np.uint32), index + np.array([0, 3, 1], np.uint32)]
            ),
        )
        if cap:
            self.polygon((last + out * radii[1])[:-1], paint, uv=np.zeros((sides, 2)), extra=extra)

    def ball(
        self,
        centre: ArrayLike,
        radii: ArrayLike,
        paint: Paint,
        detail: int = 8,
        *,
        extra: ArrayLike = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        """Add an ellipsoid of `detail` segments around and half as many up."""
        rings = max(detail // 2, 3)
        around, up = np.meshgrid(
            np.linspace(0, 2 * np.pi, detail + 1), np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
        )
        out = np.stack([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)], -1)
        out = out.reshape(-1, 3)
        size = np.asarray(radii, float)
        rows = np.empty((len(out), WIDTH), np.float32)
        rows[:, POINT] = np.asarray(centre, float) + out * size
        normal = out / size
        rows[:, NORMAL] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        rows[:, UV] = np.stack([around, up], -1).reshape(-1, 2) * float(size.mean())
        rows[:, COLOUR] = (*paint.tint, paint.sky)
        rows[:, IDS] = paint.label, paint.material, paint.instance, paint.seed
        rows[:, EXTRA] = np.asarray(extra)
        at = (np.arange(rings)[:, None] * (detail + 1) + np.arange(detail)).reshape(-1, 1)
        lower = at + np.array([0, 1, detail + 2])
        upper = at + np.array([0, detail + 2, detail + 1])
        self.add(rows, np.concatenate([lower, upper]).astype(np.uint32))

    def place(
        self,
        model: "Mesh",
        at: ArrayLike,
        heading: float = 0.0,
        scale: float = 1.0,
        *,
        instance: int = 0,
        tint: tuple[float, float, float] | None = None,
    ) -> None:
        """Add a copy of a model, turned by `heading` (radians, counterclockwise) and moved.

        `instance` marks the copy; `tint` colours what of it is car paint.
        """
        rows, faces = model.arrays()
        rows = rows.copy()
        cos, sin = np.cos(heading), np.sin(heading)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        rows[:, POINT] = rows[:, POINT] @ turn.T * scale + np.asarray(at, float)
        rows[:, NORMAL] = rows[:, NORMAL] @ turn.T
        if instance:
            rows[:, IDS.start + 2] = instance
        if tint is not None:
            painted = rows[:, IDS.start + 1] == Material.CAR_PAINT
            rows[painted, COLOUR.start : COLOUR.start + 3] = tint
        self.add(rows, faces)


def _facing(corners: Floats) -> tuple[float, float, float]:
    """The unit normal of a flat polygon [N, 3]."""
    (ax, ay, az), (bx, by, bz) = (corners[[1, -1]] - corners[0]).tolist()
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = max(hypot(x, y, z), 1e-9)
    return x / length, y / length, z / length


def flat_uv(points: Floats, normal: Floats) -> Floats:
    """Metres along a flat surface: the plan's on the ground, along and up on a wall."""
    if abs(normal[2]) > 0.7:
        return points[:, :2]
    along = np.array([-normal[1], normal[0]]) / max(float(np.hypot(normal[0], normal[1])), 1e-9)
    return np.stack([points[:, :2] @ along, points[:, 2]], 1).astype(np.float32)
