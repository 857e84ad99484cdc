"""A first look at a video: how large the dancer is, where it stands, what is behind it."""

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.condition.pose.detect import PoseDetector
from ...model.condition.pose.skeleton import FEET, INDEX, to_joints
from ...model.errors import InputError
from ...model.video import VideoReader

LOOKS, TALLEST = 90, 720
"""Pictures looked at, and their height in pixels at most."""
SEEN = 0.5
"""Visibility from which a landmark counts."""
MARGINS = (0.55, 0.3, 0.25)
"""Room above the nose, beside the body and below the feet, in torsos."""
RESTLESS = 14.0
"""Mean difference from the backdrop, in 255ths, at which the camera cannot have stood still."""

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a data set frames its dancers: the window's side in torsos, the floor's height in it."""

    side: float
    floor: float


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square of a picture, in picture heights; it may reach beyond the edges."""

    left: float
    top: float
    side: float

    def cut(self, picture: NDArray[Any], size: int) -> NDArray[Any]:
        """Cut it out of [H, W, ...] and scale to [size, size, ...]; edges are drawn out."""
        height = picture.shape[0]
        x, y, side = (round(v * height) for v in (self.left, self.top, self.side))
        over = max(-x, -y, x + side - picture.shape[1], y + side - height, 0)
        wide = cv2.copyMakeBorder(picture, over, over, over, over, cv2.BORDER_REPLICATE)
        square = wide[y + over : y + over + side, x + over : x + over + side]
        how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        return cv2.resize(square, (size, size), interpolation=how)


@dataclass(frozen=True, kw_only=True)
class Body:
    """A dancer's size and place in a video, in picture heights."""

    torso: float
    floor: float
    box: tuple[float, float, float, float]

    def framing(self) -> Framing:
        """Frame the dancer so that all it did is inside."""
        left, top, right, bottom = self.box
        side = max(right - left, bottom - top)
        below = bottom - self.floor
        return Framing(side=side / self.torso, floor=1 - below / side)

    def window(self, framing: Framing) -> Window:
        """Place the window of a data set over this dancer."""
        side = framing.side * self.torso
        middle = (self.box[0] + self.box[2]) / 2
        return Window(left=middle - side / 2, top=self.floor - framing.floor * side, side=side)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Some pictures of a video, with the dancer's masks in them, and its body."""

    pictures: tuple[Picture, ...]
    masks: tuple[NDArray[np.float16], ...]
    body: Body

    def backdrop(self, window: Window, size: int) -> Picture:
        """Return what is behind the dancer [size, size, 3]: the median of what was uncovered.

        Raises InputError where the camera moved.
        """
        shown = np.stack([window.cut(picture, size) for picture in self.pictures])
        covered = np.stack(
            [_widened(window.cut(m.astype(np.float32), size), size) for m in self.masks]
        )
        hidden = np.broadcast_to(covered[..., None], shown.shape)
        median = np.ma.median(np.ma.MaskedArray(shown, hidden), axis=0)
        never = covered.all(0).astype(np.uint8)
        found = median.filled(0).astype(np.uint8)
        apart = np.abs(shown.astype(np.int16) - found)[~covered]
        if apart.size and apart.mean() > RESTLESS:
            raise InputError(
                f"the backdrop differs by {apart.mean():.0f}/255 from picture to picture: "
                "the camera must stand still, and only the dancer may move"
            )
        filled = cv2.inpaint(found, cast(Picture, never), 5, cv2.INPAINT_TELEA)
        return filled.astype(np.uint8)


def survey(video: VideoReader) -> Survey:
    """Look at a video. Raises InputError where nobody is in it."""
    detector = PoseDetector(masks=True)
    looks: list[tuple[Picture, NDArray[np.float16], Floats]] = []
    step, wanted = max(video.seconds / LOOKS, 0.1), 0.0
    try:
        for frame in video:
            if frame.time_s < wanted:
                continue
            wanted += step
            picture = _small(frame.rgb)
            found = detector.detect_with_mask(picture, frame.time_s)
            if found is not None:
                landmarks, mask = found
                joints = to_joints(landmarks, picture.shape[1] / picture.shape[0])
                looks.append((picture, mask.astype(np.float16), joints))
            if len(looks) > 2 * LOOKS:  # of a file that does not tell its length
                looks, step = looks[::2], 2 * step
    finally:
        detector.close()
    if len(looks) < 3:
        raise InputError(f"{video.path}: nobody was found in it; one dancer is needed, in full")
    pictures, masks, joints = zip(*looks, strict=True)
    return Survey(pictures=pictures, masks=masks, body=measure_body(np.stack(joints)))


def measure_body(joints: Floats) -> Body:
    """Measure a dancer from joints [T, J, 3] in picture heights."""
    across = joints[:, INDEX["chest"], :2] - joints[:, INDEX["pelvis"], :2]
    torso = float(np.percentile(np.linalg.norm(across, axis=1), 95))
    above, beside, below = (margin * torso for margin in MARGINS)
    x, y = joints[..., 0], joints[..., 1]
    floor = float(np.median(y[:, FEET].max(1)))
    left, right = np.percentile(x.min(1), 2) - beside, np.percentile(x.max(1), 98) + beside
    highest = np.percentile(np.minimum(y[:, INDEX["nose"]] - above, y.min(1)), 2)
    lowest = max(np.percentile(y.max(1), 98), floor) + below
    box = (float(left), float(highest), float(right), float(lowest))
    return Body(torso=torso, floor=floor, box=box)


def _small(picture: Picture) -> Picture:
    scale = min(1.0, TALLEST / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8)


def _widened(mask: Floats, size: int) -> NDArray[np.bool_]:
    reach = size // 32 * 2 + 1
    return cv2.dilate((mask > 0.1).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
