"""The lag estimator on tracks whose lag is known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import rotolive
from rotolive.stream.bench import bench_dance
from rotolive.stream.lag import Tracks, motion_lag

CLIP = Path(rotolive.__file__).parent / "web" / "static" / "clip.webm"

TRACKS = 8


def dance(times: NDArray[np.float64], seed: int = 0, size: float = 0.1) -> NDArray[np.float64]:
    """Places [T, K] of limbs that swing at human rates, the same at the same times [s]."""
    rng = np.random.default_rng(seed)
    turns = 2 * np.pi * (rng.uniform(0.3, 2, (TRACKS, 4)) * times[:, None, None])
    return 0.5 + size * np.sin(turns + rng.uniform(0, 7, (TRACKS, 4))).mean(-1)


def streams(
    lag_s: float, *, noise: float = 0.0, lost: float = 0.0, jitter_s: float = 0.0
) -> tuple[Tracks, Tracks]:
    """What was sent at 30 fps, and what came back late: noisy, jittered, with frames lost."""
    rng = np.random.default_rng(1)
    sent = 100 + np.arange(165) / 30
    come = sent[10:] + lag_s
    arrived = np.sort(come + rng.uniform(0, jitter_s + 1e-9, len(come)))
    keep = rng.random(len(come)) >= lost
    places = dance(come - lag_s) * 0.8 + 0.1
    return (
        Tracks(times=sent, places=dance(sent) + rng.normal(0, noise, (len(sent), TRACKS))),
        Tracks(
            times=arrived[keep],
            places=(places + rng.normal(0, noise, places.shape))[keep],
        ),
    )


@pytest.mark.parametrize("lag_ms", [0, 37, 80, 150, 262, 390])
def test_a_known_lag_is_found(lag_ms: int) -> None:
    lag = motion_lag(*streams(lag_ms / 1e3))
    assert lag.ms == pytest.approx(lag_ms, abs=3)
    assert lag.tracks == TRACKS and lag.correlation is not None and lag.correlation > 0.98


@pytest.mark.parametrize("lag_ms", [45, 120, 300])
def test_through_noise_lost_frames_and_jitter(lag_ms: int) -> None:
    sent, returned = streams(lag_ms / 1e3, noise=0.006, lost=0.4)
    assert motion_lag(sent, returned).ms == pytest.approx(lag_ms, abs=12)
    sent, returned = streams(lag_ms / 1e3, noise=0.003, lost=0.2, jitter_s=0.03)
    assert motion_lag(sent, returned).ms == pytest.approx(lag_ms + 15, abs=12)


def test_a_person_unseen_for_a_while() -> None:
    sent, returned = streams(0.1, noise=0.002)
    sent.places[40:55] = np.nan
    returned.places[90:100] = np.nan
    assert motion_lag(sent, returned).ms == pytest.approx(100, abs=10)


def test_still_limbs_do_not_count() -> None:
    sent, returned = streams(0.1)
    sent.places[:, 2:] = 0.5 + np.random.default_rng(0).normal(0, 1e-3, (165, 6))
    lag = motion_lag(sent, returned)
    assert lag.tracks == 2 and lag.ms == pytest.approx(100, abs=3)


def test_nothing_to_measure_is_none() -> None:
    sent, returned = streams(0.1)
    unseen = Tracks(times=returned.times, places=np.full_like(returned.places, np.nan))
    assert motion_lag(sent, unseen).ms is None
    assert motion_lag(sent, Tracks(times=returned.times[:5], places=returned.places[:5])).ms is None
    other = Tracks(times=returned.times, places=dance(returned.times, seed=5))
    lag = motion_lag(sent, other)
    assert lag.tracks < TRACKS / 2


@pytest.mark.slow
def test_an_echo_moves_as_late_as_its_pictures_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotolive.stream.bench.WARM_UP_S", 0.3)
    figures = bench_dance("identity", 4.0, "auto", CLIP)
    assert figures["motion_tracks"] >= 2 and figures["motion_correlation"] > 0.9
    assert figures["motion_lag_ms"] == pytest.approx(figures["p50_ms"], abs=25)
