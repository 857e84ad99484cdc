"""How clips lie on disk: a folder each, in a data set that shares a backdrop.

DATA/backdrop.png         what is behind everybody, [H, W]
DATA/NAME/rgba.npy        uint8 [T, H, W, 4], straight alpha
DATA/NAME/parts.npy       uint8 [T, H, W], ids of what is shown; 0: nobody
DATA/NAME/motion.npy      float16 [T, 2, H/4, W/4], pixels of the full size (x right, y down):
                          what is at p now was at p + motion one frame earlier
DATA/NAME/truth.npy       float32 [T, 33, 4], where the landmarks are in the picture: x, y in
                          0..1, z as x, visibility
DATA/NAME/landmarks.npy   the same as a detector found them live; NaN where it found nobody
DATA/NAME/times.npy       float64 [T], seconds
DATA/NAME/clip.json       style (its number), name (of the style), fps, frames, size, detected,
                          source, parts (names of the ids)

Of labelled scenes, which have no backdrop, in place of those:

DATA/NAME/rgb.npy         uint8 [T, H, W, 3]
DATA/NAME/label.npy       uint8 [T, H, W], ids of classes
DATA/NAME/instance.npy    uint16 [T, H, W], ids of things; 0: none
DATA/NAME/depth.npy       float16 [T, H, W], metres; 0: unknown, or the sky
DATA/NAME/motion.npy, times.npy   as above; motion at the centre of each 4x4 cell
DATA/NAME/clip.json       condition ("labels"), style, name, fps, frames, width, height, source,
                          classes (names of the ids)

Of sketches, whose conditions are made of the pictures:

DATA/NAME/rgb.npy, motion.npy, times.npy   as those of scenes; motion by optical flow
DATA/NAME/clip.json       condition ("sketch"), style, name, fps, frames, width, height, source
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.errors import InputError

LARGEST = 2048
"""Side of a picture at most."""


def check_size(size: int) -> None:
    """Raise InputError for a picture's side that cannot be rendered or trained on."""
    if size % 16 or not 64 <= size <= LARGEST:
        raise InputError(f"size {size}: a multiple of 16 from 64 to {LARGEST} is accepted")


def save_clip(path: Path, about: dict[str, Any], **arrays: NDArray[Any]) -> None:
    """Write a clip's folder; it appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, values in arrays.items():
        np.save(temporary / f"{name}.npy", values)
    (temporary / "clip.json").write_text(json.dumps(about, indent=1) + "\n")
    temporary.rename(path)


def open_clip(folder: Path, *names: str) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Open what is known of a clip, and arrays of it where they lie. Raises InputError."""
    try:
        about = json.loads((folder / "clip.json").read_text())
        return about, [np.load(folder / f"{name}.npy", mmap_mode="r") for name in names]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is not a whole clip: {error}") from error


def clip_folders(folder: Path) -> list[Path]:
    """Find every finished clip below `folder`; raises InputError where there is none."""
    found = [path.parent for path in sorted(folder.rglob("clip.json"))]
    if not found:
        raise no_clips(folder)
    return found


def no_clips(folder: Path) -> InputError:
    """Say that there is nothing to train on, and what would make some."""
    return InputError(
        f"no clips in {folder}: make some with `rotolive synth actor` or `rotolive prepare`"
    )
