"""What a domain's input is: one definition, used live and in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Planes = Mapping[str, NDArray[Any]]
"""What an input frame holds, all of one size: "rgb" uint8 [H, W, 3]; or "label" uint8 [H, W], ids
of the model's classes, with any of "instance" uint16 or uint32 [H, W] (0: none), "depth" [H, W] in
metres (0 or not finite: unknown) and "motion" [2, H, W] in pixels, x right, y down: what is at p
now was at p + motion in the frame before; or "landmarks" [33, 4] of a body: x, y in 0..1, z as x,
visibility (0 everywhere: nobody), in a picture of "aspect" [] (width over height, 1)."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One input frame as the model sees it.

    condition: what the generator takes, float32 [C, h, w] (the identity model: uint8 [H, W, 3]).
    points: what it was drawn from, [K, 3], if the motion since another frame can be told from it.
    motion: the motion since the frame before, if it came with it: [2, H/4, W/4] in pixels of the
    model's picture.
    picture: what it was made of, [H, W] in grey, if optical flow tells the motion since another.
    landmarks: for overlays, float32 [33, 3] of x, y in 0..1 of the *incoming* picture and
    visibility in 0..1; None when nobody is seen or the domain has none.
    lines: for overlays, [H, W] in 0..1 over the largest middle part of the incoming picture.
    """

    condition: NDArray[np.generic]
    points: NDArray[np.float32] | None = None
    motion: NDArray[np.float32] | None = None
    picture: NDArray[np.uint8] | None = None
    landmarks: NDArray[np.float32] | None = None
    lines: NDArray[np.float32] | None = None


class Conditioner(Protocol):
    """One session's way from planes to condition; stateful, used from one worker thread only."""

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn a frame taken at `time_s` (seconds, increasing) into a condition.

        Raises InputError naming the plane that is missing or does not fit.
        """
        ...

    def set_style(self, index: int) -> None:
        """Condition for another of the model's styles, where that makes a difference."""
        ...

    def set_mirror(self, on: bool) -> None:
        """Mirror the input (flip x and swap left and right), as people expect of a camera."""
        ...

    def reset(self) -> None:
        """Forget everything seen so far."""
        ...

    def close(self) -> None:
        """Release the detector."""
        ...


def centre_crop(width: int, height: int, size: tuple[int, int]) -> tuple[int, int, int, int, float]:
    """Left, top, width and height of the largest middle part of `size`'s shape, and its scale."""
    scale = min(width / size[0], height / size[1])
    w, h = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return (width - w) // 2, (height - h) // 2, w, h, scale


def plane(planes: Planes, name: str) -> NDArray[Any]:
    """Return a plane that must be there. Raises InputError naming what came."""
    if name not in planes:
        raise InputError(f"this model takes {name} planes; what came is {', '.join(planes)}")
    return planes[name]
