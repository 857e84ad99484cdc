"""What a domain's input is: one definition, used live and in training."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One input frame as the model sees it.

    condition: what the generator takes, float32 [C, h, w] (the identity model: uint8 [H, W, 3]).
    points: what it was drawn from, [K, 3], if the motion since another frame can be told from it.
    landmarks: for overlays, float32 [33, 3] of x, y in 0..1 of the *incoming* picture and
    visibility in 0..1; None when nobody is seen or the domain has none.
    """

    condition: NDArray[np.generic]
    points: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None


class Conditioner(Protocol):
    """One session's way from RGB to condition; stateful, used from one worker thread only."""

    def observe(self, rgb: NDArray[np.uint8], time_s: float) -> Observation:
        """Turn a picture [H, W, 3] taken at `time_s` (seconds, increasing) into a condition."""
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
