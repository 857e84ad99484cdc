"""The dancer's measures, from the clips it dances in."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.condition.pose.retarget import Retargeter, mirrored
from ..model.condition.pose.skeleton import CHILDREN, FEET, PARENTS, Measures, measure, to_joints

FITTED_CLIPS = 24
ROUNDS = 3
STRAIGHT = 90.0
"""Percentile of a bone's lengths in pictures at which it counts as lying in them."""
SETTLING = 0.25
"""Share of a clip until the retargeting knows its user."""


def measure_clips(paths: list[Path], about: list[dict[str, Any]], aspect: float) -> Measures:
    """Measure the dancer where it was truly detected, then fit that to what pictures show."""
    detected = [p for p, clip in zip(paths, about, strict=True) if clip["detected"]] or paths
    found = np.concatenate([np.load(path / "landmarks.npy") for path in detected])
    found = found[np.isfinite(found).all((1, 2))].astype(np.float32)
    measures = measure(found, idle_landmarks(found), aspect)
    chosen = np.random.default_rng(0).permutation(len(paths))[:FITTED_CLIPS]
    for _ in range(ROUNDS):
        measures = _fit(measures, [paths[i] for i in chosen])
    return _at_ease(measures, [paths[i] for i in chosen])


def retarget_clip(folder: Path, measures: Measures) -> NDArray[np.float32]:
    """Send a clip's landmarks through the live retargeting: the dancer's joints [T, J, 3]."""
    retargeter = Retargeter(measures)
    landmarks, times = np.load(folder / "landmarks.npy"), np.load(folder / "times.npy")
    return np.stack(
        [
            retargeter.update(frame, float(time), aspect=measures.aspect)
            for frame, time in zip(landmarks, times, strict=True)
        ]
    )


def _fit(measures: Measures, paths: list[Path]) -> Measures:
    """Scale bones and move the floor until retargeted joints lie where the picture has them.

    Percentiles of detected lengths hold the detector's noise and the lens, so they are too long.
    """
    products, squares, drops = [], [], []
    for path in paths:
        made = retarget_clip(path, measures)
        settled = slice(int(SETTLING * len(made)), None)
        shown = to_joints(np.load(path / "truth.npy"), measures.aspect)[settled]
        made = made[settled]
        a, b = (_flat_lengths(joints) for joints in (made, shown))
        products.append((a * b).sum(0))
        squares.append((a * a).sum(0))
        drops.append(shown[:, FEET, 1].max(1) - made[:, FEET, 1].max(1))
    scale = (np.sum(products, 0) / np.maximum(np.sum(squares, 0), 1e-9)).clip(0.8, 1.25)
    return replace(
        measures,
        lengths=(measures.lengths * scale).astype(np.float32),
        idle=(measures.idle * scale[:, None]).astype(np.float32),
        floor=measures.floor + float(np.median(np.concatenate(drops))),
    )


def _at_ease(measures: Measures, paths: list[Path]) -> Measures:
    """Give the idle stance no bone longer than straight ones are in the pictures.

    After the fit a bone is seldom retargeted at its full length; nobody was ever painted with all
    of them at it.
    """
    truths = [to_joints(np.load(path / "truth.npy"), measures.aspect) for path in paths]
    straight = np.percentile(_flat_lengths(np.concatenate(truths)), STRAIGHT, axis=0)
    idle = np.maximum(np.linalg.norm(measures.idle[:, :2], axis=1), 1e-6)
    scale = np.minimum(straight / idle, 1)[:, None]
    return replace(measures, idle=(measures.idle * scale).astype(np.float32))


def _flat_lengths(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lengths in the picture of the bones of [T, J, 3], [T, N]."""
    return np.linalg.norm((joints[:, CHILDREN] - joints[:, PARENTS])[..., :2], axis=-1)


def idle_landmarks(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the calmest of landmarks [T, 33, 4], facing with arms down; make it symmetric."""
    x, y = found[..., 0], found[..., 1]
    facing = x[:, 11] - x[:, 12]
    hanging = y[:, [15, 16]].min(1) - y[:, [11, 12]].max(1)
    tall = y[:, [29, 30]].min(1) - y[:, 0]
    wide = np.abs(x[:, 27] - x[:, 28]) + 0.3 * (x[:, 15] - x[:, 16])
    aside = np.abs(x[:, 0] - x[:, [7, 8]].mean(1))
    straight = tall >= np.percentile(tall, 90)
    calm = 2 * facing + hanging - wide - 4 * aside
    best = int(np.argmax(np.where(straight, calm, -np.inf)))
    frame = found[best].copy()
    frame[:, 0] += 0.5 - frame[[23, 24], 0].mean()
    return (frame + mirrored(frame)) / 2
