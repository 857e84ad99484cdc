"""RGB to landmarks, with MediaPipe Pose Landmarker (Apache-2.0), offline, one per session."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TASK = Path(__file__).parents[2] / "weights" / "pose_lite.task"


class PoseDetector:
    """Finds the 33 landmarks of one person and stays with that person."""

    def __init__(self) -> None:
        self._mediapipe, self._landmarker = _open()
        self._last_ms = -1

    def detect(self, rgb: NDArray[np.uint8], time_s: float) -> NDArray[np.float32] | None:
        """Find landmarks [33, 4] (x, y in 0..1, z as x, visibility) in [H, W, 3]; None: nobody.

        Times must come from one clock; they are forced to increase.
        """
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        found = self._landmarker.detect_for_video(image, self._last_ms).pose_landmarks
        if not found:
            return None
        return np.array([[p.x, p.y, p.z, p.visibility] for p in found[0]], np.float32)

    def reset(self) -> None:
        """Let go of the person followed; times may begin anew."""
        self.close()
        self._mediapipe, self._landmarker = _open()
        self._last_ms = -1

    def close(self) -> None:
        """Release the native graph."""
        self._landmarker.close()


def _open() -> tuple[Any, Any]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(TASK)),
        running_mode=vision.RunningMode.VIDEO,
    )
    return mediapipe, vision.PoseLandmarker.create_from_options(options)
