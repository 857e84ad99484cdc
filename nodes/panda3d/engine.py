"""The procedural city as an engine: labels, instances, depth and exact motion of every frame."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...training.synthetic.street.classes import CLASSES
from ...training.synthetic.street.drive import Route
from ...training.synthetic.street.renderer import StreetFrame, StreetRenderer
from ...training.synthetic.street.world import World, draw_world
from ..engine import EngineFrame
from .car import Car, Controls

DRIVE_S = 60.0
"""Length of a drive; the next one goes through another city."""
FIRST_SEED = 100_000
"""Cities from here on were not trained on."""


EYE, PITCH = 1.52, -1.0
"""Of who drives: metres above the street, degrees."""


class Wheel(Protocol):
    """Where somebody's hands are."""

    def read(self) -> Controls:
        """What they ask for now."""
        ...


@dataclass(frozen=True)
class Steered(Route):
    """A drive that goes where a car is, whatever the time."""

    car: Car

    def view(self, time: float) -> tuple[NDArray[np.float64], float, float, float]:
        car = self.car
        return np.array([car.x, car.y, EYE]), float(np.degrees(car.heading)), PITCH, 0.0


class PandaCity:
    """Drives through cities by itself, without a window. shaded: with sun, shadows and textures.

    Shading costs several times what painting does; the planes that go out are the same without.
    `wheel`: who drives, in one city then; None: it drives by itself, a minute in each.
    """

    wheel: Wheel | None = None

    name = "panda3d"
    classes = CLASSES
    mapping: Mapping[str, str] = {}

    def __init__(
        self, seed: int = 0, *, width: int = 512, height: int = 256, shaded: bool = False
    ) -> None:
        self.size = width, height
        self._renderer = StreetRenderer(width, height)
        self._shaded = shaded
        self._drive = FIRST_SEED + 1000 * seed
        self._time: float | None = None

    def step(self, seconds: float) -> EngineFrame:
        """Drive on by some seconds and render; a new drive is a cut."""
        cut = self._time is None or (self.wheel is None and self._time + seconds >= DRIVE_S)
        self._time = 0.0 if self._time is None or cut else self._time + seconds
        if cut:
            self._enter(draw_world(self._drive, self._drive, DRIVE_S))
            self._drive += 1
        if self.wheel:
            cut |= self._steer(self.wheel.read(), seconds)
        frame = self._renderer.render(self._time, shaded=self._shaded)
        rgb = frame.rgb if self._shaded else clay(frame)
        return EngineFrame(rgb=rgb, planes=frame.planes, reset=cut)

    def _enter(self, world: World) -> None:
        if self.wheel:
            x, y, heading = world.route.place(0.0)
            self.car = Car(plan=world.city.plan, x=x, y=y, heading=heading)
            world = replace(world, route=Steered(**vars(world.route), car=self.car))
        self._renderer.enter(world, style=0)

    def _steer(self, controls: Controls, seconds: float) -> bool:
        """Drive on; returns whether the car was put elsewhere, which is a cut."""
        if controls.again:
            self.car.put_back()
            self._renderer.was_clip = None
        else:
            self.car.drive(controls, seconds)
        return controls.again

    def close(self) -> None:
        """Give the buffers back."""
        self._renderer.close()


def clay(frame: StreetFrame) -> NDArray[np.uint8]:
    """A grey model of the world [H, W, 3], lit from above: an engine without textures."""
    inverse = 1 / np.where(frame.depth > 0, frame.depth, np.inf)  # linear along flat surfaces
    across, down = (cv2.Sobel(inverse, cv2.CV_32F, *way, ksize=3) for way in ((1, 0), (0, 1)))
    steep = np.abs(across) + 1e-6
    light = 0.5 + 0.4 * np.clip(down / (steep + np.abs(down)), 0, 1)
    grey = np.where(frame.depth > 0, 205 * light, 225).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)
