"""MediaPipe's pose detector as the product runs it: video mode, one person."""

from pathlib import Path
from types import TracebackType
from typing import Self

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

MODEL = Path(__file__).parents[2] / "model" / "weights" / "pose_lite.task"


class Detector:
    """Finds the 33 landmarks of one person in pictures of increasing time."""

    def __init__(self, model: Path = MODEL) -> None:
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
            running_mode=vision.RunningMode.VIDEO,
        )
        self._task = vision.PoseLandmarker.create_from_options(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.close()

    def find(self, rgb: NDArray[np.uint8], time_s: float) -> NDArray[np.float32]:
        """Landmarks float32 [33, 4] of x, y, z, visibility; NaN when nobody is found."""
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        found = self._task.detect_for_video(image, round(time_s * 1000)).pose_landmarks
        if not found:
            return np.full((33, 4), np.nan, np.float32)
        return np.array([(p.x, p.y, p.z, p.visibility) for p in found[0]], np.float32)
