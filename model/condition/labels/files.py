"""Labels on disk: the names of classes, and which files hold ids."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError

LOSSLESS = (".png", ".bmp", ".tif", ".tiff")
MARK = "label"
"""Where some files have this in their names, the others are taken for something else."""

Colour = tuple[int, int, int]


class ClassNames(NamedTuple):
    """Names in id order and, where colours stand for classes, the colour of each."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()


def read_names(text: str) -> tuple[str, ...]:
    """Class names in id order; takes and raises what `read_classes` does."""
    return read_classes(text).names


def read_classes(text: str) -> ClassNames:
    """Read classes from "road,car,...", or from a file.

    A file is JSON, ["road", "car"] or {"road": [128, 64, 128], "car": [0, 0, 142]}, or has one name
    a line. Raises InputError.
    """
    path = Path(text)
    try:
        if path.suffix not in (".json", ".txt") and not os.path.isfile(text):
            return _listed(text, text.split(","))
        if path.suffix == ".json":
            return _from_json(text, json.loads(path.read_text()))
        return _listed(text, path.read_text().splitlines())
    except (OSError, ValueError) as error:
        raise InputError(f"{text} holds no class names: {error}") from error


def label_images(folder: Path) -> list[Path]:
    """Label images in a folder, by their names; none where it holds none."""
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in LOSSLESS)
    return [path for path in images if MARK in path.stem.lower()] or images


def _listed(text: str, found: list[str]) -> ClassNames:
    names = tuple(name.strip() for name in found if name.strip())
    if not names:
        raise InputError(f"{text!r} names no classes; give them in the order of their ids")
    return ClassNames(names)


def _from_json(text: str, found: Any) -> ClassNames:
    if isinstance(found, list) and all(isinstance(name, str) for name in found):
        return _listed(text, found)
    if isinstance(found, dict) and found and all(map(_is_colour, found.values())):
        return ClassNames(tuple(found), tuple(tuple(colour) for colour in found.values()))
    raise InputError(
        f'{text} must hold a list of names, ["road", "car"], or their colours, '
        '{"road": [128, 64, 128], "car": [0, 0, 142]}'
    )


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(part, int) and 0 <= part <= 255 for part in value)
    )
