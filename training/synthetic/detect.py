"""The product's own pose detector over a whole clip."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...model.condition.pose.detect import PoseDetector


def detect(pictures: Iterable[NDArray[np.uint8]], fps: float = 30.0) -> NDArray[np.float32]:
    """Find landmarks [T, 33, 4] of x, y, z, visibility; not-a-number where nobody is found."""
    detector = PoseDetector()
    nobody = np.full((33, 4), np.nan, np.float32)
    try:
        found = [detector.detect(picture, t / fps) for t, picture in enumerate(pictures)]
    finally:
        detector.close()
    return np.stack([nobody if landmarks is None else landmarks for landmarks in found])
