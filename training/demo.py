"""The pictures that come with a model: the page's bundled clip, the styles' thumbnails."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.condition import Observation
from ..model.condition.pose.draw import draw
from ..model.condition.pose.retarget import Retargeter
from ..model.condition.pose.skeleton import Measures
from ..model.live import Request
from ..model.live import open_model as open_live
from ..model.package import load
from ..model.video import TimedPicture, VideoReader, VideoWriter
from .synthetic.actor import Actor
from .synthetic.backdrop import over
from .synthetic.motion import sample_motion

FPS = 30.0
POSTER_HEIGHT, POSTER_START, POSTER_FRAMES = 224, 60, 60


def write_clip(path: Path, seed: int = 4968, seconds: float = 15.0, size: int = 384) -> None:
    """Film somebody who dances in a room of their own, 4:3, as a webcam would see them."""
    motion = sample_motion(np.random.default_rng(seed), seconds, FPS)
    actor = Actor(1, size)
    room = _room(size)
    side = (size * 4 // 3 - size) // 2 & ~1
    wall = np.pad(room, ((0, 0), (side, side), (0, 0)), "edge")
    with VideoWriter(path, wall.shape[1], size, FPS) as writer:
        for t in range(len(motion)):
            picture = wall.copy()
            picture[:, side : side + size] = over(actor.render(motion[t]).rgba, room)
            writer.write(TimedPicture(rgb=picture, time_s=t / FPS))
    actor.close()


def write_thumbnails(model: str, folder: Path, size: int = 256) -> None:
    """Let each style stand at ease for a second and take its picture: {name}-{style}.png."""
    card = load(model).card
    live = open_live(model, slots=1)
    measures = Measures.from_dict(card.condition_settings)
    folder.mkdir(parents=True, exist_ok=True)
    for style in range(len(live.styles)):
        retargeter = Retargeter(measures)
        live.reset(0)
        rgb = np.zeros((live.height, live.width, 3), np.uint8)
        for t in range(30):
            joints = retargeter.update(None, t / FPS)
            planes = draw(joints, live.width // 4, live.height // 4)
            seen = Observation(condition=planes, points=joints)
            rgb = live.step([Request(slot=0, seen=seen, style=live.style(style))])[0].rgb
        small = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{card.name}-{style}.png"), small[:, :, ::-1])


def write_poster(clips: list[Path], path: Path) -> None:
    """An animated WebP of a few seconds of each clip, side by side."""
    keep = slice(POSTER_START, POSTER_START + 2 * POSTER_FRAMES, 2)
    strips = [[_fit(p.rgb, POSTER_HEIGHT) for p in VideoReader(clip)][keep] for clip in clips]
    animation = cv2.Animation()
    animation.frames = [np.hstack(row)[:, :, ::-1].copy() for row in zip(*strips, strict=True)]
    animation.durations = [2000 // 30] * len(animation.frames)
    cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 82])


def _fit(rgb: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    width = round(rgb.shape[1] * height / rgb.shape[0])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _room(size: int) -> NDArray[np.uint8]:
    """A warm, plain wall and a wooden floor, unlike the dancer's studio; [H, W, 3]."""
    ys = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    wall = np.array([205, 192, 170], np.float32) * (1.02 - 0.18 * ys)
    floor = np.array([150, 118, 88], np.float32) * (0.75 + 0.3 * ys)
    mixed = np.where(ys > 0.8, floor, wall)
    return np.broadcast_to(mixed, (size, size, 3)).clip(0, 255).astype(np.uint8).copy()
