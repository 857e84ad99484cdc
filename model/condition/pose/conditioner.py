"""The three stages in a row, for one session."""

import numpy as np

from .. import Observation, Planes, plane
from .detect import PoseDetector
from .draw import draw
from .retarget import Retargeter
from .skeleton import Measures


class PoseConditioner:
    """RGB in, drawn skeleton of the dancer out."""

    def __init__(self, measures: Measures, width: int, height: int, *, mirror: bool) -> None:
        self._size = (width, height)
        self._mirror = mirror
        self._detector = PoseDetector()
        self._retargeter = Retargeter(measures)

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn a picture into limbs [C, h, w]; landmarks are as found, unmirrored."""
        rgb = plane(planes, "rgb")
        landmarks = self._detector.detect(rgb, time_s)
        aspect = rgb.shape[1] / rgb.shape[0]
        joints = self._retargeter.update(landmarks, time_s, aspect=aspect, mirror=self._mirror)
        overlay = None if landmarks is None else np.ascontiguousarray(landmarks[:, [0, 1, 3]])
        limbs = draw(joints, *self._size)
        return Observation(condition=limbs, points=joints, landmarks=overlay)

    def set_style(self, index: int) -> None:
        """A condition is the same in all styles."""

    def set_mirror(self, on: bool) -> None:
        """Mirror from the next frame on; the user is calibrated anew."""
        if on != self._mirror:
            self._mirror = on
            self._retargeter.reset()

    def reset(self) -> None:
        """Forget who is followed, and the user's calibration."""
        self._detector.reset()
        self._retargeter.reset()

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()
