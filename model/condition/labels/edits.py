"""Editing the world by its labels: a tree becomes a building."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import InputError
from .. import Planes

MOST = 256
"""Instances that may be edited at once."""


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What is shown as something else: every thing of a class, or one instance.

    classes: class name to class name. instances: instance id to class name; they go before
    classes. Each edit is of what the engine sent, so two classes can change places.
    """

    classes: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[int, str] = field(default_factory=dict)

    def check(self, known: Sequence[str]) -> None:
        """Raise InputError naming the class that is not known, or the instance that is none."""
        for name in (*self.classes, *self.classes.values(), *self.instances.values()):
            if name not in known:
                raise InputError(f"no class {name!r}: there are {', '.join(known)}")
        for instance in self.instances:
            if not 0 < instance < 2**32:
                raise InputError(f"no instance {instance}: their ids are whole and above 0")
        if len(self.instances) > MOST:
            raise InputError(f"{len(self.instances)} instances to edit; at most {MOST} are taken")

    def apply(self, planes: Planes, known: Sequence[str]) -> Planes:
        """Return planes with the labels edited; what was checked does not fail."""
        if not (self.classes or self.instances) or "label" not in planes:
            return planes
        table = np.arange(256, dtype=np.uint8)
        for name, other in self.classes.items():
            table[known.index(name)] = known.index(other)
        edited = table[planes["label"]]
        for number, name in self.instances.items() if "instance" in planes else ():
            edited[planes["instance"] == number] = known.index(name)
        return {**planes, "label": edited}
