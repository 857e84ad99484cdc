"""People, standing at the origin, facing +y.

Their rows say in `extra` how they swing: the height of the joint at hip or shoulder, the swing
(radians, signed), the height of the knee or elbow (0: rigid) and how far that bends.
"""

import numpy as np

from .classes import Label
from .mesh import Material, Mesh, Paint, palette

_SKINS = palette((0.86, 0.68, 0.57), (0.72, 0.52, 0.40), (0.48, 0.33, 0.25))
_HAIRS = palette((0.16, 0.11, 0.08), (0.30, 0.20, 0.13), (0.55, 0.43, 0.27), (0.4, 0.4, 0.4))
_TOPS = palette(
    (0.25, 0.30, 0.40),
    (0.55, 0.22, 0.20),
    (0.75, 0.72, 0.66),
    (0.30, 0.36, 0.28),
    (0.16, 0.16, 0.18),
    (0.50, 0.44, 0.36),
    (0.62, 0.55, 0.30),
    (0.36, 0.45, 0.55),
)
_LEGS = palette((0.18, 0.21, 0.30), (0.13, 0.13, 0.14), (0.42, 0.38, 0.32), (0.28, 0.30, 0.34))
_SHOE = Paint(Label.PERSON, Material.RUBBER, (0.02, 0.02, 0.02))
_SIDES = 7
PEOPLE = 8  # different people


def make_person(index: int) -> Mesh:
    """A dressed person of about 1.75 m; one of `PEOPLE`."""
    rng = np.random.default_rng((11, index))
    mesh = Mesh()
    skin = Paint(Label.PERSON, Material.SKIN, _SKINS[int(rng.integers(len(_SKINS)))])
    top = Paint(Label.PERSON, Material.CLOTH, _TOPS[int(rng.integers(len(_TOPS)))])
    legs = Paint(Label.PERSON, Material.CLOTH, _LEGS[int(rng.integers(len(_LEGS)))])
    hair = Paint(Label.PERSON, Material.CLOTH, _HAIRS[int(rng.integers(len(_HAIRS)))])
    coat = bool(rng.random() < 0.4)
    _leg_pair(mesh, legs)
    _arm_pair(mesh, top, skin)
    mesh.ball((0, 0, 1.22), (0.185, 0.125, 0.32), top, 10)
    mesh.ball((0, 0, 0.95), (0.165, 0.125, 0.17), top if coat else legs, 10)
    if coat:
        mesh.tube((0, 0, 1.15), (0, 0, 0.68), (0.165, 0.21), top, 10)
    mesh.ball((0, 0, 1.40), (0.20, 0.10, 0.10), top, 8)
    mesh.tube((0, 0, 1.42), (0, 0.01, 1.56), (0.055, 0.05), skin, 6)
    mesh.ball((0, 0.015, 1.64), (0.078, 0.095, 0.115), skin, 8)
    mesh.ball((0, -0.018, 1.675), (0.088, 0.098, 0.098), hair, 8)
    if rng.random() < 0.35:
        bag = Paint(Label.PERSON, Material.CLOTH, _LEGS[1])
        mesh.ball((0, -0.17, 1.22), (0.14, 0.09, 0.2), bag, 8)
    return mesh


def _leg_pair(mesh: Mesh, paint: Paint) -> None:
    for side in (-1.0, 1.0):
        x = side * 0.09
        thigh, shin = (0.92, side * 0.5, 0.0, 0.0), (0.92, side * 0.5, 0.5, -0.75)
        mesh.tube((x, 0, 0.50), (x, 0, 0.92), (0.07, 0.10), paint, _SIDES, extra=thigh)
        mesh.tube((x, 0, 0.09), (x, 0, 0.52), (0.05, 0.072), paint, _SIDES, extra=shin)
        mesh.ball((x, 0.05, 0.06), (0.052, 0.13, 0.055), _SHOE, 6, extra=shin)


def _arm_pair(mesh: Mesh, sleeve: Paint, skin: Paint) -> None:
    for side in (-1.0, 1.0):
        x = side * 0.225
        upper, lower = (1.42, -side * 0.38, 0.0, 0.0), (1.42, -side * 0.38, 1.13, 0.6)
        mesh.tube(
            (x, 0, 1.12), (x - side * 0.02, 0, 1.44), (0.045, 0.06), sleeve, _SIDES, extra=upper
        )
        mesh.tube((x, 0, 0.90), (x, 0, 1.14), (0.036, 0.046), sleeve, _SIDES, extra=lower)
        mesh.ball((x, 0.01, 0.85), (0.035, 0.045, 0.065), skin, 6, extra=lower)
