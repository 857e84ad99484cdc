"""Training clips of synthetic people: pictures with labels, motion and landmarks in folders."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..clip_format import check_size, save_clip
from .actor import PARTS, Actor
from .backdrop import backdrop, over
from .bvh import HELD_OUT, TRAINING, load_capture
from .detect import detect as find
from .jobs import run_jobs
from .motion import sample_motion
from .noise import load_noise
from .rig import Motion
from .styles import STYLES
from .webcam import filmed

FPS = 30.0
CAPTURE_SHARE = 0.06  # of training clips that show a motion capture


def make_clip(
    path: Path,
    style: int,
    motion: Motion,
    rng: np.random.Generator,
    detect: bool = False,
    size: int = 256,
    *,
    source: str = "sampled",
    seed: int = 0,
    actor: Actor | None = None,
) -> None:
    """Render a motion into a new folder; it appears whole or not at all.

    truth: exact landmarks; landmarks: truly detected in the render, or noisy (see `clip_format`).
    """
    own = actor or Actor(style, size)
    own.reset()
    frames = [own.render(motion[t]) for t in range(len(motion))]
    if actor is None:
        own.close()
    truth = np.stack([frame.landmarks for frame in frames])
    rgba = np.stack([frame.rgba for frame in frames])
    if detect:
        studio = backdrop(size)
        landmarks = find(filmed((over(frame, studio) for frame in rgba), rng), motion.fps)
    else:
        landmarks = load_noise().apply(truth, rng, motion.fps)
    about = {
        "style": style,
        "name": STYLES[style].name,
        "fps": motion.fps,
        "frames": len(motion),
        "size": size,
        "detected": detect,
        "source": source,
        "seed": seed,
        "parts": list(PARTS),
    }
    save_clip(
        path,
        about,
        rgba=rgba,
        parts=np.stack([frame.parts for frame in frames]),
        motion=np.stack([frame.motion for frame in frames]),
        truth=truth,
        landmarks=landmarks,
        times=np.arange(len(motion)) / motion.fps,
    )


class _Maker:
    """Makes numbered clips in one process, keeping one actor per style."""

    def __init__(self) -> None:
        self.actors: dict[tuple[int, int], Actor] = {}

    def __call__(
        self,
        path: Path,
        index: int,
        seconds: float,
        seed: int,
        size: int,
        detect_share: float,
        styles: tuple[int, ...],
    ) -> None:
        rng = np.random.default_rng((seed, index))
        style = styles[index % len(styles)]
        source, motion = _draw_motion(rng, seconds)
        detect = bool(rng.random() < detect_share)
        actor = self.actors.get((style, size)) or Actor(style, size)
        self.actors[style, size] = actor
        make_clip(path, style, motion, rng, detect, size, source=source, seed=seed, actor=actor)


_maker = _Maker()


def _make(*job: object) -> None:
    _maker(*job)  # pyright: ignore[reportArgumentType]


def _draw_motion(rng: np.random.Generator, seconds: float) -> tuple[str, Motion]:
    """A sampled motion, now and then a stretch of a capture that is not held out."""
    if rng.random() >= CAPTURE_SHARE:
        return "sampled", sample_motion(rng, seconds, FPS)
    name = TRAINING[int(rng.integers(len(TRAINING)))]
    assert name not in HELD_OUT
    whole = load_capture(name, fps=FPS)
    length = min(round(seconds * FPS), len(whole))
    start = int(rng.integers(0, len(whole) - length + 1))
    part = slice(start, start + length)
    return name, Motion(whole.local[part], whole.root[part], FPS)


def synth_actor(
    out: Path,
    clips: int,
    seconds: float,
    seed: int,
    size: int = 256,
    detect_share: float = 0.9,
    workers: int = 1,
    styles: Sequence[int] | None = None,
) -> None:
    """Make a data set: backdrop.png, and clips in 00000 and so on; finished ones are kept."""
    check_size(size)
    out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "backdrop.png"), backdrop(size)[:, :, ::-1])
    chosen = tuple(styles) if styles is not None else tuple(range(len(STYLES)))
    jobs = [
        (out / f"{index:05d}", index, seconds, seed, size, detect_share, chosen)
        for index in range(clips)
        if not (out / f"{index:05d}" / "clip.json").exists()
    ]
    run_jobs(_make, jobs, clips, workers)
