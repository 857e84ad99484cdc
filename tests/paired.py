"""A labelled drive as people have it on disk: pictures and labels in files, for tests."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scenes import FRAMES, HEIGHT, SPEED, WIDTH, write_clip

from rotolive.model.condition.labels.classes import STREET

NAMES = ("sky", "road", "building", "car")
COLOURS = ((70, 130, 180), (128, 64, 128), (70, 70, 70), (0, 0, 142))
"""As Cityscapes has them."""
PLAINER = {
    "road": "road",
    "lane marking": "road",
    "building:brick": "building",
    "window": "building",
    "car": "car",
}


class Drive(NamedTuple):
    """rgb uint8 [T, H, W, 3], label uint8 [T, H, W], instance uint16 [T, H, W]."""

    rgb: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]


def drive(folder: Path) -> Drive:
    """The scene of `scenes`, of NAMES, with textures that move along: left by SPEED a frame."""
    write_clip(folder / "scene", 0)
    rgb, label, instance = (
        np.load(folder / "scene" / f"{name}.npy") for name in ("rgb", "label", "instance")
    )
    plainer = np.zeros(len(STREET), np.uint8)
    for i, name in enumerate(STREET):
        plainer[i] = NAMES.index(PLAINER.get(name, "sky"))
    label = plainer[label]
    noise = np.random.default_rng(1).normal(0, 40, (HEIGHT, WIDTH + SPEED * FRAMES, 1))
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)[..., None] * 3
    moved = np.stack([texture[:, SPEED * t : SPEED * t + WIDTH] for t in range(FRAMES)])
    return Drive((rgb + moved).clip(0, 255).astype(np.uint8), label, instance)


def write_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write colours [H, W, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def write_ids(path: Path, ids: NDArray[np.generic]) -> None:
    """Write ids [H, W] of 8 or 16 bits in grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), ids)


def in_colours(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ids of NAMES [..., H, W] in their colours."""
    return np.array(COLOURS, np.uint8)[ids]


def write_palette(path: Path, ids: NDArray[np.uint8]) -> None:
    """Write ids of NAMES [H, W] with a palette."""
    frame = av.VideoFrame(ids.shape[1], ids.shape[0], "pal8")
    rows = np.frombuffer(frame.planes[0], np.uint8).reshape(ids.shape[0], -1)
    bgra = np.zeros((256, 4), np.uint8)
    bgra[: len(COLOURS), :3] = np.array(COLOURS)[:, ::-1]
    bgra[:, 3] = 255
    padded = np.zeros_like(rows)
    padded[:, : ids.shape[1]] = ids
    frame.planes[0].update(padded.tobytes())
    frame.planes[1].update(bgra.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = ids.shape[1], ids.shape[0], "pal8"  # type: ignore[attr-defined]
    codec.time_base = Fraction(1, 15)
    path.write_bytes(b"".join(bytes(packet) for packet in codec.encode(frame)))  # type: ignore[attr-defined]


def write_video(path: Path, frames: NDArray[np.uint8], codec: str, pixels: str, fps=15) -> Path:
    """Write ids [T, H, W] or colours [T, H, W, 3] by a codec in pixels of some format."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixels
        for picture in frames:
            kind = "gray" if picture.ndim == 2 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, format=kind)
            for packet in stream.encode(frame if kind == pixels else frame.reformat(format=pixels)):
                container.mux(packet)
        container.mux(stream.encode(None))
    return path
