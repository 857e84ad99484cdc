"""The street: cities of a seed, and pictures whose labels, depth and motion belong together."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rotolive.model.condition.labels.palette import in_colours
from rotolive.model.errors import InputError
from rotolive.training.synthetic.street.classes import CLASSES, STYLES, Label
from rotolive.training.synthetic.street.clips import synth_street
from rotolive.training.synthetic.street.drive import FIELD_OF_VIEW
from rotolive.training.synthetic.street.renderer import StreetFrame, StreetRenderer
from rotolive.training.synthetic.street.world import World, build_city, draw_world

WIDTH, HEIGHT = 192, 96
STEP = 1 / 30
TIMES = (0.5, 3.0, 7.0)
NOTHING = (Label.ROAD, Label.ROAD_COBBLES, Label.LANE_MARKING, Label.SIDEWALK, Label.TERRAIN)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(8, 8, 10.0)


@pytest.fixture(scope="module")
def renderer() -> Iterator[StreetRenderer]:
    made = StreetRenderer(WIDTH, HEIGHT)
    yield made
    made.close()


Pairs = list[tuple[float, StreetFrame, StreetFrame]]


@pytest.fixture(scope="module")
def pairs(renderer: StreetRenderer, world: World) -> Pairs:
    """Times with the frames just before and at them."""
    renderer.enter(world, 0)
    return [(t, renderer.render(t - STEP), renderer.render(t)) for t in TIMES]


def before(frame: StreetFrame) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool]]:
    """Where each pixel was, and whether that lies in the picture."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = columns + frame.motion[0], rows + frame.motion[1]
    return x, y, (x >= 0) & (x <= WIDTH - 1) & (y >= 0) & (y <= HEIGHT - 1)


def test_a_seed_makes_one_city_and_one_drive(world: World) -> None:
    build_city.cache_clear()
    again, other = draw_world(8, 8, 10.0), draw_world(8, 9, 10.0)
    assert again.city is not world.city and again.city.chunks.keys() == world.city.chunks.keys()
    for key, mesh in world.city.chunks.items():
        np.testing.assert_array_equal(mesh.arrays()[0], again.city.chunks[key].arrays()[0])
    for time in TIMES:
        assert again.route.place(time) == world.route.place(time)
        assert [m.path(time) for m in again.movers] == [m.path(time) for m in world.movers]
    assert other.route.place(1.0) != world.route.place(1.0)


def test_a_drive_is_smooth_and_no_faster_than_in_a_town(world: World) -> None:
    views = [world.route.view(t) for t in np.arange(0, 10, STEP)]
    places = np.array([eye for eye, *_ in views])
    assert places[:, 2].min() > 1.4 and places[:, 2].max() < 1.7
    speed = np.linalg.norm(np.diff(places[:, :2], axis=0), axis=1) / STEP
    assert speed.max() < 12.5
    assert np.abs(np.diff(speed)).max() < 0.4
    assert np.abs(np.diff([heading for _, heading, *_ in views])).max() < 3


def test_cars_and_people_keep_their_distance_from_the_camera(world: World) -> None:
    people = 0
    for mover in world.movers:
        people += not mover.car
        for time in np.arange(0, 10, 0.5):
            pose = mover.path(time)
            x, y, _ = world.route.place(time)
            assert np.hypot(pose.x - x, pose.y - y) > (4 if mover.car else 1.5)
    assert 20 < people < len(world.movers) - 10


def test_frames_hold_what_they_say(pairs: Pairs) -> None:
    seen = np.zeros(len(CLASSES), int)
    for _, _, frame in pairs:
        seen += np.bincount(frame.label.ravel(), minlength=len(CLASSES))
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3) and frame.rgb.dtype == np.uint8
        assert frame.label.max() < len(CLASSES) and frame.instance.dtype == np.uint16
        sky, ground = frame.label == Label.SKY, np.isin(frame.label, NOTHING)
        assert not frame.instance[sky | ground].any()
        assert frame.instance[~(sky | ground)].all()
        assert not frame.depth[sky].any()
        assert frame.depth[~sky].min() > 0.3
        assert frame.rgb.std() > 25
    for label in (Label.ROAD, Label.SIDEWALK, Label.SKY, Label.WINDOW, Label.VEGETATION, Label.CAR):
        assert seen[label] > 20, label.name
    assert seen[Label.UNLABELED] == 0


