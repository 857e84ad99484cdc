"""A model of poses that is told landmarks, as the detector finds them, and does the same."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from serving import serving

import rotolive
from rotolive.model.condition.pose.detect import PoseDetector
from rotolive.model.live import LiveModel, open_model, paint
from rotolive.nodes.client import Client
from rotolive.stream.engine import EngineSettings
from rotolive.stream.sources import read_clip
from rotolive.web.app import create_app

CLIP = Path(rotolive.__file__).parent / "web" / "static" / "clip.webm"
FRAMES, FPS = 40, 30
WRISTS = [15, 16]
Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    return list(read_clip(CLIP, frames=FRAMES))


@pytest.fixture(scope="module")
def found(pictures: list[NDArray[np.uint8]]) -> list[Array]:
    with closing(PoseDetector()) as detector:
        marks = [detector.detect(rgb, t / FPS) for t, rgb in enumerate(pictures)]
    return [mark for mark in marks if mark is not None]


@pytest.fixture(scope="module")
def dancer() -> LiveModel:
    return open_model("dancer", slots=1, runtime="eager", threads=1)


def shape(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.array(rgb.shape[1] / rgb.shape[0])


def test_the_condition_is_that_of_the_picture(
    dancer: LiveModel, pictures: list[NDArray[np.uint8]], found: list[Array]
) -> None:
    """Also where nobody is seen, and from then on."""
    assert len(found) == len(pictures), "somebody is to be seen in each"
    wall = np.zeros_like(pictures[0])
    nobody = np.zeros((33, 4), np.float32)
    shown = [*pictures[:20], *[wall] * 3, *pictures[20:23]]
    with closing(PoseDetector()) as detector:
        marks = [detector.detect(rgb, t / FPS) for t, rgb in enumerate(shown)]
    assert sum(mark is None for mark in marks) == 3
    told = [nobody if mark is None else mark for mark in marks]
    with (
        closing(dancer.conditioner(mirror=False)) as seeing,
        closing(dancer.conditioner(mirror=False)) as hearing,
    ):
        for t, (rgb, mark) in enumerate(zip(shown, told, strict=True)):
            expected = seeing.observe({"rgb": rgb}, t / FPS)
            heard = hearing.observe({"landmarks": mark, "aspect": shape(rgb)}, t / FPS)
            np.testing.assert_array_equal(heard.condition, expected.condition)
            assert (heard.landmarks is None) == (expected.landmarks is None)


def test_nothing_is_detected_then() -> None:
    code = (
        "import sys, numpy as np; from rotolive.model.live import open_model;"
        "seen = open_model('dancer', slots=1, runtime='eager').conditioner(mirror=False);"
        "seen.observe({'landmarks': np.full((33, 4), 0.5, np.float32)}, 0.0); seen.reset();"
        "seen.close(); print('mediapipe' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert done.stdout.strip() == "False", done.stderr


@pytest.fixture
def served(dancer: LiveModel, tmp_path: Path) -> Iterator[str]:
    address = f"ipc://{tmp_path}/engine"
    with serving(create_app(dancer, engines=EngineSettings(addresses=(address,)))):
        yield address


def test_the_dancer_follows_over_the_wire(
    dancer: LiveModel, served: str, pictures: list[NDArray[np.uint8]], found: list[Array]
) -> None:
    height, width = pictures[0].shape[:2]
    reach = [np.abs(mark[WRISTS, :2] - found[0][WRISTS, :2]).max() for mark in found]
    poses = found[0], found[int(np.argmax(reach))]
    expected = [held(dancer, pose, shape(pictures[0])) for pose in poses]
    with Client(served, stream="tracker", size=(width, height), fps=FPS) as client:
        welcome = client.wait(30.0)
        assert (welcome.condition, welcome.planes) == ("pose", ("landmarks", "color"))
        for own, other in ((0, 1), (1, 0)):
            painted = followed(client, poses[own])
            away = [np.abs(painted.astype(int) - picture).mean() for picture in expected]
            assert away[own] < 0.7 * away[other], away
        client.send(label=np.zeros((height, width), np.uint8))
        ends = time.monotonic() + 5
        while client.error is None and time.monotonic() < ends:
            time.sleep(0.02)
        assert client.error is not None and client.error.code == "value"


def held(model: LiveModel, pose: Array, aspect: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What the model paints of a pose that is held."""
    planes = {"landmarks": pose, "aspect": aspect}
    return [*paint(((planes, t / FPS) for t in range(FRAMES)), model, 0)][-1].rgb


def followed(client: Client, pose: Array) -> NDArray[np.uint8]:
    """What comes back when a pose is held for a while, and at least as many frames."""
    ends, count, last = time.monotonic() + 1.5, 0, None
    while last is None or count < FRAMES // 2 or time.monotonic() < ends:
        assert time.monotonic() < ends + 30, (client.stats, client.error)
        client.send(landmarks=pose, reset=count == 0)
        picture = client.receive(1.0)
        if picture:
            count, last = count + 1, picture.rgb
    return last
