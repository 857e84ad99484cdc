"""Clips of plain videos on disk, as line drawings and targets."""

from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.condition.sketch.conditioner import in_grey
from ..model.condition.sketch.lines import draw, folded
from ..model.optical_flow import seen_motion
from .rgb_clip import RgbClip, opaque
from .streams import Window

MIRRORED, OTHER_CAMERA = 0.5, 0.5
"""Shares of the streams that are mirrored, and that are drawn as if filmed by another camera."""
NOISE, GAMMA = 6.0, 1.4
"""Of such a camera at most: deviation of its noise in 255ths, and how it bends brightness."""
CLOSE_UPS = 3
UNLIKE = 24.0
"""Difference in 255ths from what moved here, from which a pixel is taken for something else."""

Picture = NDArray[np.uint8]


class SketchClip(RgbClip):
    """One folder of frames: rgb and motion (see `clip_format`)."""

    def moment(self, frame: int, before: int, window: Window, whim: int) -> dict[str, Tensor]:
        """One row of a `Batch`, of what is in `window`; the whim decides how it was filmed."""
        rng = np.random.default_rng(whim)
        turn = slice(None, None, -1 if rng.random() < MIRRORED else 1)
        camera = Camera.sample(rng)
        now, past = (np.ascontiguousarray(self.rgb[t][:, turn]) for t in (frame, before))
        motion = self.motion[frame][..., turn].astype(np.float32)
        motion[0] *= turn.step
        seen, seen_before = camera.film(now, frame), camera.film(past, before)
        lines, small = draw(seen), window.quarter
        new = torch.from_numpy(~was_seen(now, past, motion)[window]).long()
        return {
            "condition": torch.from_numpy(folded(lines)[:, *small].copy()),
            "target": opaque(now[window]),
            "before": opaque(past[window]),
            "parts": torch.zeros_like(new),
            "things": new,
            "things_before": torch.zeros_like(new),
            "told": torch.from_numpy(seen_motion(seen, seen_before)[:, *small].copy()),
            "motion": torch.from_numpy(motion[:, *small].copy()),
            "motion_known": torch.tensor(frame - before == 1),
            "crops": _points(lines[window], np.random.default_rng([whim, frame])),
        }


class Camera:
    """What a camera makes of pictures: grey ones, brighter or darker, with noise."""

    def __init__(self, gamma: float, noise: float, seed: int) -> None:
        levels = 255 * (np.arange(256) / 255) ** gamma
        self._curve, self._noise, self._seed = levels.round().astype(np.uint8), noise, seed

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """Some camera, or one that shows pictures as they are."""
        gamma, noise = GAMMA ** rng.uniform(-1, 1), rng.uniform(0, NOISE)
        other = rng.random() < OTHER_CAMERA
        seed = int(rng.integers(2**31))
        return cls(gamma, noise, seed) if other else cls(1, 0, seed)

    def film(self, rgb: Picture, frame: int) -> Picture:
        """Return a picture [H, W, 3] in grey [H, W]; a frame has the same noise each time."""
        grey = self._curve[in_grey(rgb)]
        if not self._noise:
            return grey
        rng = np.random.default_rng([self._seed, frame])
        noise = rng.standard_normal(grey.shape, np.float32) * self._noise
        return (grey + noise).clip(0, 255).round().astype(np.uint8)


def was_seen(now: Picture, before: Picture, motion: NDArray[Any]) -> NDArray[np.bool_]:
    """Where [H, W] a picture [H, W, 3] shows what the one before did, moved along.

    motion: [2, H/4, W/4]. Optical flow tells nothing of what was covered; the pictures do.
    """
    height, width = now.shape[:2]
    steps = cv2.resize(motion.transpose(1, 2, 0).astype(np.float32), (width, height))
    ys, xs = np.indices((height, width), np.float32)
    at = xs + steps[..., 0], ys + steps[..., 1]
    moved = cv2.remap(before, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.blur(cv2.absdiff(now, moved), (3, 3)).max(2) <= UNLIKE


def _points(lines: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """Where to look closely, x, y [K, 2]: at lines."""
    ys, xs = np.nonzero(lines)
    if not len(xs):
        return torch.from_numpy(rng.uniform(0, lines.shape[::-1], (CLOSE_UPS, 2))).float()
    chosen = rng.integers(0, len(xs), CLOSE_UPS)
    return torch.from_numpy(np.stack([xs[chosen], ys[chosen]], 1)).float()
