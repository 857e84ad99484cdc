"""Cars, standing at the origin, facing +y: a skin over cross sections, wheels, lights."""

import numpy as np
from numpy.typing import NDArray

from .classes import Label
from .mesh import Material, Mesh, Paint, palette

Array = NDArray[np.float64]
_HIGH = 1.2  # metres; a roof above that has a cabin below
CAR_TINTS = palette(
    (0.85, 0.86, 0.87),
    (0.62, 0.64, 0.66),
    (0.20, 0.21, 0.23),
    (0.12, 0.12, 0.13),
    (0.55, 0.12, 0.12),
    (0.16, 0.26, 0.45),
    (0.28, 0.36, 0.33),
    (0.70, 0.66, 0.58),
    (0.36, 0.40, 0.46),
)
_BODY = Paint(Label.CAR, Material.CAR_PAINT, (0.5, 0.5, 0.5))
_PANE = Paint(Label.CAR, Material.CAR_GLASS, (0.02, 0.025, 0.03))
_TYRE = Paint(Label.CAR, Material.RUBBER, (0.012, 0.012, 0.013))
_RIM = Paint(Label.CAR, Material.METAL, (0.35, 0.36, 0.38))
_HEAD = Paint(Label.CAR, Material.HEADLIGHT, (0.8, 0.8, 0.8))
_TAIL = Paint(Label.CAR, Material.TAILLIGHT, (0.45, 0.02, 0.02))
_PLATE = Paint(Label.CAR, Material.SIGN, (0.7, 0.7, 0.66))

# A body's sections from tail to nose: y, half width, height of the belt, of the roof, half roof.
_SALOON = (
    (-2.20, 0.70, 0.78, 0.80, 0.62),
    (-2.12, 0.84, 0.98, 1.00, 0.74),
    (-1.55, 0.88, 1.02, 1.05, 0.72),
    (-1.45, 0.88, 1.02, 1.06, 0.70),
    (-0.80, 0.89, 0.98, 1.41, 0.60),
    (-0.68, 0.89, 0.98, 1.43, 0.60),
    (0.00, 0.90, 0.97, 1.45, 0.61),
    (0.10, 0.90, 0.97, 1.45, 0.61),
    (0.38, 0.90, 0.96, 1.42, 0.60),
    (0.48, 0.90, 0.96, 1.38, 0.60),
    (1.12, 0.89, 0.95, 0.98, 0.74),
    (1.25, 0.89, 0.93, 0.95, 0.76),
    (1.95, 0.85, 0.80, 0.83, 0.70),
    (2.18, 0.74, 0.66, 0.68, 0.60),
    (2.22, 0.68, 0.50, 0.52, 0.58),
)
_HATCH = (
    (-1.95, 0.72, 0.80, 0.82, 0.60),
    (-1.92, 0.84, 0.98, 1.00, 0.70),
    (-1.86, 0.86, 1.02, 1.08, 0.66),
    (-1.50, 0.88, 1.02, 1.44, 0.60),
    (-1.30, 0.88, 1.00, 1.48, 0.62),
    (-0.45, 0.89, 0.99, 1.52, 0.63),
    (-0.35, 0.89, 0.99, 1.52, 0.63),
    (0.35, 0.89, 0.97, 1.49, 0.62),
    (0.46, 0.89, 0.97, 1.45, 0.62),
    (1.10, 0.88, 0.97, 1.01, 0.72),
    (1.20, 0.88, 0.95, 0.98, 0.74),
    (1.72, 0.85, 0.82, 0.86, 0.70),
    (1.96, 0.74, 0.68, 0.70, 0.60),
    (2.00, 0.68, 0.50, 0.52, 0.58),
)
_VAN = (
    (-2.25, 0.84, 1.00, 1.05, 0.80),
    (-2.22, 0.90, 1.10, 1.80, 0.78),
    (-2.05, 0.92, 1.10, 1.88, 0.80),
    (-1.95, 0.92, 1.10, 1.90, 0.80),
    (-0.70, 0.92, 1.10, 1.93, 0.80),
    (-0.60, 0.92, 1.10, 1.93, 0.80),
    (0.50, 0.92, 1.08, 1.92, 0.80),
    (0.60, 0.92, 1.08, 1.90, 0.80),
    (0.95, 0.92, 1.06, 1.82, 0.78),
    (1.05, 0.92, 1.06, 1.78, 0.78),
    (1.62, 0.91, 1.06, 1.10, 0.80),
    (1.75, 0.90, 1.03, 1.06, 0.80),
    (2.15, 0.86, 0.90, 0.94, 0.74),
    (2.32, 0.78, 0.72, 0.75, 0.66),
    (2.36, 0.72, 0.50, 0.52, 0.62),
)
BODIES = tuple(np.array(sections) for sections in (_SALOON, _HATCH, _VAN))


