"""A synthetic person: poses in, pictures with exact part labels, motion and landmarks out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..clip_format import check_size
from .camera import FLOOR, VIEW_HEIGHT, project
from .landmarks import LandmarkSet
from .mesh import PARTS, dress
from .renderer import Renderer
from .rig import Motion, Pose, Rig, load_rig, reshape
from .styles import STYLES

__all__ = ["PARTS", "Actor", "Render"]
_SHADOW_BONES = ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase")


@dataclass(frozen=True, kw_only=True)
class Render:
    """One frame.

    rgba: uint8 [H, W, 4], straight alpha, with a soft shadow on the floor.
    parts: uint8 [H, W], indices into PARTS.
    motion: float16 [2, H/4, W/4], from this frame to the previous one in full-size pixels
    (x right, y down): what is at p now was at p + motion; 0 where nobody is.
    landmarks: float32 [33, 4], x and y in 0..1 of the image, z in image widths relative to the
    hips' middle (negative: nearer), visibility 1.
    """

    rgba: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    motion: NDArray[np.float16]
    landmarks: NDArray[np.float32]


class Actor:
    """Renders one style; keeps the previous pose for motion. Use from one thread."""

    def __init__(self, style: int, size: int = 256) -> None:
        check_size(size)
        self.style = STYLES[style]
        self.size = size
        self.rig = built_rig(style)
        meshes = dress(self.style, load_rig())
        self._lift = FLOOR - float(meshes[3].points[:, 2].min())
        self._renderer = Renderer(meshes, size)
        self._marks = LandmarkSet(load_rig(), self.style.shape)
        self._marks_fit()
        self._before: NDArray[np.float32] | None = None
        self._shadow = [self.rig.index(label) for label in _SHADOW_BONES]

    def reset(self) -> None:
        """Forget the previous pose: the next frame has no motion."""
        self._before = None

    def render(self, pose: Pose) -> Render:
        """Draw the next frame."""
        bones = self._skinning(pose.local, pose.root)
        layers = self._renderer.draw(bones, bones if self._before is None else self._before)
        self._before = bones
        joints = (
            bones[self._shadow, :3]
            @ np.append(self.rig.heads[self._shadow], np.ones((4, 1)), 1)[..., None]
        )
        rgba = with_shadow(layers.rgba, joints[..., 0])
        return Render(
            rgba=rgba,
            parts=layers.parts,
            motion=layers.motion,
            landmarks=self._landmarks(bones),
        )

    def landmarks(self, motion: Motion) -> NDArray[np.float32]:
        """Exact landmarks of a whole motion without drawing, float32 [T, 33, 4]."""
        return self._landmarks(self._skinning(motion.local, motion.root))

    def close(self) -> None:
        """Release the drawing context."""
        self._renderer.release()

    def _skinning(
        self, local: NDArray[np.float32], root: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return self.rig.skinning(local, root + np.array((0, 0, self._lift), np.float32))

    def _marks_fit(self) -> None:
        """Joints of this build replace those of the rest build."""
        for index, bone in enumerate(self._marks.bones):
            if np.allclose(self._marks.rest[index, :3], load_rig().heads[bone]):
                self._marks.rest[index, :3] = self.rig.heads[bone]

    def _landmarks(self, bones: NDArray[np.float32]) -> NDArray[np.float32]:
        marks = project(self._marks.world(bones))
        marks[..., 2] -= marks[..., 23:25, 2].mean(-1, keepdims=True)
        return np.concatenate([marks, np.ones_like(marks[..., :1])], -1)


def built_rig(style: int) -> Rig:
    """The skeleton in a style's build."""
    rig = load_rig()
    shape = STYLES[style].shape
    return replace(rig, heads=reshape(rig.heads, shape), eyes=reshape(rig.eyes, shape))


def with_shadow(rgba: NDArray[np.uint8], feet: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Put a soft contact shadow under ankles and toes [4, 3] (metres) behind the person."""
    size = rgba.shape[0]
    y, x = (np.mgrid[0:size, 0:size] + 0.5).astype(np.float32) / size
    shade = np.zeros((size, size), np.float32)
    ground = feet.copy()
    ground[:, 2] = FLOOR
    spots = [
        (p, max(float(f[2]) - FLOOR - 0.09, 0.0), 0.30, 0.075)
        for p, f in zip(project(ground), feet, strict=True)
    ]
    middle = project(ground.mean(0))
    spots.append((middle, max(float(feet[:, 2].min()) - FLOOR - 0.09, 0.0), 0.22, 0.26))
    for (px, py, _), height, strength, width in spots:
        spread = (width + height * 0.35) / VIEW_HEIGHT
        blob = np.exp(-(((x - px) / spread) ** 2) - ((y - py) / (spread * 0.28)) ** 2)
        shade = 1 - (1 - shade) * (1 - strength * np.exp(-height * 3) * blob)
    alpha = rgba[..., 3].astype(np.float32) / 255
    total = alpha + shade * (1 - alpha)
    out = rgba.copy()
    share = alpha / np.maximum(total, 1e-4)
    dark = np.array((18, 16, 20), np.float32)
    out[..., :3] = rgba[..., :3] * share[..., None] + dark * (1 - share[..., None])
    out[..., 3] = np.rint(total * 255)
    return out
