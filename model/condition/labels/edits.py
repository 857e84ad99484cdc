"""Editing the world by its labels: a tree becomes a building."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ...errors import InputError
from .. import Planes
from .drawn import check_target, target

MOST = 256
"""Instances that may be edited at once."""
LABEL_PLANES = {"label", "instance", "depth", "motion"}


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What is shown as something else: every thing of a class, or one instance.

    classes: class name to class name. instances: instance id to class name; they go before
    classes. What something is shown as can be drawn, as in "building:*7": each instance takes one
    of the surfaces of a building, by a seed. Each edit is of what the engine sent, so two classes
    can change places. erased: classes that give way to what is next to them.
    """

    classes: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[int, str] = field(default_factory=dict)
    erased: Sequence[str] = ()

    def check(self, known: Sequence[str]) -> None:
        """Raise InputError naming the class that is not known, or the instance that is none."""
        for name in (*self.classes, *self.erased):
            if name not in known:
                raise InputError(f"no class {name!r}: there are {', '.join(known)}")
        for name in (*self.classes.values(), *self.instances.values()):
            check_target(name, known)
        for instance in self.instances:
            if not 0 < instance < 2**32:
                raise InputError(f"no instance {instance}: their ids are whole and above 0")
        if len(self.instances) > MOST:
            raise InputError(f"{len(self.instances)} instances to edit; at most {MOST} are taken")

    def apply(self, planes: Planes, known: Sequence[str]) -> Planes:
        """Return planes with the labels edited; what was checked does not fail."""
        if "label" not in planes or not (self.classes or self.instances or self.erased):
            return planes
        planes = _without(planes, [known.index(name) for name in self.erased])
        label = planes["label"]
        instance = planes["instance"] if "instance" in planes else np.zeros_like(label)
        table = np.arange(256, dtype=np.uint8)
        drawn = {name: other for name, other in self.classes.items() if other not in known}
        for name in self.classes.keys() - drawn.keys():
            table[known.index(name)] = known.index(self.classes[name])
        edited = np.asarray(cv2.LUT(label, table), np.uint8)
        for name, other in drawn.items():
            shown = label == known.index(name)
            edited[shown] = target(other, known, instance[shown])
        for number, name in self.instances.items() if "instance" in planes else ():
            edited[instance == number] = target(name, known, np.array([number], np.uint32))
        return {**planes, "label": edited}


def _without(planes: Planes, ids: Sequence[int]) -> Planes:
    """Fill where the label is one of the ids with what is nearest, in all planes but pictures."""
    gone = np.isin(planes["label"], ids)
    if not gone.any() or gone.all():
        return planes
    _, regions = cv2.distanceTransformWithLabels(
        gone.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.asarray(regions, np.intp)
    source = np.zeros(nearest.max() + 1, np.intp)
    source[nearest[~gone]] = np.flatnonzero(~gone)
    taken = source[nearest[gone]]
    filled = dict(planes)
    for name in LABEL_PLANES & planes.keys():
        flat = planes[name].reshape(-1, gone.size).copy()
        flat[:, gone.ravel()] = flat[:, taken]
        filled[name] = flat.reshape(planes[name].shape)
    return filled
