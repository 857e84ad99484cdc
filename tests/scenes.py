"""Clips of a small labelled scene, for tests that need one and no renderer."""

import json
from pathlib import Path

import numpy as np

from rotolive.model.condition.labels.classes import STREET

WIDTH, HEIGHT, FRAMES, SPEED = 128, 64, 12, 4
ID = {name: i for i, name in enumerate(STREET)}


def write_clips(folder: Path) -> Path:
    """A data set: a clip of each style."""
    for style in range(2):
        write_clip(folder / f"{style:05d}", style)
    return folder


def write_clip(folder: Path, style: int) -> None:
    """A wall with a window and a car before it, all moving left by SPEED pixels a frame."""
    folder.mkdir(parents=True)
    label = np.full((FRAMES, HEIGHT, WIDTH), ID["sky"], np.uint8)
    label[:, 40:] = ID["road"]
    instance = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint16)
    for t in range(FRAMES):
        left = 70 - SPEED * t
        label[t, 10:40, left : left + 50] = ID["building:brick"]
        instance[t, 10:40, left : left + 50] = 9
        label[t, 20:30, left + 10 : left + 20] = ID["window"]
        label[t, 36:50, left + 30 : left + 44] = ID["car"]
        instance[t, 36:50, left + 30 : left + 44] = 3
        label[t, 52:54, left : left + 20] = ID["lane marking"]
    motion = np.zeros((FRAMES, 2, HEIGHT // 4, WIDTH // 4), np.float16)
    motion[:, 0] = SPEED
    colours = np.random.default_rng(0).integers(30, 220, (len(STREET), 3)).astype(np.uint8)
    rgb = colours[label] // (1 + style)
    depth = np.where(label == ID["sky"], 0, 10).astype(np.float16)
    arrays = {"rgb": rgb, "label": label, "instance": instance, "depth": depth, "motion": motion}
    for name, values in {**arrays, "times": np.arange(FRAMES) / 30.0}.items():
        np.save(folder / f"{name}.npy", values)
    about = {
        "condition": "labels",
        "style": style,
        "name": ("noon", "dusk")[style],
        "fps": 30.0,
        "frames": FRAMES,
        "width": WIDTH,
        "height": HEIGHT,
        "source": "street",
        "classes": list(STREET),
    }
    (folder / "clip.json").write_text(json.dumps(about))
