"""Doom as an engine: a real game, with labels, instances, depth and motion of every pixel.

The game (ViZDoom, Wydmuch et al. 2019) tells where things, walls and sectors are, and which pixels
belong to which thing. The world's planes are computed from that (`cast`), exactly; the game's own
depth has 8 bits, in steps of 0.23 m. Bars and grates within a doorway are labelled as what is
behind them.
"""

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine import EngineFrame
from .bot import Bot, Buttons, Sight, free
from .cast import Camera, cast, crossings
from .game import action, library, start
from .level import CLASSES, MAPPING, Level
from .motion import Past, of_world, rise
from .things import alive, blocks, draw, place, sprites

if TYPE_CHECKING:
    from vizdoom import GameState, Label

Wad = Literal["freedoom1.wad", "freedoom2.wad"]
SIZE = (512, 256)
RENDERED = (512, 288)
"""The next larger picture that the game has; its middle is taken."""
FOCAL = (192.0, 230.4)
"""Of it, in pixels: 90 degrees wide at 4:3, so 106 at 16:9, and rows 1.2 times as dense."""
TICS = 35
"""In a second."""
UNIT_M = 1 / 32
"""A map unit: somebody is 56 tall."""
SKY = CLASSES.index("sky")
LEAP = 80.0
"""Who is farther away after a tic, in map units, came by a teleporter."""


class VizDoom:
    """A map of Freedoom. `buttons`: what is pressed; None: a bot plays.

    name: of the map, in `wad`, such as E1M1 of the first. skill: from 1, easy, to 5.
    """

    name = "doom"
    classes = CLASSES
    mapping = MAPPING
    size = SIZE
    buttons: Buttons | None = None

    def __init__(
        self, name: str = "MAP10", *, wad: Wad = "freedoom2.wad", skill: int = 2, seed: int = 0
    ) -> None:
        path = Path(library().__file__ or "").with_name(wad)
        self._level, self._bot = Level.load(path, name), Bot(seed)
        self._folder = TemporaryDirectory(prefix="rotolive-doom-")
        self._game = start(path, name, skill, seed, self._folder.name)
        self._due = 0.0
        self._past: Past | None = None
        self._sight: Sight | None = None

    def step(self, seconds: float) -> EngineFrame:
        """Go on by some seconds, in whole tics of 1/35 s, and render."""
        self._due += seconds * TICS
        tics = int(self._due + 1e-6)
        self._due -= tics
        if tics and self._sight:
            pressed = self.buttons or self._bot.act(self._sight)
            self._game.make_action(action(pressed), tics)
        if self._game.is_episode_finished():
            self.restart()
        return self._frame(self._game.get_state(), tics)

    def restart(self) -> None:
        """Begin the map again, which is a cut."""
        self._game.new_episode()
        self._bot.reset()
        self._past = self._sight = None

    def close(self) -> None:
        """End the game."""
        self._game.close()
        self._folder.cleanup()

    def _frame(self, state: "GameState", tics: int) -> EngineFrame:
        sectors = state.sectors or ()
        heights = np.array([(s.floor_height, s.ceiling_height) for s in sectors], np.float32)
        things = {thing.object_id: place(thing) for thing in state.labels or ()}
        now, then = Past(camera=_camera(state), heights=heights, things=things), self._past
        if then and _leapt(then.camera, now.camera, tics):
            then = None
        met = crossings(self._level, now.camera)
        seen = cast(self._level, heights, now.camera, met)
        self._sight = _sight(state, now.camera, free(self._level, heights, met))
        self._past = now
        planes = self._planes(state, now, then, *seen)
        return EngineFrame(rgb=_crop(state.screen_buffer), planes=planes, reset=then is None)

    def _planes(
        self,
        state: "GameState",
        now: Past,
        then: Past | None,
        surface: NDArray[np.intp],
        depth: NDArray[np.float32],
    ) -> dict[str, NDArray[Any]]:
        """Label, instance, depth in metres and motion, from surfaces and depths in map units."""
        level = self._level
        label = level.labels.take(surface)
        depth[label == SKY] = np.inf
        risen = rise(level, now.heights, then.heights) if then else None
        risen = None if risen is None else risen.take(surface)
        motion = of_world(depth, risen, now.camera, then.camera if then else now.camera)
        planes = label, level.instances.take(surface), depth, motion
        first = int(level.instances.max()) + 1
        found = sprites(state.labels or (), first, now.camera, then)
        draw(_crop(state.labels_buffer), found, *planes)
        depth *= UNIT_M
        return dict(zip(("label", "instance", "depth", "motion"), planes, strict=True))


def _crop(picture: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The middle of what was rendered, [H, W, ...]."""
    assert picture is not None
    top = (RENDERED[1] - SIZE[1]) // 2
    return picture[top : top + SIZE[1]]


def _camera(state: "GameState") -> Camera:
    assert state.game_variables is not None
    x, y, z, angle, pitch = (float(value) for value in state.game_variables)
    return Camera(
        x=x,
        y=y,
        z=z,
        angle=math.radians(angle),
        pitch=-math.radians(pitch),
        focal=FOCAL,
        size=SIZE,
    )


def _leapt(then: Camera, now: Camera, tics: int) -> bool:
    return math.hypot(now.x - then.x, now.y - then.y) > LEAP * max(1, tics)


def _sight(state: "GameState", camera: Camera, ways: NDArray[np.float32]) -> Sight:
    def seen(wanted: Callable[["Label"], bool]) -> tuple[tuple[float, float], ...]:
        places = [place(thing)[:2] for thing in state.labels or () if wanted(thing)]
        right, ahead = camera.see(np.array(places, np.float32).reshape(-1, 2))
        return tuple((float(r / a), float(a)) for r, a in zip(right, ahead, strict=True) if a > 1)

    return Sight(
        x=camera.x,
        y=camera.y,
        angle=camera.angle,
        slopes=camera.slopes(),
        free=ways,
        targets=seen(alive),
        hurdles=seen(blocks),
    )
