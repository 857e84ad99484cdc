"""A city, a drive through it and what moves there: all that a picture at a time depends on."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from .blocks import fill_block
from .city import City
from .drive import Route, draw_route
from .furniture import Models, furnish, put_traffic_lights
from .ground import along, block_surface, crossing_surface, street_surface
from .layout import Plan, Street, draw_plan
from .traffic import Mover, draw_traffic


@dataclass(frozen=True)
class World:
    """What a renderer shows."""

    city: City
    route: Route
    movers: tuple[Mover, ...]


@lru_cache(maxsize=2)
def build_city(seed: int) -> City:
    """The city of a seed; the same seed makes the same city."""
    rng = np.random.default_rng((seed, 77))
    plan = draw_plan(rng)
    city = City(plan)
    models = Models(rng)
    for block in plan.blocks:
        x0, y0, x1, y1 = block.outer
        block_surface(city.at("ground", (x0 + x1) / 2, (y0 + y1) / 2), block)
        fill_block(city, block, models.trees, rng)
    for street, others in _streets(plan):
        for before, after in pairwise(others):
            middle = along(street, (before.at + after.at) / 2, 0.0)
            street_surface(city.at("ground", *middle), street, before, after)
            span = before.at + before.half, after.at - after.half
            furnish(city, models, street, span, rng)
    for north in plan.north:
        for east in plan.east:
            crossing_surface(city.at("ground", north.at, east.at), north, east)
            if north.marked and east.marked:
                put_traffic_lights(city, models, north, east)
    return city


def _streets(plan: Plan) -> Iterator[tuple[Street, tuple[Street, ...]]]:
    """Every street, with those that cross it."""
    for street in plan.north:
        yield street, plan.east
    for street in plan.east:
        yield street, plan.north


def draw_world(city_seed: int, seed: int, seconds: float) -> World:
    """A drive of at least `seconds`, sampled by its own seed, through the city of another."""
    rng = np.random.default_rng((seed, 13))
    city = build_city(city_seed)
    route = draw_route(city.plan, rng, seconds)
    movers = draw_traffic(city.plan, route, rng, city.instances + 1)
    return World(city, route, movers)
