"""The city as an engine, and the command that plays it through a server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rotolive.model.condition.labels.classes import STREET, match
from rotolive.model.condition.labels.palette import in_colours
from rotolive.model.video import VideoReader

pytest.importorskip("panda3d")
from rotolive.nodes.panda3d.engine import PandaCity


@pytest.fixture(scope="module")
def city() -> Iterator[PandaCity]:
    city = PandaCity(width=128, height=64)
    yield city
    city.close()


def test_the_city_sends_what_a_model_takes(city: PandaCity) -> None:
    frames = [city.step(1 / 30) for _ in range(20)]
    assert [frame.reset for frame in frames] == [True] + 19 * [False]
    assert (match(city.classes, STREET)[: len(STREET)] == np.arange(len(STREET))).all()
    last = frames[-1]
    shapes = {name: (plane.shape, plane.dtype.name) for name, plane in last.planes.items()}
    assert shapes == {
        "label": ((64, 128), "uint8"),
        "instance": ((64, 128), "uint16"),
        "depth": ((64, 128), "float32"),
        "motion": ((2, 64, 128), "float32"),
    }
    assert last.rgb.shape == (64, 128, 3) and len(np.unique(last.planes["label"])) > 4
    moving = [np.abs(frame.planes["motion"]).max() for frame in frames]
    assert max(moving) > 0.5, "it drives"


def test_the_next_drive_is_a_cut(city: PandaCity) -> None:
    assert city.step(100).reset and not city.step(1 / 30).reset


@pytest.mark.slow
def test_the_command_writes_a_video(tmp_path: Path) -> None:
    out = tmp_path / "drive.mp4"
    command = [sys.executable, "-m", "rotolive", "engine", "panda3d", "--model", "palette"]
    command += ["--out", str(out), "--seconds", "0.5", "--port", "0", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    pictures = [picture.rgb for picture in VideoReader(out)]
    assert len(pictures) == 15 and pictures[0].shape == (256, 1536, 3)
    labels, painted = pictures[-1][:, 512:1024], pictures[-1][:, 1024:]
    assert np.abs(labels.astype(int) - painted).mean() < 6, "the palette paints labels"
    sky = in_colours(np.full((1, 1), STREET.index("sky"), np.uint8), STREET)[0, 0].astype(int)
    assert (np.abs(painted[:40] - sky).max(-1) < 25).mean() > 0.1
