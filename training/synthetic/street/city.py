"""What a city is made of: meshes in chunks, and what the light depends on."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .layout import Plan, Rectangle
from .mesh import Mesh
from .plants import make_tree

CELL = 32.0  # side of a chunk, metres
Kind = Literal["ground", "walls", "solids", "leaves"]
Detail = Literal["all", "near", "far"]
BOTH: tuple[Detail, Detail] = ("near", "far")


@dataclass
class Spot:
    """Where something stands that shades the ground around it: plan, radius, how much."""

    x: float
    y: float
    radius: float
    shade: float


@dataclass
class City:
    """Meshes by kind, detail and cell, and what else the light depends on."""

    plan: Plan
    chunks: dict[tuple[Kind, Detail, int, int], Mesh] = field(default_factory=dict)
    footprints: list[Rectangle] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    lamps: list[tuple[float, float]] = field(default_factory=list)
    instances: int = 0

    def instance(self) -> int:
        """A number for one more thing."""
        self.instances += 1
        return self.instances

    def at(self, kind: Kind, x: float, y: float, detail: Detail = "all") -> Mesh:
        """The mesh that takes what stands at a point."""
        key = kind, detail, int(x // CELL), int(y // CELL)
        return self.chunks.setdefault(key, Mesh())

    def place(
        self,
        model: Mesh,
        at: tuple[float, float, float],
        heading: float = 0.0,
        detail: Detail = "all",
        instance: int | None = None,
        tint: tuple[float, float, float] | None = None,
    ) -> None:
        """Put up a solid model, as a thing of its own unless told which."""
        mesh = self.at("solids", at[0], at[1], detail)
        mesh.place(model, at, heading, instance=instance or self.instance(), tint=tint)

    def plant(
        self,
        trees: "Trees",
        at: tuple[float, float, float],
        scale: float,
        rng: np.random.Generator,
    ) -> None:
        """Put up one of some trees."""
        model = trees[int(rng.integers(len(trees)))]
        heading, instance = float(rng.uniform(0, 2 * np.pi)), self.instance()
        x, y, _ = at
        for detail in BOTH:
            wood, leaves = model[detail]
            self.at("solids", x, y, detail).place(wood, at, heading, scale, instance=instance)
            self.at("leaves", x, y, detail).place(leaves, at, heading, scale, instance=instance)
        self.spots.append(Spot(x, y, 2.4 * scale, 0.30))
        self.spots.append(Spot(x, y, 0.5, 0.45))


Trees = list[dict[Detail, tuple[Mesh, Mesh]]]  # wood and leaves


def make_trees(rng: np.random.Generator, count: int) -> Trees:
    """Some trees, each in full for near ones and coarse for far ones."""
    seeds = rng.integers(0, 2**31, count)
    return [
        {detail: make_tree(np.random.default_rng(seed), fine=detail == "near") for detail in BOTH}
        for seed in seeds
    ]