def make_car(kind: int, *, fine: bool) -> Mesh:
    """A car: 0 saloon, 1 hatchback, 2 van."""
    mesh = Mesh()
    sections = BODIES[kind]
    if not fine:
        high = sections[:, 3] > _HIGH
        keep = np.zeros(len(sections), bool)
        keep[[0, 1, -3, -1]] = True
        keep |= high != np.roll(high, 1)
        keep |= high != np.roll(high, -1)
        sections = sections[keep]
    _body(mesh, sections)
    _wheels(mesh, sections, 12 if fine else 6, fine=fine)
    if fine:
        _details(mesh, sections)
    _lights(mesh, sections)
    return mesh


def _body(mesh: Mesh, sections: Array) -> None:
    """Skin over the sections; between belt and roof it is glass where the roof is high."""
    grid = _grid(sections)
    normal = _smooth(grid)
    high = sections[:, 3] > _HIGH
    strips = len(grid) - 1
    for strip in range(strips):
        level = min(strip, strips - 1 - strip)
        for i in range(len(sections) - 1):
            wide = sections[i + 1, 0] - sections[i, 0] > 0.25
            side, screen = high[i : i + 2].any(), high[i] != high[i + 1]
            glass = wide and ((level == 3 and side) or (level == 4 and screen))
            corners = [(strip, i + 1), (strip + 1, i + 1), (strip + 1, i), (strip, i)]
            points, normals = (np.array([field[c] for c in corners]) for field in (grid, normal))
            if glass:
                normals = _flattened(points, normals)
            sky = [0.5 if line in (0, strips) else 1.0 for line, _ in corners]
            mesh.polygon(points, _PANE if glass else _BODY, normals=normals, sky=sky)
    mesh.polygon(grid[:, 0], _BODY)
    mesh.polygon(grid[::-1, -1], _BODY)


def _grid(sections: Array) -> Array:
    """Lines along a body from sill to sill over the roof [L, S, 3]."""
    y, half, belt, roof, top = sections.T
    zero = np.zeros_like(y)
    lines = [
        (half * 0.90, zero + 0.22),
        (half * 0.985, zero + 0.38),
        (half, 0.5 * belt + 0.22),
        (half * 0.965, belt),
        (top, roof),
        (zero, roof + 0.045),
    ]
    right = [np.stack([x, y, z], 1) for x, z in lines]
    return np.stack(right + [line * (-1, 1, 1) for line in right[-2::-1]])


def _flattened(points: Array, normals: Array) -> Array:
    """Normals of a pane, bent less than the body around it."""
    flat = np.cross(points[1] - points[0], points[3] - points[0])
    normals = normals * 0.35 + flat / max(float(np.linalg.norm(flat)), 1e-9)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _smooth(grid: Array) -> Array:
    """Outward normals of a grid of points [L, S, 3]."""
    down = np.gradient(grid, axis=0)
    forth = np.gradient(grid, axis=1)
    normal = np.cross(forth, down)
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    outward = grid - grid.mean((0, 1))
    return np.where((normal * outward).sum(2, keepdims=True) < 0, -normal, normal)


