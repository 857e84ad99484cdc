"""How long after somebody moves does the dancer move? From where their joints are over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.condition.pose.detect import PoseDetector

FOLLOWED = {"left_wrist": 15, "right_wrist": 16, "left_ankle": 27, "right_ankle": 28}
"""Landmarks whose x and y are the tracks."""
GRID_S = 0.005
LONGEST_S = 0.4
HALF_WINDOW = 10
"""Steps of the grid before and after a moment between which its speed is measured."""
LEAST_MOTION = 0.01
"""Standard deviation, in picture sizes, below which a track says nothing."""
LEAST_CORRELATION = 0.5
LEAST_SAMPLES = 10

Floats = NDArray[np.float64]
Shot = tuple[float, NDArray[np.uint8]]
"""A picture rgb [H, W, 3] and its time [s]."""


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Places [T, K] in 0..1, not-a-number where unseen, at increasing times [T] in seconds."""

    times: Floats
    places: Floats


@dataclass(frozen=True, kw_only=True)
class Lag:
    """Median over the tracks that moved: delay [ms] and correlation there; None without any."""

    ms: float | None
    correlation: float | None
    tracks: int


def follow(shots: Sequence[Shot]) -> Tracks:
    """Find wrists and ankles in pictures of one person."""
    detector = PoseDetector()
    places = np.full((len(shots), 2 * len(FOLLOWED)), np.nan)
    try:
        for i, (time_s, rgb) in enumerate(shots):
            found = detector.detect(rgb, time_s - shots[0][0])
            if found is not None:
                places[i] = found[list(FOLLOWED.values()), :2].ravel()
    finally:
        detector.close()
    return Tracks(times=np.array([time_s for time_s, _ in shots]), places=places)


def motion_lag(sent: Tracks, returned: Tracks) -> Lag:
    """Estimate by how much `returned` is behind `sent`, 0 to 400 ms, on a common clock."""
    found = [
        one
        for k in range(sent.places.shape[1])
        if (one := _one_lag(_seen(sent, k), _seen(returned, k))) is not None
    ]
    if not found:
        return Lag(ms=None, correlation=None, tracks=0)
    seconds, correlation = np.median(found, axis=0)
    return Lag(ms=float(1e3 * seconds), correlation=float(correlation), tracks=len(found))


def _seen(tracks: Tracks, k: int) -> tuple[Floats, Floats]:
    """Times [s] and places of one track, without what was not seen."""
    seen = np.isfinite(tracks.places[:, k])
    return tracks.times[seen], tracks.places[seen, k]


def _one_lag(
    sent: tuple[Floats, Floats], returned: tuple[Floats, Floats]
) -> tuple[float, float] | None:
    """Lag [s] and correlation of one track; None where it hardly moves or nothing agrees."""
    if min(len(sent[0]), len(returned[0])) < LEAST_SAMPLES:
        return None
    if min(sent[1].std(), returned[1].std()) < LEAST_MOTION:
        return None
    longest = round(LONGEST_S / GRID_S)
    start = max(returned[0][0], sent[0][0] + LONGEST_S)
    grid = np.arange(start, min(returned[0][-1], sent[0][-1]), GRID_S)
    if len(grid) < longest:
        return None
    before = start - GRID_S * np.arange(longest, 0, -1)
    come = _speed(np.interp(grid, *returned))
    gone = _speed(np.interp(np.concatenate([before, grid]), *sent))
    agreement = np.array([_correlation(gone[longest - i :], come) for i in range(longest + 1)])
    best = int(agreement.argmax())
    if agreement[best] < LEAST_CORRELATION:
        return None
    return GRID_S * (best + _vertex(agreement, best)), float(agreement[best])


def _speed(places: Floats) -> Floats:
    """Change over a window, which noise of single frames hardly moves."""
    return places[2 * HALF_WINDOW :] - places[: -2 * HALF_WINDOW]


def _correlation(a: Floats, b: Floats) -> float:
    """Pearson's, over the shorter's length."""
    length = min(len(a), len(b))
    a, b = a[:length] - a[:length].mean(), b[:length] - b[:length].mean()
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-12))


def _vertex(values: Floats, peak: int) -> float:
    """Where between the neighbours of a peak its parabola is highest, -0.5 to 0.5 steps."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    left, middle, right = values[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
