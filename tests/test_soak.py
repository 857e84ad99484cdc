"""The soak on models whose drift is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from browser import write_movie

from rotolive.model.live import IdentityModel, Picture, Request
from rotolive.stream.soak import bench_soak, compare

FRAMES = 5
LOOP = 2 * FRAMES - 2


class Fading(IdentityModel):
    """Paints every picture a little darker than the one before, until it is reset."""

    def __init__(self) -> None:
        super().__init__(1, 64, 64)
        self.steps = 0

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        self.steps += 1
        rgb = np.full((64, 64, 3), 200 - self.steps, np.uint8)
        return [Picture(rgb=rgb) for _ in requests]

    def reset(self, slot: int) -> None:
        self.steps = 0


def test_a_fading_picture_is_drift(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "movie.webm")
    figures = bench_soak(Fading(), movie, seconds=0, frames=FRAMES)
    assert figures["loops"] == 3 and figures["frames"] == 3 * LOOP
    assert figures["mean_change"] == LOOP
    assert figures["drift_db"] == pytest.approx(20 * np.log10(255 / LOOP), abs=0.01)
    steady = bench_soak(IdentityModel(1, 64, 64), movie, seconds=0, frames=FRAMES)
    assert steady["drift_db"] == steady["worst_db"] == 99


def test_the_worst_picture_is_worse() -> None:
    early = np.zeros((4, 8, 8, 3), np.uint8)
    late = early.copy()
    late[2] = 10
    figures = compare(early, late)
    assert figures["worst_db"] == pytest.approx(28.13, abs=0.01)
    assert figures["drift_db"] == pytest.approx(28.13 + 6.02, abs=0.01)
    assert figures["mean_change"] == 2.5
