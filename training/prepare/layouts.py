"""How paired pictures and labels lie on disk: in which folders, and what makes a sequence."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ...model.condition.labels.files import LOSSLESS
from ...model.errors import InputError
from .pairing import Pair, is_image, natural, paired

VID2VID = ("train_B", "train_A", "train_inst")
"""Folders of pictures, labels and instances as vid2vid has them (Wang et al. 2018)."""
CITYSCAPES = ("leftImg8bit_sequence", "leftImg8bit")
"""Folders of pictures as Cityscapes has them; labels and instances lie in GROUND_TRUTH."""
GROUND_TRUTH, PICTURE_MARK = "gtFine", "_leftImg8bit"
CITYSCAPES_FPS, OTHER_FPS = 17.0, 15.0
KNOWN = (
    "folders train_A and train_B as vid2vid has them, leftImg8bit and gtFine as Cityscapes has "
    "them, or one folder in which the names of labels say `label`; --labels names any others"
)
_IN_CITY = re.compile(r"(?P<drive>.+_\d{6})_(?P<frame>\d{6})")


@dataclass(frozen=True, kw_only=True)
class Series:
    """Frames that follow each other: a pair of files each, or one pair of videos."""

    name: str
    pairs: tuple[Pair, ...]
    video: bool = False

    @property
    def files(self) -> Iterator[Path]:
        """All files that are there."""
        return (path for pair in self.pairs for path in pair if path is not None)

    @property
    def labels(self) -> Iterator[Path]:
        """All files of labels."""
        return (pair.label for pair in self.pairs if pair.label is not None)

    @property
    def fps(self) -> float:
        """Usual pictures a second, where files do not tell."""
        first = self.pairs[0].picture
        in_city = first is not None and first.stem.endswith(PICTURE_MARK)
        return CITYSCAPES_FPS if in_city else OTHER_FPS


def find_series(path: Path, labels: Path | None = None) -> list[Series]:
    """Find what can be paired in a folder, or of a video and that of its labels.

    Raises InputError for what has no known layout.
    """
    if not path.exists() or (labels is not None and not labels.exists()):
        raise InputError(f"there is no {labels if path.exists() else path}")
    if path.is_file():
        return [_video(path, labels)]
    if labels is not None and labels.is_file():
        raise InputError(f"{path} is a folder, its labels {labels} are a file; both are one kind")
    pictures, of_labels, instances = _roots(path, labels)
    for root in (pictures, of_labels):
        if not root.is_dir():
            raise InputError(f"{path}: there is no folder {root}")
    found = [
        sequence
        for folder in _folders(pictures, of_labels)
        for sequence in _split(
            folder, paired(pictures / folder, of_labels / folder, instances and instances / folder)
        )
    ]
    if not any(pair.picture and pair.label for sequence in found for pair in sequence.pairs):
        raise InputError(
            f"{path} holds no pictures with labels ({', '.join(LOSSLESS)}: lossy ones mix the ids "
            f"of neighbours); accepted are {KNOWN}"
        )
    return found


def _video(path: Path, labels: Path | None) -> Series:
    if labels is None or not labels.is_file():
        raise InputError(f"{path} is a file; --labels must name the video of its labels")
    return Series(name="", pairs=(Pair(path, labels),), video=True)


def _roots(path: Path, labels: Path | None) -> tuple[Path, Path, Path | None]:
    """Folders of pictures, labels and, where they are apart from these, instances."""
    if labels is not None:
        return path, labels, None
    b, a, instances = (path / name for name in VID2VID)
    if b.is_dir() or a.is_dir():
        return b, a, instances if instances.is_dir() else None
    for name in CITYSCAPES:
        if name in path.parts:
            at = len(path.parts) - path.parts[::-1].index(name)
            rest = Path(*path.parts[at:])
            return path, Path(*path.parts[: at - 1]) / GROUND_TRUTH / rest, None
        if (path / name).is_dir():
            part = "train" if (path / name / "train").is_dir() else ""
            return path / name / part, path / GROUND_TRUTH / part, None
    return path, path, None


def _folders(pictures: Path, labels: Path) -> list[Path]:
    """Folders, as seen from both roots, that hold images in either."""
    found = {
        Path(folder).relative_to(root)
        for root in (pictures, labels)
        for folder, _, files in os.walk(root, followlinks=True)
        if any(is_image(Path(file)) for file in files)
    }
    return sorted(found, key=lambda folder: natural(str(folder)))


def _split(folder: Path, pairs: dict[str, Pair]) -> Iterator[Series]:
    """A folder is a sequence; one of Cityscapes holds several, which its names tell."""
    matches = [_IN_CITY.fullmatch(key) for key in pairs]
    if not matches or None in matches:
        name = "-".join(folder.parts)
        if pairs:
            yield Series(name=name, pairs=tuple(pairs.values()))
        return
    numbers = [(match["drive"], int(match["frame"])) for match in matches if match]
    breaks = [
        i + 1
        for i, ((drive, frame), after) in enumerate(pairwise(numbers))
        if after != (drive, frame + 1)
    ]
    keys = list(pairs)
    for start, end in pairwise([0, *breaks, len(keys)]):
        yield Series(name=keys[start], pairs=tuple(pairs[key] for key in keys[start:end]))
