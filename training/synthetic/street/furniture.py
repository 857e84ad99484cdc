"""What stands on pavements and at kerbs: lamps, trees, signs, traffic lights, parked cars."""

import numpy as np

from .cars import BODIES, CAR_TINTS, make_car
from .city import BOTH, City, Spot, make_trees
from .ground import along
from .layout import KERB, Street
from .props import LAMP_REACH, make_bollard, make_lamp, make_sign, make_traffic_light

_LAMPS, _TREES, _BOLLARDS = 26.0, 9.5, 2.4  # metres from one to the next


class Models:
    """What is placed many times."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.trees = make_trees(rng, 6)
        self.cars = [
            {detail: make_car(kind, fine=detail == "near") for detail in BOTH}
            for kind in range(len(BODIES))
        ]
        self.lamp = make_lamp()
        self.light = make_traffic_light()
        self.signs = [make_sign(kind) for kind in range(4)]
        self.bollard = make_bollard()


def furnish(
    city: City,
    models: Models,
    street: Street,
    span: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Put up what stands along a stretch of street between two crossings."""
    trees = street.pavement > 3.0 and rng.random() < 0.65
    for side in (-1.0, 1.0):
        _lamps(city, models, street, span, side)
        if trees:
            _row_of_trees(city, models, street, span, side, rng)
        elif rng.random() < 0.35:
            for where in np.arange(span[0] + 4, span[1] - 4, _BOLLARDS):
                x, y = along(street, where, side * (street.half + 0.4))
                city.place(models.bollard, (x, y, KERB))
        if rng.random() < 0.6:
            where = float(rng.uniform(span[0] + 6, span[1] - 6))
            x, y = along(street, where, side * (street.half + 0.5))
            sign = models.signs[int(rng.integers(4))]
            city.place(sign, (x, y, KERB), _facing(street, side))
        if street.parking:
            _park_cars(city, models, street, (span[0] + 10, span[1] - 11), side, rng)


def _facing(street: Street, side: float) -> float:
    """Heading of a model that looks at those who drive on a side of a street (1: up it, right)."""
    return (0.0 if street.axis else -np.pi / 2) + (0.0 if side > 0 else np.pi)


def _lamps(
    city: City, models: Models, street: Street, span: tuple[float, float], side: float
) -> None:
    lateral = side * (street.half + 0.55)
    towards = (0.0 if street.axis else -np.pi / 2) - side * np.pi / 2
    for where in np.arange(span[0] + (14 if side > 0 else 8), span[1] - 6, _LAMPS):
        x, y = along(street, where, lateral)
        city.place(models.lamp, (x, y, KERB), towards)
        city.lamps.append(along(street, where, lateral - side * LAMP_REACH))


def _row_of_trees(
    city: City,
    models: Models,
    street: Street,
    span: tuple[float, float],
    side: float,
    rng: np.random.Generator,
) -> None:
    for where in np.arange(span[0] + 5, span[1] - 5, _TREES):
        x, y = along(street, where + rng.uniform(-1, 1), side * (street.half + 0.95))
        if all((x - a) ** 2 + (y - b) ** 2 > 9 for a, b in city.lamps[-8:]):
            city.plant(models.trees, (x, y, KERB), float(rng.uniform(0.6, 0.85)), rng)


def _park_cars(
    city: City,
    models: Models,
    street: Street,
    span: tuple[float, float],
    side: float,
    rng: np.random.Generator,
) -> None:
    where = span[0] + float(rng.uniform(0, 3))
    while where < span[1]:
        if rng.random() < 0.72:
            x, y = along(street, where, side * (street.half - 1.02 + rng.uniform(-0.06, 0.06)))
            model = models.cars[int(rng.integers(len(BODIES)))]
            tint = CAR_TINTS[int(rng.integers(len(CAR_TINTS)))]
            instance = city.instance()
            for detail in BOTH:
                place = (x, y, 0.0)
                city.place(model[detail], place, _facing(street, side), detail, instance, tint)
            for shift in (-1.1, 0.0, 1.1):
                below = along(street, where + shift, side * (street.half - 1.02))
                city.spots.append(Spot(*below, 1.0, 0.62))
        where += float(rng.uniform(5.4, 6.4))


def put_traffic_lights(city: City, models: Models, north: Street, east: Street) -> None:
    """Put up one for each way that comes to a crossing, on its right."""
    for street, other in ((north, east), (east, north)):
        for side in (1.0, -1.0):
            where = other.at - side * (other.half + 3.9)
            x, y = along(street, where, side * (street.half + 0.45))
            city.place(models.light, (x, y, KERB), _facing(street, side))
