"""Street furniture: lamps, traffic lights, signs, bollards and fences, at the origin, facing -y."""

import numpy as np
from numpy.typing import NDArray

from .classes import Label
from .mesh import Material, Mesh, Paint, srgb

STEEL = Paint(Label.POLE, Material.METAL, srgb(0.36, 0.38, 0.39))
LAMP_HEIGHT = 5.6
LAMP_REACH = 1.5


def make_lamp() -> Mesh:
    """A street lamp; its arm reaches towards -y."""
    mesh = Mesh()
    mesh.tube((0, 0, 0), (0, 0, 1.0), (0.10, 0.09), STEEL, 6)
    mesh.tube((0, 0, 1.0), (0, 0, LAMP_HEIGHT - 0.4), (0.065, 0.05), STEEL, 6)
    mesh.tube((0, 0, LAMP_HEIGHT - 0.45), (0, -0.6, LAMP_HEIGHT), (0.045, 0.04), STEEL, 5)
    mesh.tube((0, -0.6, LAMP_HEIGHT), (0, -LAMP_REACH, LAMP_HEIGHT), (0.04, 0.04), STEEL, 5)
    low, high = (
        (-0.14, -LAMP_REACH - 0.45, LAMP_HEIGHT - 0.06),
        (0.14, -LAMP_REACH + 0.2, LAMP_HEIGHT + 0.07),
    )
    mesh.box(low, high, STEEL)
    glow = STEEL.but(Label.POLE, Material.LAMP, (0.9, 0.9, 0.85))
    mesh.polygon(
        [
            (low[0], low[1], low[2]),
            (low[0], high[1], low[2]),
            (high[0], high[1], low[2]),
            (high[0], low[1], low[2]),
        ],
        glow,
    )
    return mesh


def make_traffic_light() -> Mesh:
    """A traffic light that looks towards -y; red is lit."""
    mesh = Mesh()
    mesh.tube((0, 0, 0), (0, 0, 2.3), (0.06, 0.055), STEEL, 6)
    case = Paint(Label.TRAFFIC_LIGHT, Material.METAL, srgb(0.10, 0.11, 0.11))
    mesh.box((-0.16, -0.14, 2.25), (0.16, 0.12, 3.15), case, bottom=True)
    angle = np.linspace(0, 2 * np.pi, 10)[:-1]
    colours = ((0.02, 0.25, 0.10), (0.30, 0.16, 0.02), (0.95, 0.06, 0.03))
    for index, colour in enumerate(colours):
        middle = 2.4 + 0.29 * index
        lens = Paint(Label.TRAFFIC_LIGHT, Material.LENS, colour, seed=1.0 if index == 2 else 0.0)
        points = [(np.cos(a) * 0.105, -0.145, middle + np.sin(a) * 0.105) for a in angle]
        mesh.polygon(points, lens)
        hood = [
            (-0.13, -0.14, middle + 0.12),
            (0.13, -0.14, middle + 0.12),
            (0.11, -0.32, middle + 0.10),
            (-0.11, -0.32, middle + 0.10),
        ]
        mesh.polygon(hood, case)
        mesh.polygon(hood[::-1], case)
    return mesh


def make_sign(kind: int) -> Mesh:
    """A road sign that looks towards -y: 0 round and red-rimmed, 1 blue disc, 2 yield, 3 square."""
    mesh = Mesh()
    mesh.tube((0, 0.04, 0), (0, 0.04, 2.75), (0.035, 0.035), STEEL, 5)
    count, turn = ((20, 0.0), (20, 0.0), (3, -np.pi / 2), (4, np.pi / 4))[kind]
    angle = np.arange(count) * 2 * np.pi / count + turn
    rim = ((0.65, 0.05, 0.05), (0.05, 0.16, 0.5), (0.65, 0.05, 0.05), (0.05, 0.16, 0.5))[kind]
    inner = ((0.85, 0.85, 0.85), (0.05, 0.16, 0.5), (0.85, 0.85, 0.85), (0.85, 0.85, 0.85))[kind]
    for radius, colour, y in ((0.36, rim, -0.01), (0.25, inner, -0.022)):
        points = [(np.cos(a) * radius, y, 2.45 + np.sin(a) * radius) for a in angle]
        mesh.polygon(points, Paint(Label.TRAFFIC_SIGN, Material.SIGN, colour))
    back = [(np.cos(a) * 0.36, 0.0, 2.45 + np.sin(a) * 0.36) for a in angle[::-1]]
    mesh.polygon(back, Paint(Label.TRAFFIC_SIGN, Material.METAL, srgb(0.5, 0.5, 0.5)))
    return mesh


def make_bollard() -> Mesh:
    """A low post."""
    mesh = Mesh()
    dark = Paint(Label.POLE, Material.METAL, srgb(0.22, 0.23, 0.24))
    mesh.tube((0, 0, 0), (0, 0, 0.9), (0.07, 0.06), dark, 6, cap=True)
    return mesh


def add_fence(
    mesh: Mesh,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    base: float,
    instance: int,
    tint: tuple[float, float, float],
) -> None:
    """A picket fence: one card, cut out by the fragment shader, seen from both sides."""
    paint = Paint(Label.FENCE, Material.WOOD, tint, instance)
    length = float(np.linalg.norm(end - start))
    points = [(*start, base), (*end, base), (*end, base + 1.1), (*start, base + 1.1)]
    direction = (end - start) / length
    normal = (direction[1], -direction[0], 0.0)
    uv = [(0, 0), (length, 0), (length, 1.1), (0, 1.1)]
    mesh.polygon(points, paint, uv=uv, normals=[normal] * 4)
