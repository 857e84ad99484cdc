"""Clips on disk, and persistent streams over them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.condition.pose.draw import CHANNELS, draw
from ..model.condition.pose.motion import motion_between
from ..model.condition.pose.skeleton import CHILDREN, INDEX, PARENTS, Measures, to_joints
from ..model.errors import InputError
from . import manner
from .clip_format import clip_folders, no_clips
from .config import TrainConfig
from .measures import retarget_clip
from .smoothing import smoothed

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
        try:
            self.info = json.loads((folder / "clip.json").read_text())
            self.rgba = np.load(folder / "rgba.npy", mmap_mode="r")
            self.parts = np.load(folder / "parts.npy", mmap_mode="r")
            self.motion = np.load(folder / "motion.npy", mmap_mode="r")
            self.truth = np.load(folder / "truth.npy")
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} is not a whole clip: {error}") from error
        self.style = int(self.info["style"])
        self.expected_errors: NDArray[np.float32] = np.zeros((len(self), len(INDEX), 2), np.float32)
        self._measures = measures

    def __len__(self) -> int:
        return len(self.rgba)

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
    def usable(self) -> NDArray[np.bool_]:
        """Frames [T] whose condition shows what the picture shows; others would teach blur."""
        error = np.linalg.norm(self.errors[:, _LIMBS], axis=-1)
        good = (error.max(1) < WORST_JOINT) & (error.mean(1) < MEAN_JOINT)
        good[-1] = False
        return good

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


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One frame of every stream.

    condition [B, C, H/4, W/4], style [B, S], target: premultiplied RGBA [B, 4, H, W] in 0..1,
    before: the same one step earlier, parts and parts_before [B, H, W] ids, motion
    [B, 2, H/4, W/4] and where it is known [B], told: the same as the condition tells it, start
    [B]: streams that begin here, crops [B, K, 2]: x, y of what to look at closely, body
    [B, 2, 2]: x, y of pelvis and chest, reach [B]: pixels from there to the furthest joint.
    """

    condition: Tensor
    style: Tensor
    target: Tensor
    before: Tensor
    parts: Tensor
    parts_before: Tensor
    told: Tensor
    motion: Tensor
    motion_known: Tensor
    start: Tensor
    crops: Tensor
    body: Tensor
    reach: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Move everything to a device."""
        return Batch(**{key: value.to(device) for key, value in vars(self).items()})


Place = tuple[int, int, int, int, int]
"""Clip, frame, the frame before it, gap, left edge of the window."""


class Streams:
    """`batch` clips being played at once, each in a window of its own; restarted at random."""

    def __init__(self, clips: list[Clip], styles: int, config: TrainConfig) -> None:
        self.clips, self.styles, self.config = clips, styles, config
        self.rng = np.random.default_rng(config.seed)
        self.height, self.width = clips[0].rgba.shape[1:3]
        crop = 0 if "prior" in config.without else config.crop
        self.window = min(crop or self.width, self.width)
        self.planes = CHANNELS
        self._by_style = [
            [i for i, clip in enumerate(clips) if clip.style == style] for style in range(styles)
        ]
        if empty := [style for style, found in enumerate(self._by_style) if not found]:
            raise InputError(f"no clips of style {empty[0]}; there are {styles} styles")
        self._places = [self._start() for _ in range(config.batch)]

    def state_dict(self) -> dict[str, object]:
        """Where every stream is, for an exact resume."""
        return {"rng": self.rng.bit_generator.state, "places": [list(p) for p in self._places]}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where `state_dict` left off."""
        self.rng.bit_generator.state = state["rng"]  # pyright: ignore[reportAttributeAccessIssue]
        self._places = [tuple(place) for place in state["places"]]  # pyright: ignore[reportGeneralTypeIssues]

    def next(self) -> Batch:
        """Play every stream on by one of its own gaps."""
        starts = []
        for slot, place in enumerate(self._places):
            following = self._follow(place)
            start = following is None or self.rng.random() < self.config.restart
            self._places[slot] = self._start() if start or following is None else following
            starts.append(start)
        rows = [self._frame(*place) for place in self._places]
        stacked = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
        return Batch(**stacked, start=torch.tensor(starts))

    def _follow(self, place: Place) -> Place | None:
        """The next usable frame at the stream's gap or beyond; None at the end."""
        clip, frame, _, gap, left = place
        ahead = np.flatnonzero(self.clips[clip].usable[frame + gap :])
        return (clip, frame + gap + int(ahead[0]), frame, gap, left) if len(ahead) else None

    def _start(self) -> Place:
        style = int(self.rng.integers(self.styles))
        clip = int(self.rng.choice(self._by_style[style]))
        gap = int(self.rng.choice(self.config.gaps))
        frame = int(self.rng.choice(np.flatnonzero(self.clips[clip].usable)))
        left = 4 * int(self.rng.integers(0, (self.width - self.window) // 4 + 1))
        return clip, frame, max(frame - gap, 0), gap, left

    def _frame(
        self, clip_index: int, frame: int, before: int, gap: int, left: int
    ) -> dict[str, Tensor]:
        clip = self.clips[clip_index]
        full, small = slice(left, left + self.window), slice(left // 4, (left + self.window) // 4)
        planes = draw(clip.joints[frame], self.width // 4, self.height // 4)
        moved = motion_between(
            clip.joints[frame], clip.joints[before], self.width // 4, self.height // 4
        )
        points = clip.joints[frame, [INDEX[name] for name in CROP_JOINTS], :2] * self.height
        shown = clip.shown[frame, :, :2] * self.height - [left, 0]
        body = shown[[INDEX["pelvis"], INDEX["chest"]]]
        return {
            "condition": torch.from_numpy(planes[:, :, small].copy()),
            "style": torch.eye(self.styles)[clip.style],
            "target": premultiplied(clip.rgba[frame][:, full]),
            "before": premultiplied(clip.rgba[before][:, full]),
            "parts": torch.from_numpy(clip.parts[frame][:, full].astype(np.int64)),
            "parts_before": torch.from_numpy(clip.parts[before][:, full].astype(np.int64)),
            "told": torch.from_numpy(moved[:, :, small] * self.height),
            "motion": torch.from_numpy(clip.motion[frame][:, :, small].astype(np.float32)),
            "motion_known": torch.tensor(frame - before == 1),
            "crops": torch.from_numpy((points - [left, 0]).astype(np.float32)),
            "body": torch.from_numpy(body.astype(np.float32)),
            "reach": torch.tensor(np.linalg.norm(shown - body[0], axis=-1).max()).float(),
        }


def premultiplied(rgba: NDArray[np.uint8]) -> Tensor:
    """Straight RGBA [H, W, 4] in 0..255 -> premultiplied [4, H, W] in 0..1."""
    x = torch.from_numpy(np.array(rgba)).permute(2, 0, 1).float() / 255
    return torch.cat([x[:3] * x[3:], x[3:]])
