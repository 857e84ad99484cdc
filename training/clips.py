"""Clips of people on disk, as conditions and targets."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.condition.pose.draw import draw
from ..model.condition.pose.motion import motion_between
from ..model.condition.pose.skeleton import CHILDREN, INDEX, PARENTS, Measures, to_joints
from . import manner
from .clip_format import clip_folders, no_clips, open_clip
from .measures import retarget_clip
from .smoothing import smoothed
from .streams import Window

CROP_JOINTS = ("head", "left_wrist", "right_wrist")
"""Joints around which the small discriminator looks."""

WORST_JOINT, MEAN_JOINT = 0.2, 0.08
"""Largest errors of a condition, in picture heights, that a frame is trained with."""
STRAY, FURTHEST = 0.1, 0.008
"""Share of a condition's error left in training beyond what the pose tells of it, and how much of
it at most, in picture heights: a generator shown joints beside where they are learns to blur, as
it cannot know on which side. Of the head's nothing is left, as eyes are two pixels large."""
TREMBLE, LARGEST_TREMBLE = 3.0, 0.012
"""What of an error changes faster than within some frames stays whole, up to a share of the
picture's height: memory averages it away, so that the generator learns to lean on its memory."""
_LIMBS = [
    INDEX[f"{side}_{name}"]
    for side in ("left", "right")
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]
_ANCHORS = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
_OUTER = np.isin(PARENTS, [INDEX[name] for name in _ANCHORS])
"""The bones of face, hands and feet."""


class Clip:
    """One folder of frames: rgba, parts, motion, landmarks, and the joints made of those."""

    def __init__(self, folder: Path, measures: Measures) -> None:
        self.folder = folder
        self.info, arrays = open_clip(folder, "rgba", "parts", "motion", "truth")
        self.rgba, self.parts, self.motion, truth = arrays
        self.truth = np.array(truth)
        self.style = int(self.info["style"])
        self.expected_errors: NDArray[np.float32] = np.zeros((len(self), len(INDEX), 2), np.float32)
        self._measures = measures

    def __len__(self) -> int:
        return len(self.rgba)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.rgba.shape[1:3]
        return width, height

    @cached_property
    def retargeted(self) -> NDArray[np.float32]:
        """The dancer's joints [T, J, 3] as the live path makes them."""
        return retarget_clip(self.folder, self._measures)

    @cached_property
    def shown(self) -> NDArray[np.float32]:
        """The joints [T, J, 3] where the picture has them."""
        return to_joints(self.truth, self._measures.aspect)

    @property
    def errors(self) -> NDArray[np.float32]:
        """How far the retargeting errs from the picture, [T, J, 2] in picture heights."""
        return self.retargeted[..., :2] - self.shown[..., :2]

    @cached_property
    def _usable(self) -> NDArray[np.bool_]:
        error = np.linalg.norm(self.errors[:, _LIMBS], axis=-1)
        good = (error.max(1) < WORST_JOINT) & (error.mean(1) < MEAN_JOINT)
        good[-1] = False
        return good

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Frames [T] whose condition shows what the picture shows; others would teach blur."""
        return self._usable

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """The dancer's joints [T, J, 3]: retargeted as live, but erring less (see STRAY).

        Faces, hands and feet stay as found: detectors have their own way with them, which tells
        more than where the points lie.
        """
        joints = self.retargeted.copy()
        expected = self.shown[..., :2] + self.expected_errors
        unexpected = joints[..., :2] - expected
        tremble = unexpected - smoothed(unexpected, TREMBLE)
        stray = STRAY * unexpected
        stray[:, INDEX["head"]] = 0
        joints[..., :2] = expected + _at_most(stray, FURTHEST) + _at_most(tremble, LARGEST_TREMBLE)
        ends, anchors = CHILDREN[_OUTER], PARENTS[_OUTER]
        offsets = self.retargeted[:, ends, :2] - self.retargeted[:, anchors, :2]
        joints[:, ends, :2] = joints[:, anchors, :2] + offsets
        return joints

    def moment(self, frame: int, before: int, window: Window, whim: int) -> dict[str, Tensor]:
        """One row of a `Batch`, of what is in `window`."""
        width, height = self.size
        corner, small = [window.columns.start, window.rows.start], window.quarter
        planes = draw(self.joints[frame], width // 4, height // 4)
        moved = motion_between(self.joints[frame], self.joints[before], width // 4, height // 4)
        parts, parts_before = (
            torch.from_numpy(self.parts[t][window].astype(np.int64)) for t in (frame, before)
        )
        points = self.joints[frame, [INDEX[name] for name in CROP_JOINTS], :2] * height
        shown = self.shown[frame, :, :2] * height - corner
        body = shown[[INDEX["pelvis"], INDEX["chest"]]]
        return {
            "condition": torch.from_numpy(planes[:, *small].copy()),
            "target": premultiplied(self.rgba[frame][window]),
            "before": premultiplied(self.rgba[before][window]),
            "parts": parts,
            "things": parts,
            "things_before": parts_before,
            "told": torch.from_numpy(moved[:, *small] * height),
            "motion": torch.from_numpy(self.motion[frame][:, *small].astype(np.float32)),
            "motion_known": torch.tensor(frame - before == 1),
            "crops": torch.from_numpy((points - corner).astype(np.float32)),
            "body": torch.from_numpy(body.astype(np.float32)),
            "reach": torch.tensor(np.linalg.norm(shown - body[0], axis=-1).max()).float(),
        }


def _at_most(offsets: NDArray[np.floating], length: float) -> NDArray[np.floating]:
    """Shorten offsets [..., 2] that are longer."""
    far = np.linalg.norm(offsets, axis=-1, keepdims=True) / length
    return offsets / np.maximum(far, 1)


def open_clips(folder: Path, measures: Measures) -> list[Clip]:
    """Open every usable clip below `folder`; raises InputError where there is none."""
    clips = [Clip(path, measures) for path in clip_folders(folder)]
    clips = [clip for clip in clips if clip.usable.sum() > 8]
    if not clips:
        raise no_clips(folder)
    detected = [clip for clip in clips if clip.info["detected"]] or clips
    styles = 1 + max(clip.style for clip in clips)
    described = {clip: manner.features(clip.shown, clip.style, styles) for clip in clips}
    fitted = manner.fit(
        np.concatenate([described[clip][clip.usable] for clip in detected]),
        np.concatenate([clip.errors[clip.usable] for clip in detected]),
    )
    for clip in clips:
        clip.expected_errors = (described[clip] @ fitted).reshape(clip.errors.shape)
    return clips


def premultiplied(rgba: NDArray[np.uint8]) -> Tensor:
    """Straight RGBA [H, W, 4] in 0..255 -> premultiplied [4, H, W] in 0..1."""
    x = torch.from_numpy(np.array(rgba)).permute(2, 0, 1).float() / 255
    return torch.cat([x[:3] * x[3:], x[3:]])