def test_what_is_here_now_was_where_motion_says(pairs: Pairs) -> None:
    still, carried = 0.0, 0.0
    for _, last, frame in pairs:
        x, y, inside = before(frame)
        was = cv2.remap(last.instance, x, y, cv2.INTER_NEAREST)
        covered = was != frame.instance
        assert covered.mean() < 0.08
        known = inside & ~covered
        edges = cv2.morphologyEx(frame.label, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
        moved = cv2.remap(last.label, x, y, cv2.INTER_NEAREST)
        assert (moved == frame.label)[known & ~edges].mean() > 0.99
        beside = [
            cv2.remap(last.label, x + i, y + j, cv2.INTER_NEAREST) == frame.label
            for i in (-0.5, 0.5)
            for j in (-0.5, 0.5)
        ]
        assert np.any(beside, axis=0)[known].mean() > 0.97
        depth = cv2.remap(last.depth, x, y, cv2.INTER_NEAREST)
        change = np.abs(depth - frame.depth)[known & ~edges]
        assert np.quantile(change, 0.97) < 1.0
        colour = cv2.remap(last.rgb, x, y, cv2.INTER_LINEAR)
        still += np.abs(last.rgb.astype(int) - frame.rgb)[known].mean()
        carried += np.abs(colour.astype(int) - frame.rgb)[known].mean()
    assert carried < 0.75 * still


def rotation(heading: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """From the camera (x right, y forward, z up; angles in degrees) to the world."""
    h, p, r = np.radians([heading, pitch, roll])
    turn = np.array([[np.cos(h), -np.sin(h), 0], [np.sin(h), np.cos(h), 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    return turn @ nod @ tilt


def test_motion_and_depth_agree_with_the_cameras_way(pairs: Pairs, world: World) -> None:
    focal = WIDTH / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    rays = np.stack(
        [(columns - WIDTH / 2) / focal, np.ones_like(rows), (HEIGHT / 2 - rows) / focal]
    )
    for time, _, frame in pairs:
        eye, *angles = world.route.view(time)
        old_eye, *old_angles = world.route.view(time - STEP)
        points = rotation(*angles) @ (rays * frame.depth).reshape(3, -1) + eye[:, None]
        x, y, z = rotation(*old_angles).T @ (points - old_eye[:, None])
        expected = np.stack([x / y * focal + WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5 - z / y * focal])
        found = (frame.motion + np.stack([columns, rows]) - 0.5).reshape(2, -1)
        first = world.city.instances + 1
        still = ((frame.depth > 0) & (frame.instance < first)).ravel()
        assert np.abs(expected - found)[:, still].max() < 0.05


def test_the_first_frame_has_no_motion(renderer: StreetRenderer, world: World) -> None:
    renderer.enter(world, 1)
    assert not renderer.render(2.0).motion.any()


def test_flat_frames_tell_the_same(renderer: StreetRenderer, world: World) -> None:
    renderer.enter(world, 2)
    shaded = renderer.render(4.0)
    renderer.enter(world, 2)
    flat = renderer.render(4.0, shaded=False)
    for name in ("label", "instance", "depth", "motion"):
        np.testing.assert_array_equal(getattr(shaded, name), getattr(flat, name))
    np.testing.assert_array_equal(flat.rgb, in_colours(flat.label, CLASSES))


def test_styles_differ_in_colour_alone(renderer: StreetRenderer, world: World) -> None:
    frames = []
    for style in range(len(STYLES)):
        renderer.enter(world, style)
        frames.append(renderer.render(1.0))
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.label, frames[0].label)
        for other in frames[:index]:
            assert np.abs(frame.rgb.astype(int) - other.rgb).mean() > 12


def test_a_worlds_movers_can_be_left_out(renderer: StreetRenderer, world: World) -> None:
    renderer.enter(replace(world, movers=()), 0)
    frame = renderer.render(3.0, shaded=False)
    assert frame.instance.max() <= world.city.instances
    assert Label.PERSON not in frame.label


def test_clips_are_complete_and_go_on(tmp_path: Path) -> None:
    out = tmp_path / "street"
    synth_street(out, clips=1, seconds=0.1, seed=3, width=128, height=64)
    done = (out / "00000" / "rgb.npy").stat().st_mtime_ns
    synth_street(out, clips=2, seconds=0.1, seed=3, width=128, height=64)
    assert (out / "00000" / "rgb.npy").stat().st_mtime_ns == done
    assert sorted(path.name for path in out.iterdir()) == ["00000", "00001"]
    about = json.loads((out / "00001" / "clip.json").read_text())
    assert about == {
        "condition": "labels",
        "style": 1,
        "name": "dusk",
        "fps": 30.0,
        "frames": 3,
        "width": 128,
        "height": 64,
        "source": "street",
        "seed": 3,
        "classes": list(CLASSES),
    }
    shapes = {
        "rgb": ((3, 64, 128, 3), np.uint8),
        "label": ((3, 64, 128), np.uint8),
        "instance": ((3, 64, 128), np.uint16),
        "depth": ((3, 64, 128), np.float16),
        "motion": ((3, 2, 16, 32), np.float16),
        "times": ((3,), np.float64),
    }
    for name, (shape, kind) in shapes.items():
        values = np.load(out / "00001" / f"{name}.npy")
        assert values.shape == shape and values.dtype == kind, name
        assert np.isfinite(values).all()


@pytest.mark.parametrize(("width", "seconds"), [(100, 1.0), (128, 0.0)])
def test_clips_that_cannot_be_are_refused(tmp_path: Path, width: int, seconds: float) -> None:
    with pytest.raises(InputError):
        synth_street(tmp_path, clips=1, seconds=seconds, seed=0, width=width, height=64)
