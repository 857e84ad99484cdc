"""Roofs: flat or pitched, with chimneys."""

import numpy as np

from .classes import Label
from .layout import Rectangle
from .mesh import Material, Mesh, Paint, srgb


def add_flat_roof(mesh: Mesh, box: Rectangle, top: float, wall: Paint) -> None:
    """Gravel on top of a house."""
    x0, y0, x1, y1 = box
    gravel = wall.but(Label.BUILDING, Material.GRAVEL, srgb(0.5, 0.5, 0.5))
    mesh.polygon([(x0, y0, top), (x1, y0, top), (x1, y1, top), (x0, y1, top)], gravel)


def add_pitched_roof(
    mesh: Mesh,
    walls: Mesh,
    box: Rectangle,
    along: int,
    top: float,
    wall: Paint,
    tint: tuple[float, float, float],
) -> None:
    """Two slopes that meet over the middle, and the triangles of wall below their ends.

    along: the axis along which the ridge lies.
    """
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    half = size[1 - along] / 2
    rise = half * 0.75
    over, drop = 0.4, 0.4 * 0.75
    tiles = wall.but(Label.BUILDING, Material.TILES, tint)

    def at(s: float, t: float, z: float) -> tuple[float, float, float]:
        """A point s along the ridge, t across it."""
        return (x0 + s, y0 + t, top + z) if along == 0 else (x0 + t, y0 + s, top + z)

    length, depth = size[along], size[1 - along]
    near = [
        at(0, -over, -drop),
        at(length, -over, -drop),
        at(length, half, rise),
        at(0, half, rise),
    ]
    far = [
        at(length, depth + over, -drop),
        at(0, depth + over, -drop),
        at(0, half, rise),
        at(length, half, rise),
    ]
    gables = [
        [at(0, depth, 0), at(0, 0, 0), at(0, half, rise)],
        [at(length, 0, 0), at(length, depth, 0), at(length, half, rise)],
    ]
    turn = slice(None) if along == 0 else slice(None, None, -1)
    slope = float(np.hypot(half + over, rise + drop))
    uv = np.array([(0, 0), (length, 0), (length, slope), (0, slope)], float)
    for face in (near, far):
        mesh.polygon(face[turn], tiles, uv=uv[turn])
    for gable in gables:
        walls.polygon(gable[turn], wall, extra=(2.0, 3.0, 0.0, 0.0))
    fascia = wall.but(Label.BUILDING, Material.WOOD, srgb(0.7, 0.68, 0.64))
    for face in (near, far):
        low, other = np.array(face[0]), np.array(face[1])
        under = [low - (0, 0, 0.16), other - (0, 0, 0.16), other, low]
        mesh.polygon(under[turn], fascia)


def add_chimneys(
    mesh: Mesh, box: Rectangle, top: float, wall: Paint, rng: np.random.Generator, *, pitched: bool
) -> None:
    """None to two chimneys, higher than the ridge."""
    x0, y0, x1, y1 = box
    brick = wall.but(Label.BUILDING_BRICK, Material.BRICK, srgb(0.55, 0.33, 0.27))
    rise = 2.0 + 0.35 * min(x1 - x0, y1 - y0) * pitched
    for _ in range(int(rng.integers(0, 3))):
        x, y = float(rng.uniform(x0 + 1, x1 - 2)), float(rng.uniform(y0 + 2, y1 - 2))
        mesh.box((x, y, top - 0.5), (x + 0.9, y + 0.6, top + rise), brick)
