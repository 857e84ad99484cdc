"""A window to drive in: it shows what is painted, and its keys are the controls."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...training.synthetic.street.stage import engine, panda
from .car import Controls

SCALE = 2
"""Of the window to the picture."""
THROTTLE = {"arrow_up": 1, "w": 1, "arrow_down": -1, "s": -1}
STEER = {"arrow_left": 1, "a": 1, "arrow_right": -1, "d": -1}
AGAIN, LEAVE = "r", "escape"


class Keys:
    """Controls from the keys that Panda3D tells of."""

    def __init__(self) -> None:
        self._down: set[str] = set()

    def read(self) -> Controls:
        """What is held down now, and what was struck since the last time."""
        struck = set[str]()
        queue = panda.EventQueue.get_global_event_queue()
        while not queue.is_queue_empty():
            name: str = queue.dequeue_event().get_name()
            if name.endswith("-up"):
                self._down.discard(name.removesuffix("-up"))
            else:
                self._down.add(name)
                struck.add(name)
        return Controls(
            throttle=_held(self._down, THROTTLE),
            steer=_held(self._down, STEER),
            again=AGAIN in struck,
            leave=LEAVE in struck,
        )


def _held(down: set[str], keys: dict[str, int]) -> float:
    ways = {keys[key] for key in down & keys.keys()}
    return float(sum(ways))


class Window:
    """For pictures of about a size [pixels]. Raises InputError where there is no display."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = SCALE * size[0], SCALE * size[1]
        self._graphics, _, _ = engine()
        self._window = self._open()
        self._texture = self._canvas()
        self._devices = panda.NodePath("devices")
        keyboard = panda.MouseAndKeyboard(self._window, 0, "keyboard")
        self._devices.attach_new_node(keyboard).attach_new_node(panda.ButtonThrower("keys"))
        self._traverser, self._keys, self._left = panda.DataGraphTraverser(), Keys(), False

    def _open(self) -> Any:
        """Drawn in software: OpenGL for a window does not go with OpenGL for the city."""
        pipe = panda.GraphicsPipeSelection.get_global_ptr().make_module_pipe("p3tinydisplay")
        if pipe is None or not pipe.is_valid():
            raise InputError("there is no display for a window to drive in")
        properties = panda.WindowProperties.size(*self._size)
        properties.set_title("Rotolive: arrow keys or WASD, R: back onto the road, Escape: end")
        flags = panda.GraphicsPipe.BF_require_window
        buffer = panda.FrameBufferProperties.get_default()
        opened = self._graphics.make_output(pipe, "drive", 9, buffer, properties, flags)
        self._graphics.open_windows()
        if opened is None or opened.is_closed():
            raise InputError("the display opens no window to drive in")
        return opened

    def _canvas(self) -> Any:
        """A texture over the whole window."""
        texture = panda.Texture("painted")
        texture.setup_2d_texture(*self._size, panda.Texture.T_unsigned_byte, panda.Texture.F_rgb)
        card = panda.CardMaker("painted")
        card.set_frame_fullscreen_quad()
        self._root = panda.NodePath(card.generate())
        self._root.set_texture(texture)
        lens = panda.OrthographicLens()
        lens.set_film_size(2, 2)
        lens.set_near_far(-1, 1)
        camera = self._root.attach_new_node(panda.Camera("painted", lens))
        self._window.make_display_region().set_camera(camera)
        return texture

    @property
    def closed(self) -> bool:
        """Whether who drives has left."""
        return self._left or self._window.is_closed()

    def show(self, rgb: NDArray[np.uint8]) -> None:
        """Show a picture [H, W, 3] when the city draws its next frame."""
        scaled = cv2.resize(rgb, self._size, interpolation=cv2.INTER_LINEAR)
        self._texture.set_ram_image(np.ascontiguousarray(scaled[::-1, :, ::-1]).tobytes())

    def read(self) -> Controls:
        """What is asked for by the keys."""
        self._traverser.traverse(self._devices.node())
        controls = self._keys.read()
        self._left |= controls.leave
        return controls

    def close(self) -> None:
        """Close the window."""
        self._graphics.remove_window(self._window)
