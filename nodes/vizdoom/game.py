"""The game itself, without a window."""

import contextlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...model.errors import InputError
from .bot import Buttons

if TYPE_CHECKING:
    from vizdoom import DoomGame

VARIABLES = (
    "CAMERA_POSITION_X",
    "CAMERA_POSITION_Y",
    "CAMERA_POSITION_Z",
    "CAMERA_ANGLE",
    "CAMERA_PITCH",
)
BUTTONS = (
    "MOVE_FORWARD_BACKWARD_DELTA",
    "MOVE_LEFT_RIGHT_DELTA",
    "TURN_LEFT_RIGHT_DELTA",
    "LOOK_UP_DOWN_DELTA",
    "ATTACK",
    "USE",
)
SPEED = 25.0
"""Of somebody who walks, as the game counts it."""
FROZEN = 10
"""Tics at the beginning in which nobody can move."""
HIDDEN = (
    "hud",
    "crosshair",
    "weapon",
    "decals",
    "particles",
    "effects_sprites",
    "messages",
    "screen_flashes",
)
"""What belongs to the player or passes in a moment, and has no label."""


def library() -> ModuleType:
    """Import vizdoom. Raises InputError saying how to install it."""
    try:
        import vizdoom
    except ImportError as error:
        raise InputError(f"{error}; install with `pip install 'rotolive[engines]'`") from error
    return vizdoom


def start(wad: Path, name: str, skill: int, seed: int, folder: str) -> "DoomGame":
    """Start a map. What the game writes, it writes where it is started: into this folder."""
    doom = library()
    game = doom.DoomGame()
    game.set_doom_game_path(str(wad))
    game.set_doom_map(name.lower())
    game.set_doom_skill(skill)
    game.set_seed(seed)
    game.set_episode_start_time(FROZEN)
    game.set_screen_resolution(doom.ScreenResolution.RES_512X288)
    game.set_screen_format(doom.ScreenFormat.RGB24)
    game.set_labels_buffer_enabled(True)
    game.set_sectors_info_enabled(True)
    game.set_available_game_variables([getattr(doom.GameVariable, each) for each in VARIABLES])
    game.set_available_buttons([getattr(doom.Button, each) for each in BUTTONS])
    for part in HIDDEN:
        getattr(game, f"set_render_{part}")(False)
    game.add_game_args("+con_midtime 0")
    game.set_window_visible(False)
    with contextlib.chdir(folder):
        game.init()
    return game


def action(pressed: Buttons) -> list[float]:
    """What is pressed, in the order of BUTTONS."""
    return [
        pressed.forward * SPEED,
        pressed.right * SPEED,
        pressed.turn,
        pressed.look,
        float(pressed.attack),
        float(pressed.use),
    ]
