"""The three stages in a row, for one session."""

import numpy as np
from numpy.typing import NDArray

from .. import Observation, Planes, plane
from .detect import PoseDetector
from .draw import draw
from .retarget import Retargeter
from .skeleton import Measures


class PoseConditioner:
    """RGB or landmarks in, drawn skeleton of the dancer out."""

    def __init__(self, measures: Measures, width: int, height: int, *, mirror: bool) -> None:
        self._size = (width, height)
        self._mirror = mirror
        self._detector: PoseDetector | None = None
        self._retargeter = Retargeter(measures)

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn a frame into limbs [C, h, w]; landmarks are as found, unmirrored."""
        landmarks, aspect = self._find(planes, time_s)
        joints = self._retargeter.update(landmarks, time_s, aspect=aspect, mirror=self._mirror)
        overlay = None if landmarks is None else np.ascontiguousarray(landmarks[:, [0, 1, 3]])
        limbs = draw(joints, *self._size)
        return Observation(condition=limbs, points=joints, landmarks=overlay)

    def _find(self, planes: Planes, time_s: float) -> tuple[NDArray[np.float32] | None, float]:
        """Landmarks [33, 4] (None: nobody) and the aspect of the picture that they are in."""
        if "landmarks" in planes:
            told = planes["landmarks"].astype(np.float32)
            return (told if told[:, 3].any() else None), float(planes.get("aspect", 1.0))
        rgb = plane(planes, "rgb")
        self._detector = self._detector or PoseDetector()
        return self._detector.detect(rgb, time_s), rgb.shape[1] / rgb.shape[0]

    def set_style(self, index: int) -> None:
        """A condition is the same in all styles."""

    def set_mirror(self, on: bool) -> None:
        """Mirror from the next frame on; the user is calibrated anew."""
        if on != self._mirror:
            self._mirror = on
            self._retargeter.reset()

    def reset(self) -> None:
        """Forget who is followed, and the user's calibration."""
        if self._detector:
            self._detector.reset()
        self._retargeter.reset()

    def close(self) -> None:
        """Release the detector."""
        if self._detector:
            self._detector.close()
