"""What a clip tells of each frame besides the picture: cut-out, parts, motion."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.condition.pose.draw import grid, segments
from ...model.condition.pose.skeleton import BONES, CHILDREN, PARENTS
from ...model.optical_flow import flow

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

PARTS = (
    *("none", "torso", "face", "left_arm", "right_arm", "left_hand", "right_hand"),
    *("left_leg", "right_leg", "left_foot", "right_foot"),
)
RADII = {"torso": 0.28, "face": 0.22, "arm": 0.11, "hand": 0.1, "leg": 0.16, "foot": 0.1}
"""How thick parts are, in torsos."""
UNLIKE = (8.0, 32.0)
"""Differences from the backdrop, in 255ths, that are surely it and surely not."""


def cut_out(picture: Picture, backdrop: Picture, mask: Floats) -> Picture:
    """Straight RGBA [H, W, 4] of who stands before a backdrop.

    mask: where the detector is sure of the person, in 0..1. At its rim, pixels unlike the backdrop
    are taken for the person's; their colour is freed of the backdrop's.
    """
    reach = max(picture.shape[0] // 64, 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    sure = cv2.erode((mask > 0.6).astype(np.uint8), kernel)
    maybe = cv2.dilate((mask > 0.2).astype(np.uint8), kernel)
    apart = np.abs(picture.astype(np.float32) - backdrop).max(2)
    unlike = np.clip((cv2.GaussianBlur(apart, (0, 0), 0.7) - UNLIKE[0]) / np.ptp(UNLIKE), 0, 1)
    alpha = np.where(sure > 0, 1.0, unlike * maybe).astype(np.float32)
    alpha *= _largest(alpha > 0.1)
    colour = (picture - (1 - alpha[..., None]) * backdrop) / np.maximum(alpha, 0.1)[..., None]
    rgb = np.where(alpha[..., None] > 0.1, colour, picture)
    return np.dstack([rgb.clip(0, 255), alpha * 255]).round().astype(np.uint8)


def label(alpha: NDArray[np.uint8], joints: Floats) -> NDArray[np.uint8]:
    """Ids [H, W] into PARTS of a cut-out: the nearest bone's, as thick as parts are.

    joints: [J, 3] in picture heights.
    """
    height, width = alpha.shape
    points = grid(width // 4, height // 4)
    squared, _ = segments(points, joints[PARENTS], joints[CHILDREN])
    nearest = (squared / _THICKNESS[:, None] ** 2).argmin(0)
    ids = _PART_OF_BONE[nearest].reshape(height // 4, width // 4)
    return np.where(alpha > 127, cv2.resize(ids, (width, height), interpolation=0), 0)


def motion(now: Picture, before: Picture, alpha: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Where what is in a frame [H, W, 3] was in the one before, [2, H/4, W/4]; 0 where nobody is.

    In pixels of the full size, by optical flow.
    """
    inside = (alpha > 127).astype(np.float32)
    small = cv2.resize(
        flow(now, before) * inside[..., None], None, fx=0.25, fy=0.25, interpolation=3
    )
    count = cv2.resize(inside, None, fx=0.25, fy=0.25, interpolation=3)
    return (small / np.maximum(count, 0.25)[..., None]).transpose(2, 0, 1).astype(np.float16)


def _part_of(child: str) -> str:
    side, _, name = child.rpartition("_")
    if name in ("pelvis", "chest", "shoulder", "hip"):
        return "torso"
    if name in ("head", "nose", "mouth", "eye", "ear"):
        return "face"
    limbs = {"arm": ("elbow", "wrist"), "leg": ("knee", "ankle"), "foot": ("heel", "toe")}
    limb = next((limb for limb, names in limbs.items() if name in names), "hand")
    return f"{side}_{limb}"


def _largest(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep only the largest of connected regions, and what is a tenth as large."""
    count, ids, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8))
    if count < 2:
        return where
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas > areas.max() / 10)
    return np.isin(ids, kept)


_PART_NAMES = [_part_of(child) for _, child in BONES]
_PART_OF_BONE = np.array([PARTS.index(name) for name in _PART_NAMES], np.uint8)
_THICKNESS = np.array([RADII[name.rpartition("_")[2]] for name in _PART_NAMES], np.float32)
