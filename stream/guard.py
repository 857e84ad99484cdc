"""Looks at what was painted and says when a recurrent state must be thrown away."""

import numpy as np
from numpy.typing import NDArray

FLAT_RANGE = 4
PATIENCE = 5
REST = 60


def is_flat(rgb: NDArray[np.uint8]) -> bool:
    """Tell whether a picture [H, W, 3] has one colour only, as a state gone to NaN paints it."""
    sample = rgb[::8, ::8]
    return bool((sample.max(axis=(0, 1)).astype(int) - sample.min(axis=(0, 1)) < FLAT_RANGE).all())


def is_finite(condition: NDArray[np.generic]) -> bool:
    """Tell whether a condition can be fed to a recurrent model without poisoning its state."""
    return condition.dtype.kind != "f" or bool(np.isfinite(condition).all())


class Guard:
    """Asks for a reset after PATIENCE flat pictures in a row, at most once in REST frames."""

    def __init__(self) -> None:
        self._flat = 0
        self._rest = 0

    def look(self, rgb: NDArray[np.uint8]) -> bool:
        """Return True when the slot that painted this picture [H, W, 3] must be reset."""
        self._rest = max(0, self._rest - 1)
        self._flat = self._flat + 1 if is_flat(rgb) else 0
        if self._flat < PATIENCE or self._rest:
            return False
        self._flat, self._rest = 0, REST
        return True
