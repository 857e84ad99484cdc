"""What moves: cars in their lanes and people on the pavements, as functions of time."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .cars import BODIES, CAR_TINTS
from .drive import Route, Stop
from .layout import Block, Plan, Street
from .paths import Across, Ahead, Around, Lane, Path
from .people import PEOPLE

Array = NDArray[np.float64]
_TIMES = np.arange(0, 40, 0.25)  # seconds at which nothing that moves may meet
_CAMERA, _CAR, _PERSON = 6.5, 5.5, 0.7  # metres of room that one takes
_NEARBY = 100.0  # metres from the drive within which people walk


@dataclass(frozen=True)
class Mover:
    """Something that moves: a car or a person, its model, colour (of a car) and instance."""

    car: bool
    model: int
    tint: int
    instance: int
    path: Path


def draw_traffic(
    plan: Plan, route: Route, rng: np.random.Generator, first: int
) -> tuple[Mover, ...]:
    """Sample what moves while the camera drives; instances are numbered from `first`."""
    own = np.array([route.place(time)[:2] for time in _TIMES])
    crowd = _Crowd(rng, first, [(own, _CAMERA)])
    for place in range(1, route.queue + 1):
        crowd.add(Ahead(route, place * float(rng.uniform(0.8, 1.8)), place), car=True)
    for stop in route.stops:
        for _ in range(int(rng.integers(1, 4))):
            crowd.join(_over_the_zebra(stop, rng), car=False)
    for street in (*plan.north, *plan.east):
        _fill_lanes(crowd, plan, street, rng)
    for block in plan.blocks:
        if all(block.streets) and _distance(block, own) < _NEARBY:
            for _ in range(int(rng.integers(14, 26))):
                crowd.join(_stroll(block, rng), car=False)
    return tuple(crowd.movers)


@dataclass
class _Crowd:
    """Movers, and where each of them is at all times."""

    rng: np.random.Generator
    first: int
    taken: list[tuple[Array, float]]
    movers: list[Mover] = field(default_factory=list)

    def join(self, path: Path, *, car: bool) -> None:
        """Add one unless it would meet another."""
        places, room = _places(path), _CAR if car else _PERSON
        for other, width in self.taken:
            if np.min(np.linalg.norm(places - other, axis=1)) < (room + width) / 2:
                return
        self.add(path, car=car)

    def add(self, path: Path, *, car: bool) -> None:
        """Add one that cannot meet another."""
        self.taken.append((_places(path), _CAR if car else _PERSON))
        model = int(self.rng.integers(len(BODIES) if car else PEOPLE))
        tint = int(self.rng.integers(len(CAR_TINTS)))
        self.movers.append(Mover(car, model, tint, self.first + len(self.movers), path))


def _places(path: Path) -> Array:
    return np.array([(pose.x, pose.y) for pose in map(path, _TIMES)])


def _distance(block: Block, places: Array) -> float:
    """How far a block is from the nearest of some places."""
    x0, y0, x1, y1 = block.outer
    nearest = np.clip(places, (x0, y0), (x1, y1))
    return float(np.min(np.linalg.norm(places - nearest, axis=1)))


def _over_the_zebra(stop: Stop, rng: np.random.Generator) -> Across:
    forth = np.array(stop.line.way)
    right = np.array([forth[1], -forth[0]]) * (1 if rng.random() < 0.5 else -1)
    middle = np.array(stop.line.middle) + forth * rng.uniform(-1.0, 1.0)
    reach = right * (stop.line.half + rng.uniform(0.5, 0.9))
    (x0, y0), (x1, y1) = (middle - reach).tolist(), (middle + reach).tolist()
    since = stop.since + float(rng.uniform(-1.5, 1.0))
    return Across((x0, y0), (x1, y1), since, float(rng.uniform(1.2, 1.6)))


def _fill_lanes(crowd: _Crowd, plan: Plan, street: Street, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = plan.bounds
    span = (y0, y1) if street.axis else (x0, x1)
    for forth in (1.0, -1.0):
        speed = float(rng.uniform(7, 11))
        where = float(rng.uniform(0, 40))
        while where < span[1] - span[0] - 30:
            crowd.join(Lane(street, forth, span, where, speed), car=True)
            where += float(rng.uniform(22, 70))


def _stroll(block: Block, rng: np.random.Generator) -> Around:
    x0, y0, x1, y1 = block.outer
    px0, py0, px1, py1 = block.plot
    share = float(rng.uniform(0.45, 0.8))
    low = x0 + (px0 - x0) * share, y0 + (py0 - y0) * share
    high = x1 + (px1 - x1) * share, y1 + (py1 - y1) * share
    speed = float(rng.uniform(0.9, 1.5)) * (1 if rng.random() < 0.5 else -1)
    return Around(low, high, float(rng.uniform(0, 300)), speed)
