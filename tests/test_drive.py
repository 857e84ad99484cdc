"""Somebody drives the city: what keys do, what the car does, and a window on a real display."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from math import hypot
from pathlib import Path

import numpy as np
import pytest

from rotolive.model.errors import InputError
from rotolive.nodes.commands import engine

pytest.importorskip("panda3d")
from rotolive.nodes.panda3d.car import FASTEST, Car, Controls
from rotolive.nodes.panda3d.engine import PandaCity
from rotolive.nodes.panda3d.window import Keys, panda
from rotolive.training.synthetic.street.layout import Plan
from rotolive.training.synthetic.street.world import draw_world

SECOND = 1.0


@pytest.fixture(scope="module")
def city() -> Iterator[PandaCity]:
    city = PandaCity(width=128, height=64)
    city.wheel = Keys()
    yield city
    city.close()


def press(*names: str) -> None:
    """Queue events as Panda3D does for keys."""
    for name in names:
        panda.EventQueue.get_global_event_queue().queue_event(panda.Event(name))


def parked(seed: int = 3) -> Car:
    world = draw_world(seed, seed, 10.0)
    x, y, heading = world.route.place(0.0)
    car = Car(plan=world.city.plan, x=x, y=y, heading=heading)
    car.put_back()
    return car


def test_keys_are_controls() -> None:
    keys = Keys()
    press("arrow_up", "a", "mouse1", "window-event")
    assert keys.read() == Controls(throttle=1, steer=1)
    press("w", "arrow_up-up", "d", "d-repeat")
    assert keys.read() == Controls(throttle=1, steer=0)
    press("w-up", "a-up", "arrow_down", "r")
    assert keys.read() == Controls(throttle=-1, steer=-1, again=True)
    press("arrow_down-up", "d-up", "escape")
    assert keys.read() == Controls(leave=True)
    assert keys.read() == Controls()


def test_the_picture_follows_the_keys(city: PandaCity) -> None:
    frames = [city.step(1 / 30) for _ in range(3)]
    assert [frame.reset for frame in frames] == [True, False, False]
    still = np.abs(frames[-1].planes["motion"])
    begun = city.car.x, city.car.y
    press("arrow_up")
    frames = [city.step(1 / 30) for _ in range(40)]
    assert city.car.speed > 3 and hypot(city.car.x - begun[0], city.car.y - begun[1]) > 2
    moving = np.abs(frames[-1].planes["motion"])
    assert np.percentile(still, 60) < 0.01 < np.percentile(moving, 60)
    press("arrow_up-up", "r")
    again = city.step(1 / 30)
    assert again.reset and city.car.speed == 0 and not again.planes["motion"].any()
    assert not city.step(1 / 30).reset
    assert not city.step(100).reset, "nobody is taken to another city"


def test_the_car_pulls_brakes_and_goes_back() -> None:
    car = parked()
    begun, heading = (car.x, car.y), car.heading
    car.drive(Controls(throttle=1), 1.5)
    fast = car.speed
    assert 3 < fast < FASTEST and car.heading == heading
    car.drive(Controls(), SECOND)
    rolling = car.speed
    assert 0 < rolling < fast
    car.drive(Controls(throttle=-1), rolling / 6)
    assert car.speed <= 0
    gone = hypot(car.x - begun[0], car.y - begun[1])
    car.drive(Controls(throttle=-1), SECOND)
    assert car.speed < -1 and hypot(car.x - begun[0], car.y - begun[1]) < gone
    car.drive(Controls(), 20.0)
    assert car.speed == 0


def test_left_is_left() -> None:
    for steer in (1, -1):
        car = parked()
        heading = car.heading
        car.drive(Controls(throttle=1, steer=steer), SECOND)
        assert (car.heading - heading) * steer > 0.05


def test_nobody_drives_through_houses() -> None:
    """Whatever is pressed, the car's middle stays outside of all blocks, but for round kerbs."""
    rng = np.random.default_rng(0)
    car, travelled, stops = parked(), 0.0, 0
    for _ in range(400):
        was = car.x, car.y
        controls = Controls(throttle=float(rng.choice([1, 1, 1, -1])), steer=rng.uniform(-1, 1))
        car.drive(controls, 0.5)
        travelled += hypot(car.x - was[0], car.y - was[1])
        stops += (car.x, car.y) == was
        assert not in_a_block(car.plan, car.x, car.y)
        if stops % 5 == 4:
            car.put_back()
            stops += 1
            assert not in_a_block(car.plan, car.x, car.y)
    assert travelled > 200 and stops > 5


def in_a_block(plan: Plan, x: float, y: float) -> bool:
    boxes = (block.outer for block in plan.blocks)
    return any(x0 + 0.6 < x < x1 - 0.6 and y0 + 0.6 < y < y1 - 0.6 for x0, y0, x1, y1 in boxes)


def test_driving_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match="no display"):
        engine("panda3d", drive=True, browser=False)
    for more in ({"what": "vizdoom"}, {"what": "panda3d", "out": Path("x.mp4")}):
        with pytest.raises(InputError, match="--drive"):
            engine(**more, drive=True)  # pyright: ignore[reportArgumentType]


SHOWN = """
import numpy as np
from rotolive.nodes.panda3d.engine import PandaCity
from rotolive.nodes.panda3d.window import Window
city = PandaCity(width=128, height=64)
city.wheel = window = Window(city.size)
assert not window.closed
picture = np.zeros((64, 128, 3), np.uint8)
picture[:32], picture[32:, :64] = (200, 100, 0), (0, 0, 250)
for _ in range(4):
    window.show(picture)
    city.step(1 / 30)
shot = window._window.get_screenshot()
seen = np.frombuffer(shot.get_ram_image_as("RGB"), np.uint8)
seen = seen.reshape(shot.get_y_size(), shot.get_x_size(), 3)[::-1]
assert seen.shape == (128, 256, 3), seen.shape
for at, colour in (((32, 60), picture[16, 30]), ((100, 60), picture[50, 30]), ((100, 200), 0)):
    assert np.abs(seen[at].astype(int) - colour).max() < 12, (at, seen[at])
assert not window.closed
window.close()
"""


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb")
def test_a_window_shows_what_is_painted() -> None:
    display = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24"]
    xvfb = subprocess.Popen(display, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert xvfb.stdout is not None
        where = {**os.environ, "DISPLAY": f":{xvfb.stdout.readline().strip()}"}
        command = [sys.executable, "-c", SHOWN]
        done = subprocess.run(command, env=where, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    finally:
        xvfb.terminate()
        xvfb.wait(10)
