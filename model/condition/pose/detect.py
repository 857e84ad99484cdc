"""RGB to landmarks, with MediaPipe Pose Landmarker (Apache-2.0), offline, one per session."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TASK = Path(__file__).parents[2] / "weights" / "pose_lite.task"


class PoseDetector:
    """Finds the 33 landmarks of one person and stays with that person.

    masks: whether `detect_with_mask` is going to be asked.
    """

    def __init__(self, masks: bool = False) -> None:
        self._masks = masks
        self._mediapipe, self._landmarker = _open(masks)
        self._last_ms = -1

    def detect(self, rgb: NDArray[np.uint8], time_s: float) -> NDArray[np.float32] | None:
        """Find landmarks [33, 4] (x, y in 0..1, z as x, visibility) in [H, W, 3]; None: nobody.

        Times must come from one clock; they are forced to increase.
        """
        found = self._find(rgb, time_s).pose_landmarks
        return _as_array(found[0]) if found else None

    def detect_with_mask(
        self, rgb: NDArray[np.uint8], time_s: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """As `detect`, and also return how surely each pixel is the person's, [H, W] in 0..1."""
        found = self._find(rgb, time_s)
        if not found.pose_landmarks:
            return None
        mask = found.segmentation_masks[0].numpy_view()
        return _as_array(found.pose_landmarks[0]), mask.reshape(rgb.shape[:2]).copy()

    def _find(self, rgb: NDArray[np.uint8], time_s: float) -> Any:
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        return self._landmarker.detect_for_video(image, self._last_ms)

    def reset(self) -> None:
        """Let go of the person followed; times may begin anew."""
        self.close()
        self._mediapipe, self._landmarker = _open(self._masks)
        self._last_ms = -1

    def close(self) -> None:
        """Release the native graph."""
        self._landmarker.close()


def _as_array(landmarks: Any) -> NDArray[np.float32]:
    return np.array([[p.x, p.y, p.z, p.visibility] for p in landmarks], np.float32)


def _open(masks: bool) -> tuple[Any, Any]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(TASK)),
        running_mode=vision.RunningMode.VIDEO,
        output_segmentation_masks=masks,
    )
    return mediapipe, vision.PoseLandmarker.create_from_options(options)