def _wheels(mesh: Mesh, sections: Array, sides: int, *, fine: bool) -> None:
    """Tyres and rims in dark arches; of a coarse car the arches alone."""
    tail, nose = sections[0, 0], sections[-1, 0]
    arch = Paint(Label.CAR, Material.RUBBER, (0.004, 0.004, 0.004))
    for y in (tail + 0.80, nose - 0.82):
        for side in (-1.0, 1.0):
            outer = 0.90 * side
            ring = _disc(outer - 0.005 * side, y, 0.32, 0.375, sides + 2)
            ring[:, 2] = np.maximum(ring[:, 2], 0.2 if fine else 0.0)
            mesh.polygon(ring[:: int(side)], arch)
            if not fine:
                continue
            hub, face = (outer - 0.2 * side, y, 0.31), (outer + 0.015 * side, y, 0.31)
            mesh.tube(hub, face, (0.31, 0.31), _TYRE, sides, cap=True)
            mesh.polygon(_disc(outer + 0.022 * side, y, 0.31, 0.19, sides)[:: int(side)], _RIM)


def _disc(x: float, y: float, z: float, radius: float, sides: int) -> Array:
    """Points around a circle that faces +x [sides, 3]."""
    angle = np.arange(sides) * 2 * np.pi / sides
    return np.stack([np.full(sides, x), y + np.cos(angle) * radius, z + np.sin(angle) * radius], 1)


def _lights(mesh: Mesh, sections: Array) -> None:
    tail, nose = sections[0], sections[-1]
    for side in (-1.0, 1.0):
        x0, x1 = sorted((side * 0.36, side * 0.70))
        front = [(x1, nose[0] - 0.06, 0.60), (x0, nose[0] - 0.06, 0.60)]
        front += [(x0, nose[0] - 0.16, 0.74), (x1, nose[0] - 0.16, 0.74)]
        mesh.polygon([(x, y + 0.09, z) for x, y, z in front], _HEAD)
        x0, x1 = sorted((side * 0.46, side * 0.72))
        high = float(tail[2])
        rear = [(x0, tail[0] - 0.02, high - 0.16), (x1, tail[0] - 0.02, high - 0.16)]
        rear += [(x1, tail[0] - 0.02, high + 0.02), (x0, tail[0] - 0.02, high + 0.02)]
        mesh.polygon(rear, _TAIL)


def _details(mesh: Mesh, sections: Array) -> None:
    """Number plates, grille, mirrors, a dark line below."""
    tail, nose = float(sections[0, 0]), float(sections[-1, 0])
    grille = Paint(Label.CAR, Material.RUBBER, (0.01, 0.01, 0.01))
    for y, sign, paint, low, high, half in (
        (nose + 0.012, -1, grille, 0.30, 0.45, 0.5),
        (nose + 0.02, -1, _PLATE, 0.36, 0.47, 0.25),
        (tail - 0.012, 1, grille, 0.26, 0.38, 0.6),
        (tail - 0.015, 1, _PLATE, 0.50, 0.61, 0.25),
    ):
        face = [(-half, y, low), (half, y, low), (half, y, high), (-half, y, high)]
        mesh.polygon(face if sign > 0 else face[::-1], paint)
    if sections[1, 3] > _HIGH:
        pane = [(-0.62, tail - 0.005, 1.16), (0.62, tail - 0.005, 1.16)]
        mesh.polygon([*pane, (0.58, tail + 0.02, 1.68), (-0.58, tail + 0.02, 1.68)], _PANE)
    base = sections[sections[:, 3] > _HIGH][-1]
    for side in (-1.0, 1.0):
        mesh.ball((side * 1.0, base[0] + 0.42, 1.02), (0.10, 0.05, 0.07), _BODY, 6)
