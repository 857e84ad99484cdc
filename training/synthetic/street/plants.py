"""Trees and hedges: wood, dark leafy cores and cards of leaves around them.

Cards are cut out by the fragment shader with a mask of leaves, which gives ragged outlines.
"""

import numpy as np
from numpy.typing import NDArray

from .classes import Label
from .mesh import Material, Mesh, Paint, srgb

BARK = Paint(Label.VEGETATION, Material.WOOD, srgb(0.42, 0.36, 0.30))
LEAVES = Paint(Label.VEGETATION, Material.LEAVES, srgb(0.42, 0.45, 0.27))
CORE = Paint(Label.VEGETATION, Material.HEDGE, srgb(0.36, 0.42, 0.22), sky=0.6)


def _card(
    mesh: Mesh,
    middle: NDArray[np.float64],
    size: float,
    away: NDArray[np.float64],
    paint: Paint,
    rng: np.random.Generator,
) -> None:
    """A square of leaves around a point, lit as if it lay on a ball around the crown."""
    facing = rng.normal(size=3) + away * 0.6
    facing /= np.linalg.norm(facing)
    side = np.cross(facing, rng.normal(size=3))
    side *= size / np.linalg.norm(side)
    up = np.cross(facing, side)
    offset = rng.integers(0, 4, 2) * 0.5
    corners = [middle - side - up, middle + side - up, middle + side + up, middle - side + up]
    normals = np.array(corners) - middle + away * size * 2.2
    normals[:, 2] += size * 0.6
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * 0.5 + offset
    mesh.polygon(corners, paint, uv=uv, normals=normals)


def make_tree(rng: np.random.Generator, *, fine: bool) -> tuple[Mesh, Mesh]:
    """A tree at the origin: wood with cores, and cards of leaves."""
    wood, leaves = Mesh(), Mesh()
    height = float(rng.uniform(6.0, 9.0))
    fork = height * 0.38
    lean = rng.normal(0, 0.15, 2)
    top = np.array([*lean, fork])
    wood.tube((0, 0, -0.1), top, (0.2, 0.14), BARK, 6 if fine else 4)
    crown = np.array([*lean * 1.5, height * 0.68])
    extent = np.array([height * 0.24, height * 0.24, height * 0.30])
    clumps = 11 if fine else 5
    for _ in range(clumps):
        out = rng.normal(size=3)
        out /= np.linalg.norm(out)
        centre = crown + out * extent * rng.uniform(0.55, 0.85)
        radius = height * float(rng.uniform(0.09, 0.14))
        if fine:
            wood.tube(top - (0, 0, 0.2), centre, (0.09, 0.03), BARK, 4)
        wood.ball(centre, np.array([1, 1, 0.8]) * radius * 0.72, CORE, 6 if fine else 4)
        for _ in range(12 if fine else 4):
            _leafy(leaves, centre, crown, radius, 1.0 if fine else 1.5, rng)
    return wood, leaves


def _leafy(
    mesh: Mesh,
    centre: NDArray[np.float64],
    crown: NDArray[np.float64],
    radius: float,
    size: float,
    rng: np.random.Generator,
) -> None:
    out = rng.normal(size=3)
    out /= np.linalg.norm(out)
    middle = centre + out * radius * 0.75
    away = (middle - crown) / max(float(np.linalg.norm(middle - crown)), 0.1)
    exposure = float(
        np.clip(0.72 + 0.30 * away[2] + 0.12 * np.linalg.norm(middle - crown), 0.35, 1)
    )
    paint = Paint(
        LEAVES.label, LEAVES.material, LEAVES.tint, seed=float(rng.random()), sky=exposure
    )
    _card(mesh, middle, radius * 0.85 * size, away, paint, rng)


def add_hedge(
    solids: Mesh,
    leaves: Mesh,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    height: float,
    instance: int,
    rng: np.random.Generator,
) -> None:
    """A clipped hedge between two points of the ground plan."""
    length = float(np.linalg.norm(end - start))
    direction = (end - start) / length
    side = np.array([direction[1], -direction[0]]) * 0.35
    ring = [start + side, end + side, end - side, start - side]
    core = Paint(CORE.label, CORE.material, CORE.tint, instance, sky=0.75)
    solids.prism(ring, 0.0, height - 0.1, core)
    solids.polygon([(x, y, height - 0.1) for x, y in ring], core)
    for where in np.arange(0.3, length, 0.42):
        spot = start + direction * where + side * rng.uniform(-1, 1)
        middle = np.array([*spot, height - rng.uniform(0.05, 0.25)])
        paint = Paint(LEAVES.label, LEAVES.material, LEAVES.tint, instance, float(rng.random()))
        _card(leaves, middle, 0.32, np.array([0.0, 0.0, 1.0]), paint, rng)
    for where in np.arange(0.2, length, 0.5):
        for sign in (-1.0, 1.0):
            spot = start + direction * where + side * sign * 1.05
            middle = np.array([*spot, rng.uniform(0.25, height - 0.2)])
            out = np.array([*(side * sign / 0.35), 0.2])
            paint = Paint(
                LEAVES.label, LEAVES.material, LEAVES.tint, instance, float(rng.random()), 0.8
            )
            _card(leaves, middle, 0.34, out, paint, rng)
