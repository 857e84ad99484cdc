"""A look at a data set before training: what is in it, and whether it fits together."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.errors import InputError
from .clip_format import clip_folders

PEOPLE = {
    "rgba": (np.uint8, "H W 4"),
    "parts": (np.uint8, "H W"),
    "motion": (np.float16, "2 h w"),
    "truth": (np.float32, "33 4"),
    "landmarks": (np.float32, "33 4"),
    "times": (np.float64, ""),
}
SCENES = {
    "rgb": (np.uint8, "H W 3"),
    "label": (np.uint8, "H W"),
    "instance": (np.uint16, "H W"),
    "depth": (np.float16, "H W"),
    "motion": (np.float16, "2 h w"),
    "times": (np.float64, ""),
}
SKETCHES = {name: SCENES[name] for name in ("rgb", "motion", "times")}
"""Type and shape of each array's frames; h and w are a quarter of the picture's H and W."""
ARRAYS = {"pose": PEOPLE, "labels": SCENES, "sketch": SKETCHES}
FIELDS = {
    "pose": ("parts", "detected"),
    "labels": ("classes", "width", "height"),
    "sketch": ("width", "height"),
}
"""What clip.json tells of clips for one condition only."""
NAMED = {"pose": ("parts", "parts"), "labels": ("label", "classes")}
"""An array of ids, and where clip.json names them."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What a data set holds. names: of all parts or classes, shown, missing: of those that occur,
    and that never do."""

    clips: int
    frames: int
    seconds: float
    width: int
    height: int
    styles: dict[str, int]
    condition: str
    names: tuple[str, ...]
    shown: tuple[str, ...]
    missing: tuple[str, ...]
    sources: tuple[str, ...]
    unfinished: int

    def __str__(self) -> str:
        styles = ", ".join(f"{name} ({count} clips)" for name, count in self.styles.items())
        rest = f"; {self.unfinished} unfinished clips are left out" if self.unfinished else ""
        if self.missing:
            rest = f"; never shown, so not learned: {', '.join(self.missing)}{rest}"
        shown = f"; shown: {', '.join(self.shown)}" if self.shown else ""
        return (
            f"{self.clips} clips, {self.frames} frames, {self.seconds / 60:.1f} minutes, "
            f"{self.width}x{self.height}; styles: {styles}{shown}{rest}"
        )


def check(data: Path) -> Inventory:
    """Look through a data set. Raises InputError naming the clip that does not fit, and why."""
    folders = clip_folders(data)
    about = [_about(folder) for folder in folders]
    condition, names = _kind(about[0])
    width, height = _size(data, condition, about[0])
    ids = NAMED[condition][0] if condition in NAMED else None
    used: set[int] = set()
    seconds = 0.0
    for folder, clip in zip(folders, about, strict=True):
        if _kind(clip) != (condition, names):
            raise InputError(
                f"{folder} labels other parts than {folders[0]}: clips of one data set must come "
                "from one maker"
            )
        arrays = _arrays(folder, ARRAYS[condition], height, width)
        seconds += float(arrays["times"][-1] - arrays["times"][0])
        used |= _ids(folder, arrays[ids], ids, len(names)) if ids else set()
    named = range(condition != "labels", len(names))
    return Inventory(
        clips=len(folders),
        frames=sum(int(clip["frames"]) for clip in about),
        seconds=seconds,
        width=width,
        height=height,
        styles=_styles(folders, about),
        condition=condition,
        names=names,
        shown=tuple(names[i] for i in named if i in used),
        missing=tuple(names[i] for i in named if i not in used),
        sources=tuple(sorted({str(clip.get("source", "unknown")) for clip in about})),
        unfinished=sum(1 for path in data.glob(".*.tmp") if path.is_dir()),
    )


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "clip.json").read_text())
        condition = str(about.get("condition", "pose"))
        missing = {"style", "name", "frames", *FIELDS.get(condition, ())} - about.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: clip.json is damaged: {error}") from error
    if condition not in FIELDS:
        raise InputError(f"{folder} is for {condition}; known conditions are {', '.join(FIELDS)}")
    if missing:
        raise InputError(f"{folder}: clip.json lacks {', '.join(sorted(missing))}")
    return about


def _kind(about: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The condition that clips are made for, and the names of what they label."""
    condition = str(about.get("condition", "pose"))
    return condition, tuple(about[NAMED[condition][1]] if condition in NAMED else ())


def _size(data: Path, condition: str, about: dict[str, Any]) -> tuple[int, int]:
    if condition != "pose":
        return int(about["width"]), int(about["height"])
    picture = cv2.imread(str(data / "backdrop.png"))
    if picture is None:
        raise InputError(f"{data} is no data set: backdrop.png is missing or no picture")
    height, width = picture.shape[:2]
    return width, height


def _arrays(
    folder: Path, kinds: dict[str, tuple[type, str]], height: int, width: int
) -> dict[str, NDArray[Any]]:
    """Open a clip's arrays, all of one length and size."""
    sizes = {"H": height, "W": width, "h": height // 4, "w": width // 4}
    arrays: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in kinds.items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} is missing or damaged: {error}") from error
        if not array.ndim:
            raise InputError(f"{path} is damaged: it holds one number")
        frames = len(next(iter(arrays.values()))) if arrays else len(array)
        wanted = (frames, *(sizes.get(side) or int(side) for side in shape.split()))
        if array.shape != wanted or array.dtype != kind:
            raise InputError(
                f"{path} is {array.dtype} {array.shape}; {kind.__name__} {wanted} is expected, "
                "by the size of the data and the first array's frames"
            )
        arrays[name] = array
    if len(arrays["times"]) < 2 or not (np.diff(arrays["times"]) > 0).all():
        raise InputError(f"{folder}: its times must rise, and there must be two frames at least")
    return arrays


def _ids(folder: Path, ids: NDArray[np.uint8], name: str, known: int) -> set[int]:
    counts = sum(np.bincount(frame.ravel(), minlength=256) for frame in ids)
    used = {int(i) for i in np.flatnonzero(counts)}
    if max(used) >= known:
        raise InputError(f"{folder}/{name}.npy holds the id {max(used)}; clip.json names {known}")
    return used


def _styles(folders: list[Path], about: list[dict[str, Any]]) -> dict[str, int]:
    names: dict[int, str] = {}
    for folder, clip in zip(folders, about, strict=True):
        number, name = int(clip["style"]), str(clip["name"])
        if names.setdefault(number, name) != name:
            raise InputError(f"{folder}: style {number} is {name!r} here, {names[number]!r} before")
    if missing := sorted(set(range(max(names) + 1)) - names.keys()):
        raise InputError(f"no clips of style {missing[0]}; there are {max(names) + 1} styles")
    if len(set(names.values())) < len(names):
        raise InputError(f"two styles have one name: {', '.join(names.values())}")
    counts = Counter(int(clip["style"]) for clip in about)
    return {names[number]: counts[number] for number in sorted(names)}
