"""Does the dancer do what the person does? Detect the pose sent and the pose returned, compare.

Measured on motion held out from training: two captures and sampled motion of other seeds, danced
by the synthetic actor before a plain wall.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.live import LiveModel, paint
from .synthetic.actor import Actor
from .synthetic.backdrop import backdrop, over
from .synthetic.bvh import HELD_OUT, load_capture
from .synthetic.detect import detect
from .synthetic.motion import sample_motion
from .synthetic.rig import Motion

JOINTS = {
    f"{side}_{name}": 11 + 2 * n + s
    for n, name in (
        (0, "shoulder"),
        (1, "elbow"),
        (2, "wrist"),
        (6, "hip"),
        (7, "knee"),
        (8, "ankle"),
    )
    for s, side in enumerate(("left", "right"))
}
WITHIN = 0.03
FPS = 30.0
FRAMES_A_SECOND = 6
SETTLE = 15
"""Frames before counting: detectors and calibration need a moment."""


def held_out_motions(frames: int, seed: int = 9000) -> Iterator[tuple[str, Motion]]:
    """The captures never trained on, and sampled motion of seeds never trained on."""
    for name in HELD_OUT:
        whole = load_capture(name, fps=FPS)
        yield name, Motion(whole.local[:frames], whole.root[:frames], FPS)
    for i in range(seed, seed + 2):
        yield f"sampled {i}", sample_motion(np.random.default_rng(i), frames / FPS, FPS)


def dance(actor: Actor, motion: Motion) -> NDArray[np.uint8]:
    """Render a motion over the studio's wall, [T, H, W, 3]."""
    actor.reset()
    studio = backdrop(actor.size)
    return np.stack([over(actor.render(motion[t]).rgba, studio) for t in range(len(motion))])


def perform(model: LiveModel, pictures: NDArray[np.uint8], style: int) -> NDArray[np.uint8]:
    """Send pictures [T, H, W, 3] through the live path, frame by frame."""
    timed = (({"rgb": rgb}, t / FPS) for t, rgb in enumerate(pictures))
    return np.stack([picture.rgb for picture in paint(timed, model, style)])


def bench_follow(model: LiveModel, seconds: float = 15.0) -> dict[str, Any]:
    """Measure how well the dancer follows, per motion and per joint.

    Returns `worst_joint`, the smallest share of frames in which a joint returned is within 3% of
    the frame of the joint sent (undetected: a miss), shares per joint, and the mean change per
    frame of a held pose in 0..255, on the dancer and on the backdrop. `seconds` bounds the work:
    FRAMES_A_SECOND frames are taken of each of four motions for each.
    """
    rows, changes = [], []
    for i, (name, motion) in enumerate(held_out_motions(round(FRAMES_A_SECOND * seconds))):
        style = i % len(model.styles)
        with_actor = Actor(style, model.height)
        sent = dance(with_actor, motion)
        with_actor.close()
        returned = perform(model, sent, style)
        shares = compare(detect(sent), detect(returned))
        rows.append({"motion": name, "style": model.styles[style], **shares})
        if i == 0:
            changes = still(model, sent[0], style)
    joints = {joint: round(float(np.mean([row[joint] for row in rows])), 3) for joint in JOINTS}
    return {
        "model": model.name,
        "runtime": model.runtime,
        "worst_joint": min(joints.values()),
        "mean_joint": round(float(np.mean(list(joints.values()))), 3),
        "held_dancer_change": round(changes[0], 3),
        "held_backdrop_change": round(changes[1], 3),
        **joints,
        "rows": rows,
    }


def compare(sent: NDArray[np.float32], returned: NDArray[np.float32]) -> dict[str, float]:
    """Share of frames, per joint, in which it is where it should be."""
    index = list(JOINTS.values())
    there = np.isfinite(sent[SETTLE:, index, 0])
    miss = np.linalg.norm((returned - sent)[SETTLE:, index, :2], axis=-1)
    near = np.where(np.isfinite(miss), miss, np.inf) < WITHIN
    shares = (near & there).sum(0) / np.maximum(there.sum(0), 1)
    return {joint: round(float(share), 3) for joint, share in zip(JOINTS, shares, strict=True)}


def still(model: LiveModel, picture: NDArray[np.uint8], style: int) -> tuple[float, float]:
    """Mean change per frame [0..255] of a held pose: on the dancer, on the backdrop."""
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(60)
    ]
    painted = perform(model, np.stack(noisy), style)[30:].astype(np.float32)
    change = np.abs(np.diff(painted, axis=0)).mean(-1)
    empty = np.abs(painted - backdrop(model.height)).mean(-1).max(0) < 4
    return float(change[:, ~empty].mean()), float(change[:, empty].mean())
