"""Which files of two or three folders belong to one frame: by their names, or by their order."""

import re
from pathlib import Path
from typing import NamedTuple

from ...model.condition.labels.files import LOSSLESS, MARK, label_images

PICTURES = (*LOSSLESS, ".jpg", ".jpeg", ".webp")
KINDS = ("_labelIds", "_labelTrainIds")
"""Where a folder holds several kinds of labels, the first of these is taken."""
_SUFFIX = re.compile(
    r"[_-](leftImg8bit|gt(Fine|Coarse)_\w+|rgb|colou?r|image|img|picture|seg|semantic|mask|L"
    r"|label(s|Ids|TrainIds)?|inst(ance)?(s|Ids)?)$",
    re.IGNORECASE,
)
_INSTANCE = re.compile(r"[_-]inst(ance)?(s|Ids)?$", re.IGNORECASE)


class Pair(NamedTuple):
    """Files of one frame, or of one video; None: there is none."""

    picture: Path | None
    label: Path | None
    instance: Path | None = None

    @property
    def name(self) -> str:
        """Of its picture, or else its labels, with their folder."""
        return "/".join((self.picture or self.label or Path()).parts[-2:])


def paired(pictures: Path, labels: Path, instances: Path | None) -> dict[str, Pair]:
    """Pairs by what the names of files share, in order; of folders that need not be there.

    One folder may hold all; instances: None where they lie beside the labels.
    """
    shown = _images(pictures)
    if pictures == labels:
        shown = [p for p in shown if not _says_label(p) and not _tells_things(p)]
        named = [p for p in _labels(labels) if _says_label(p)]
    else:
        named = _labels(labels)
    if instances is None:
        things = [p for p in _images(labels) if _tells_things(p)]
    else:
        things = _images(instances)
    by_picture = _keyed(shown)
    by_label, by_instance = (_aligned(files, by_picture) for files in (named, things))
    keys = sorted(by_picture | by_label, key=natural)
    return {
        key: Pair(*(found.get(key) for found in (by_picture, by_label, by_instance)))
        for key in keys
    }


def _aligned(files: list[Path], pictures: dict[str, Path]) -> dict[str, Path]:
    """Files by the names that they share with pictures; where they share none, by their order."""
    found = _keyed(files)
    if found.keys() & pictures.keys() or len(found) != len(pictures):
        return found
    return dict(zip(pictures, found.values(), strict=True))


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = filter(is_image, folder.iterdir())
    return sorted(found, key=lambda path: natural(path.stem))


def is_image(path: Path) -> bool:
    """Tell a picture by its name."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".")


def _labels(folder: Path) -> list[Path]:
    """Label images of one kind, in order."""
    found = [*filter(is_image, label_images(folder))] if folder.is_dir() else []
    found = [path for path in found if not _tells_things(path)] or found
    for kind in KINDS:
        found = [path for path in found if path.stem.endswith(kind)] or found
    return sorted(found, key=lambda path: natural(path.stem))


def _says_label(path: Path) -> bool:
    return MARK in path.stem.lower()


def _tells_things(path: Path) -> bool:
    return _INSTANCE.search(path.stem) is not None


def _keyed(files: list[Path]) -> dict[str, Path]:
    """Files by what those of one frame share in their names."""
    found = {_SUFFIX.sub("", path.stem): path for path in files}
    return found if len(found) == len(files) else {path.stem: path for path in files}


def natural(name: str) -> list[str | int]:
    """Sorts 2 before 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
