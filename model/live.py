"""A model as the live path sees it: a conditioner per session, one batched step for them all."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .condition import Conditioner, Observation, Planes, plane
from .condition.labels.classes import STREET
from .condition.labels.conditioner import PaletteConditioner
from .errors import InputError
from .info import Progress, RuntimeInfo, silent
from .picture import fitted
from .video import TimedPicture


@dataclass(frozen=True, kw_only=True)
class Request:
    """One slot's turn: what its Conditioner saw, style weights [S], the frame's number."""

    slot: int
    seen: Observation
    style: NDArray[np.float32]
    seq: int = 0


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was painted: rgb uint8 [H, W, 3], alpha uint8 [H, W] (None: opaque)."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None


class UnknownStyle(InputError):
    """A style index that the model does not have."""


class LiveModel(ABC):
    """A loaded model with `slots` independent recurrent states. Step and reset from one thread."""

    name: str
    width: int
    height: int
    styles: tuple[str, ...]
    slots: int
    condition: str = "picture"
    classes: tuple[str, ...] = ()
    """Of a model that takes labels: their names, in id order."""

    @property
    def batch(self) -> int:
        """How many slots to step at once: 1 where they are stepped one after another anyway."""
        return self.slots

    @property
    def info(self) -> RuntimeInfo:
        """What steps it, which may change while it runs."""
        return RuntimeInfo()

    @property
    def runtime(self) -> str:
        """The name of what steps it."""
        return self.info.runtime

    @abstractmethod
    def conditioner(self, *, mirror: bool) -> Conditioner:
        """Return a new conditioner, to be owned by one session."""

    @abstractmethod
    def step(self, requests: Sequence[Request]) -> list[Picture]:
        """Paint one frame for each of the given slots; the others keep their state."""

    @abstractmethod
    def reset(self, slot: int) -> None:
        """Make the slot's next frame a first frame."""

    def style(self, index: int) -> NDArray[np.float32]:
        """Return the weights [S] that select one style. Raises UnknownStyle."""
        if not 0 <= index < max(1, len(self.styles)):
            known = ", ".join(f"{i} {name}" for i, name in enumerate(self.styles))
            raise UnknownStyle(f"no style {index}: {self.name} has {known}")
        return np.eye(max(1, len(self.styles)), dtype=np.float32)[index]


def paint(
    frames: Iterable[tuple[Planes, float]], model: LiveModel, style: int, *, mirror: bool = False
) -> Iterator[TimedPicture]:
    """Yield one painted picture for each frame, planes and time [s]: the live path, no clock."""
    weights = model.style(style)
    conditioner = model.conditioner(mirror=mirror)
    conditioner.set_style(style)
    model.reset(0)
    try:
        for seq, (planes, time_s) in enumerate(frames):
            seen = conditioner.observe(planes, time_s)
            request = Request(slot=0, seen=seen, style=weights, seq=seq)
            yield TimedPicture(rgb=model.step([request])[0].rgb, time_s=time_s)
    finally:
        conditioner.close()


class IdentityConditioner:
    """Crops the picture to the model's shape and scales it: the condition is the picture."""

    def __init__(self, width: int, height: int, mirror: bool) -> None:
        self._size = (width, height)
        self._mirror = mirror

    def observe(self, planes: Planes, time_s: float) -> Observation:
        picture = fitted(plane(planes, "rgb"), self._size, mirror=self._mirror)
        return Observation(condition=picture)

    def set_style(self, index: int) -> None:
        """A condition is the same in all styles."""

    def set_mirror(self, on: bool) -> None:
        self._mirror = on

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


class IdentityModel(LiveModel):
    """Gives back what it gets: measures the house without a generator."""

    def __init__(self, slots: int = 4, width: int = 256, height: int = 256) -> None:
        self.name, self.styles = "identity", ("as is",)
        self.slots, self.width, self.height = slots, width, height

    def conditioner(self, *, mirror: bool) -> Conditioner:
        return IdentityConditioner(self.width, self.height, mirror)

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        conditions = [request.seen.condition for request in requests]
        return [Picture(rgb=condition.astype(np.uint8, copy=False)) for condition in conditions]

    def reset(self, slot: int) -> None:
        pass


class PaletteModel(IdentityModel):
    """Paints each class of a street in its colour: measures the house of labels."""

    def __init__(self, slots: int = 4, width: int = 512, height: int = 256) -> None:
        super().__init__(slots, width, height)
        self.name, self.styles = "palette", ("by class",)
        self.condition, self.classes = "labels", STREET

    def conditioner(self, *, mirror: bool) -> PaletteConditioner:
        return PaletteConditioner(self.classes, self.width, self.height)


def open_model(
    name: str,
    *,
    slots: int = 4,
    runtime: str = "auto",
    threads: int | None = None,
    wait: bool = True,
    progress: Progress = silent,
) -> LiveModel:
    """Open a bundled model by name, or a package by path.

    runtime: one of `model.runtime.NAMES`. threads: how many cores the model may take (default: one
    less than the machine has, at most four). wait: until the best runtime is built; otherwise it
    begins with what is ready. progress: told what is being built. Raises ModelError.
    """
    if name == "identity":
        return IdentityModel(slots)
    if name == "palette":
        return PaletteModel(slots)
    from .generator_live import GeneratorModel
    from .package import load
    from .runtime import open_stepper

    package = load(name)
    threads = threads or min(4, max(1, (os.cpu_count() or 2) - 1))
    stepper = open_stepper(
        package.generator(), slots, runtime, threads, wait=wait, progress=progress
    )
    return GeneratorModel(package, stepper)
