"""Doom: what is computed of its world is held against the game's own pictures and buffers."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("vizdoom")

from rotolive.model.condition.labels.classes import STREET, match
from rotolive.model.errors import InputError
from rotolive.nodes.engine import EngineFrame
from rotolive.nodes.vizdoom import VizDoom
from rotolive.nodes.vizdoom.bot import Buttons
from rotolive.nodes.vizdoom.level import CLASSES

W, H = 512, 256
SKY = CLASSES.index("sky")
THINGS = [CLASSES.index(name) for name in ("person", "vegetation", "pole", "item")]


@pytest.fixture(scope="module")
def doom() -> Iterator[VizDoom]:
    engine = VizDoom("MAP10", seed=3)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def afresh(doom: VizDoom) -> None:
    doom.restart()
    doom.buttons = None


def test_planes(doom: VizDoom) -> None:
    seen = set()
    for _ in range(8):
        frame = doom.step(0.2)
        planes = frame.planes
        assert frame.rgb.shape == (H, W, 3) and frame.rgb.dtype == np.uint8
        assert {name: (plane.dtype.name, plane.shape) for name, plane in planes.items()} == {
            "label": ("uint8", (H, W)),
            "instance": ("uint16", (H, W)),
            "depth": ("float32", (H, W)),
            "motion": ("float32", (2, H, W)),
        }
        assert np.isfinite(planes["motion"]).all() and (planes["depth"] > 0).all()
        np.testing.assert_array_equal(np.isinf(planes["depth"]), planes["label"] == SKY)
        assert (planes["instance"] > 0).all() and planes["label"].all()
        one_to_one(planes["label"], planes["instance"])
        seen |= {CLASSES[i] for i in np.unique(planes["label"])}
    assert {"sky", "terrain", "vegetation"} <= seen
    known = match(VizDoom.classes, STREET, VizDoom.mapping)
    assert STREET[known[CLASSES.index("ceiling")]] == "building"


def one_to_one(label: NDArray[np.uint8], instance: NDArray[np.uint16]) -> None:
    """No thing has two classes."""
    pairs = np.unique(np.stack([label.ravel(), instance.ravel()]), axis=1)
    things = pairs[:, np.isin(pairs[0], THINGS)]
    assert len(np.unique(things[1])) == things.shape[1]


def test_floors_and_ceilings_are_where_the_game_has_them(doom: VizDoom) -> None:
    """Its own buffer has 0 on walls and the sky, 1 on floors and ceilings."""
    doom.buttons = Buttons(forward=1, turn=2, look=0.7)
    walls = 2 * len(doom._level.ends)
    shares = []
    for _ in range(12):
        planes = doom.step(1 / 35).planes
        theirs = game_buffer(doom)
        ours = (planes["instance"] > walls) & (planes["label"] != SKY)
        world = theirs < 2
        shares.append((ours == (theirs == 1))[world].mean())
    assert np.mean(shares) > 0.99 and min(shares) > 0.97


def game_buffer(doom: VizDoom) -> NDArray[np.uint8]:
    state = doom._game.get_state()
    assert state is not None and state.labels_buffer is not None
    return state.labels_buffer[16:-16]


def test_motion_explains_the_next_picture(doom: VizDoom) -> None:
    """Turning, walking and looking up, each alone and all at once."""
    for pressed in (
        Buttons(turn=3),
        Buttons(forward=1),
        Buttons(look=1),
        Buttons(forward=1, right=1, turn=-3, look=-0.3),
    ):
        doom.restart()
        doom.buttons = pressed
        last, warped, still = doom.step(1 / 35), [], []
        for _ in range(12):
            frame = doom.step(1 / 35)
            assert not frame.reset
            if np.abs(frame.planes["motion"]).mean() > 1:
                warped.append(difference(frame, warp(last, frame)))
                still.append(difference(frame, last.rgb))
            last = frame
        assert len(still) > 5 and np.mean(warped) < 0.5 * np.mean(still), pressed


def warp(last: EngineFrame, frame: EngineFrame) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:H, :W].astype(np.float32)
    x, y = frame.planes["motion"]
    return cv2.remap(last.rgb, columns + x, rows + y, cv2.INTER_LINEAR)


def difference(frame: EngineFrame, other: NDArray[np.uint8]) -> float:
    """Mean, where what is seen was in the last picture."""
    rows, columns = np.mgrid[:H, :W]
    x, y = frame.planes["motion"]
    inside = (columns + x >= 0) & (columns + x < W) & (rows + y >= 0) & (rows + y < H)
    return float(np.abs(frame.rgb.astype(float) - other)[inside].mean())


def test_signs_of_motion(doom: VizDoom) -> None:
    """Turning right, all comes from the right; going ahead, it comes from the middle."""
    doom.step(1 / 35)
    doom.buttons = Buttons(turn=2)
    assert (settled(doom)[0] > 0).all()
    doom.buttons = Buttons(look=0.5)
    assert (settled(doom)[1] < 0).mean() > 0.95
    doom.restart()
    doom.buttons = Buttons(forward=1)
    x, y = settled(doom)
    assert x[:, :64].mean() > 0 > x[:, -64:].mean() and y[-32:].mean() < 0


def settled(doom: VizDoom) -> NDArray[np.float32]:
    """Motion after a while."""
    return [doom.step(1 / 35) for _ in range(8)][-1].planes["motion"]


def test_no_motion_without_time(doom: VizDoom) -> None:
    doom.step(1 / 35)
    frame = doom.step(0.0)
    np.testing.assert_allclose(frame.planes["motion"], 0, atol=1e-3)


def test_the_bot_gets_around(doom: VizDoom) -> None:
    places = []
    for _ in range(120):
        doom.step(2 / 35)
        assert doom._sight is not None
        places.append((doom._sight.x, doom._sight.y))
    steps = np.hypot(*np.diff(places, axis=0).T)
    assert len({(x // 128, y // 128) for x, y in places}) >= 5
    assert (steps > 2).mean() > 0.5


def test_a_new_episode_is_a_cut(doom: VizDoom) -> None:
    assert doom.step(1 / 30).reset and not doom.step(1 / 30).reset
    doom.step(1 / 30)
    doom._game.send_game_command("kill")
    resets = [doom.step(1 / 30).reset for _ in range(10)]
    assert sum(resets) == 1


def test_unknown_map() -> None:
    with pytest.raises(InputError, match=r"no map 'MAP77' in freedoom2\.wad; there are MAP01, "):
        VizDoom("MAP77")


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = VizDoom("MAP01")
    folder = Path(engine._folder.name)
    assert engine.step(1 / 30).rgb.shape == (H, W, 3) and folder.exists()
    engine.close()
    assert not list(tmp_path.iterdir()) and not folder.exists()
