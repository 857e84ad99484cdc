"""The detector before more than one person, and before nobody."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rotolive.model.condition.pose.detect import PoseDetector
from rotolive.training.synthetic.actor import Actor
from rotolive.training.synthetic.backdrop import backdrop, over
from rotolive.training.synthetic.motion import sample_motion

SIZE = 256


@pytest.fixture(scope="module")
def people() -> list[NDArray[np.uint8]]:
    """Two people before the studio's wall, each in a square picture of their own."""
    motion = sample_motion(np.random.default_rng(9001), 1.0, 30.0)
    found = []
    for style in (0, 5):
        actor = Actor(style, SIZE)
        found.append(over(actor.render(motion[0]).rgba, backdrop(SIZE)))
        actor.close()
    return found


def watch(
    detector: PoseDetector, picture: NDArray[np.uint8], start: int, count: int
) -> list[float]:
    """Middles (0..1) of whom the detector finds; not a number where it finds nobody."""
    found = [detector.detect(picture, t / 30) for t in range(start, start + count)]
    return [np.nan if marks is None else float(marks[:, 0].mean()) for marks in found]


def test_somebody_who_joins_does_not_take_over(people: list[NDArray[np.uint8]]) -> None:
    wall, (one, two) = backdrop(SIZE), people
    detector = PoseDetector()
    try:
        assert watch(detector, np.hstack([wall, one]), 0, 15)[-1] > 0.6
        together = watch(detector, np.hstack([two, one]), 15, 30)
        assert min(together) > 0.6
        assert watch(detector, np.hstack([two, wall]), 45, 30)[-1] < 0.4
    finally:
        detector.close()


def test_reset_lets_go_of_whom_it_followed(people: list[NDArray[np.uint8]]) -> None:
    wall, (one, two) = backdrop(SIZE), people
    detector = PoseDetector()
    try:
        assert watch(detector, np.hstack([wall, one]), 100, 5)[-1] > 0.6
        detector.reset()
        assert watch(detector, np.hstack([two, wall]), 0, 5)[0] < 0.4
    finally:
        detector.close()


def test_nobody_is_none() -> None:
    detector = PoseDetector()
    try:
        assert np.isnan(watch(detector, backdrop(SIZE), 0, 3)).all()
    finally:
        detector.close()
