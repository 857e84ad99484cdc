"""What the pixels of label files stand for: from their ids or colours to a data set's classes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...model.condition.labels.classes import MOST
from ...model.condition.labels.files import ClassNames, Colour
from ...model.errors import InputError
from .accounts import Flaw
from .label_pixels import Pixels


@dataclass(frozen=True, kw_only=True)
class Coding:
    """names: of the data set's classes. ids, colours: the class of each id and colour of files."""

    names: tuple[str, ...]
    ids: dict[int, int]
    colours: dict[Colour, int]

    def classes(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the class of every pixel, [H, W]. Raises Flaw for an id that stands for none."""
        values, palette = pixels
        if values.ndim == 2 and (palette is None or not self.colours):
            return _known(self._of_ids[values], values)
        if not self.colours:
            raise Flaw("in colours, and --classes tells none")
        found = self._of_colours(values) if palette is None else self._of_colours(palette)[values]
        return _known(found, values)

    @cached_property
    def _of_ids(self) -> NDArray[np.int16]:
        table = np.full(1 << 16, -1, np.int16)
        table[list(self.ids)] = list(self.ids.values())
        return table

    def _of_colours(self, rgb: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Return the class of each colour [..., 3], -1 of unknown ones."""
        keys, classes = self._sorted_colours
        wanted = _packed(rgb)
        place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where(keys[place] == wanted, classes[place], np.int16(-1))

    @cached_property
    def _sorted_colours(self) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
        keys = _packed(np.array(list(self.colours), np.uint8))
        order = keys.argsort()
        return keys[order], np.array(list(self.colours.values()), np.int16)[order]


def coding_of(given: ClassNames) -> Coding:
    """Ids in the order of the names, and their colours. Raises InputError for too many or twins."""
    names, colours = given
    if len(names) > MOST:
        raise InputError(f"{len(names)} classes; up to {MOST} are accepted")
    for what, found in (("name", names), ("colour", colours)):
        if twice := [value for value in found if found.count(value) > 1]:
            raise InputError(f"two classes have the {what} {twice[0]}")
    ids = {i: i for i in range(len(names))}
    return Coding(names=names, ids=ids, colours=dict(zip(colours, range(len(names)), strict=False)))


def _known(classes: NDArray[np.int16], values: NDArray[np.generic]) -> NDArray[np.uint8]:
    if (unknown := classes < 0).any():
        one = values[unknown][0]
        raise Flaw("with ids or colours outside the classes", str(one.tolist()))
    return classes.astype(np.uint8)


def _packed(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours [..., 3] as numbers [...]."""
    red, green, blue = (rgb[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue
