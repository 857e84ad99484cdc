"""Retargeting and drawing: what people do before a webcam ends on the dancer's bones."""

from itertools import pairwise

import numpy as np
import pytest
from people import dancer, standing

from rotolive.model.condition.pose.draw import CHANNELS, SHAPES, draw
from rotolive.model.condition.pose.retarget import Retargeter, mirrored
from rotolive.model.condition.pose.skeleton import (
    BONES,
    CHILDREN,
    INDEX,
    PARENTS,
    Measures,
    to_joints,
)
from rotolive.model.errors import ModelError

FEET = [INDEX[f"{side}_toe"] for side in ("left", "right")]
LEGS = range(23, 33)


def play(retargeter: Retargeter, frames, aspect: float = 1.0, start: float = 0.0):  # type: ignore[no-untyped-def]
    return [
        retargeter.update(frame, start + i / 30, aspect=aspect) for i, frame in enumerate(frames)
    ]


def raised(landmarks: np.ndarray, side: int = 0) -> np.ndarray:
    """The same person with one arm straight up."""
    up = landmarks.copy()
    shoulder = up[11 + side, :2]
    for joint, above in ((13, 0.14), (15, 0.26), (17, 0.30), (19, 0.31), (21, 0.29)):
        up[joint + side, :2] = shoulder - [0, above]
    return up


def test_the_dancer_itself_is_reproduced() -> None:
    joints = play(Retargeter(dancer()), [standing()] * 30)[-1]
    want = to_joints(standing(), 1.0)
    assert np.abs(joints[:, :2] - want[:, :2]).max() < 0.01


@pytest.mark.parametrize("aspect", [4 / 3, 16 / 9, 9 / 16])
def test_size_place_and_picture_shape_do_not_matter(aspect: float) -> None:
    small = standing(height=0.5, top=0.3, middle=0.5, aspect=aspect)
    joints = play(Retargeter(dancer()), [small] * 30, aspect)[-1]
    want = to_joints(standing(), 1.0)
    assert np.abs(joints[:, :2] - want[:, :2]).max() < 0.015


def test_other_proportions_end_on_the_dancers_bones() -> None:
    longer = standing()
    longer[[13, 15, 17, 19, 21], 1] += np.array([0.04, 0.09, 0.1, 0.1, 0.1])
    joints = play(Retargeter(dancer()), [longer] * 90)[-1]
    lengths = np.linalg.norm((joints[CHILDREN] - joints[PARENTS])[:, :2], axis=1)
    assert (lengths <= dancer().lengths * 1.03).all()


def test_an_arm_goes_up_at_once() -> None:
    retargeter = Retargeter(dancer())
    play(retargeter, [standing()] * 10)
    up = retargeter.update(raised(standing()), 10 / 30)
    assert up[INDEX["left_wrist"], 1] < up[INDEX["left_shoulder"], 1] - 0.2


def test_a_jump_is_kept_and_the_floor_is_found_again() -> None:
    retargeter = Retargeter(dancer())
    ground = play(retargeter, [standing()] * 20)[-1][FEET, 1].max()
    air = standing()
    air[:, 1] -= 0.1
    jumped = play(retargeter, [air] * 8, start=20 / 30)[-1]
    assert 0.07 < ground - jumped[FEET, 1].max() < 0.12
    landed = play(retargeter, [standing()] * 20, start=28 / 30)[-1]
    assert abs(landed[FEET, 1].max() - ground) < 0.01


def test_feet_that_overshoot_as_they_land_leave_the_floor_where_it_was() -> None:
    retargeter = Retargeter(dancer())
    ground = play(retargeter, [standing()] * 20)[-1][FEET, 1].max()
    deep = standing()
    deep[27:, 1] += 0.1
    landed = play(retargeter, [deep] * 3 + [standing()] * 6, start=20 / 30)[-1]
    assert abs(landed[FEET, 1].max() - ground) < 0.012


def test_stepping_back_from_the_camera_keeps_the_dancer_tall() -> None:
    """Click, then walk back until the camera sees all of you."""
    sizes = np.r_[np.full(30, 1.5), np.linspace(1.5, 0.6, 60), np.full(60, 0.6)]
    frames = [standing(height=h, top=0.95 - h) for h in sizes]
    joints = play(Retargeter(dancer()), frames)
    idle = to_joints(standing(), 1.0)
    assert abs(joints[-1][INDEX["head"], 1] - idle[INDEX["head"], 1]) < 0.05
    assert max(j[INDEX["head"], 1] for j in joints[90:]) < idle[INDEX["head"], 1] + 0.15


def test_somebody_smaller_who_comes_later_is_measured_anew() -> None:
    retargeter = Retargeter(dancer())
    play(retargeter, [standing()] * 30 + [None] * 300)
    joints = play(retargeter, [standing(height=0.5, top=0.4)] * 20, start=11.0)[-1]
    assert abs(joints[INDEX["head"], 1] - to_joints(standing(), 1.0)[INDEX["head"], 1]) < 0.02


def test_a_long_bow_is_no_step_back() -> None:
    bowed = standing()
    low = bowed[23, 1] - 0.15 * (bowed[23, 1] - bowed[:23, 1])
    bowed[:23, 1] = low
    joints = play(Retargeter(dancer()), [standing()] * 30 + [bowed] * 90)[-1]
    torso = joints[INDEX["pelvis"], 1] - joints[INDEX["chest"], 1]
    assert torso < 0.5 * dancer().torso


def test_sitting_down_bends_the_knees_and_keeps_the_feet() -> None:
    seated = standing()
    seated[:23, 1] += 0.19
    seated[[23, 24], 1] += 0.19  # hips almost as low as the knees
    joints = play(Retargeter(dancer()), [standing()] * 30 + [seated] * 30)[-1]
    thigh = joints[INDEX["left_knee"], 1] - joints[INDEX["left_hip"], 1]
    assert thigh < 0.4 * (standing()[25, 1] - standing()[23, 1])
    assert abs(joints[FEET, 1].max() - dancer().floor) < 0.01
    assert joints[INDEX["head"], 1] > to_joints(standing(), 1.0)[INDEX["head"], 1] + 0.1


def test_turning_around_swaps_the_sides_and_keeps_the_size() -> None:
    retargeter = Retargeter(dancer())
    shoulders, hips = [], []
    for t, angle in enumerate(np.linspace(0, np.pi, 60)):
        turned = standing()
        aside, ahead = turned[:, 0] - 0.5, turned[:, 2].copy()
        turned[:, 0] = 0.5 + aside * np.cos(angle) + ahead * np.sin(angle)
        turned[:, 2] = ahead * np.cos(angle) - aside * np.sin(angle)
        joints = retargeter.update(turned, t / 30)
        shoulders.append(joints[INDEX["left_shoulder"], 0] - joints[INDEX["right_shoulder"], 0])
        hips.append(joints[INDEX["pelvis"], 1])
    assert shoulders[0] > 0.1 and shoulders[-1] < -0.1
    assert abs(shoulders[30]) < 0.05
    assert np.ptp(hips) < 0.02


def test_a_desk_leaves_the_legs_standing() -> None:
    upper = standing(height=1.6, top=0.1)
    upper[23:, 3] = 0.1
    joints = play(Retargeter(dancer()), [raised(upper)] * 60)[-1]
    assert abs(joints[FEET, 1].max() - dancer().floor) < 0.01
    assert joints[INDEX["pelvis"], 1] < joints[INDEX["left_knee"], 1] < joints[FEET[0], 1]
    assert joints[INDEX["left_wrist"], 1] < joints[INDEX["left_shoulder"], 1]


def test_nobody_eases_to_idle_without_a_jolt() -> None:
    retargeter = Retargeter(dancer())
    frames = play(retargeter, [raised(standing())] * 20 + [None] * 120)
    steps = [np.abs(b - a)[:, :2].max() for a, b in pairwise(frames[20:])]
    assert max(steps) < 0.05
    idle = to_joints(standing(), 1.0)
    assert np.abs(frames[-1][:, :2] - idle[:, :2]).max() < 0.02


def test_a_flickering_joint_does_not_flicker() -> None:
    retargeter = Retargeter(dancer())
    seen, unsure = standing(), standing()
    unsure[15, 3] = 0.4
    frames = play(retargeter, [seen] * 10 + [unsure, seen] * 20)
    wrists = np.array([joints[INDEX["left_wrist"], :2] for joints in frames[10:]])
    assert np.abs(np.diff(wrists, axis=0)).max() < 0.005


def test_not_a_number_counts_as_nobody() -> None:
    retargeter = Retargeter(dancer())
    broken = standing()
    broken[4, 0] = np.nan
    assert np.isfinite(play(retargeter, [standing(), broken, standing()])).all()


def test_mirroring_flips_and_swaps() -> None:
    up = raised(standing(middle=0.4))
    flipped = mirrored(up)
    assert np.allclose(mirrored(flipped), up)
    assert flipped[16, 1] == up[15, 1] and np.isclose(flipped[16, 0], 1 - up[15, 0])
    joints = Retargeter(dancer()).update(up, 0, mirror=True)
    assert joints[INDEX["right_wrist"], 1] < joints[INDEX["right_shoulder"], 1]


def test_walking_off_is_held_back() -> None:
    joints = play(Retargeter(dancer()), [standing(middle=0.85)] * 10)[-1]
    assert 0.6 < joints[INDEX["pelvis"], 0] < 0.9


def test_drawing_peaks_on_the_limb_and_tells_depth() -> None:
    joints = to_joints(standing(), 1.0)
    joints[INDEX["left_wrist"], 2] = -0.1
    planes = draw(joints, 64, 64)
    assert planes.shape == (CHANNELS, 64, 64)
    forearm = next(i for i, (a, b, _) in enumerate(SHAPES) if b == "left_wrist" and a != b)
    middle = (joints[INDEX["left_elbow"]] + joints[INDEX["left_wrist"]]) / 2
    x, y = (middle[:2] * 64).astype(int)
    assert planes[forearm, y, x] > 0.7
    assert planes[CHANNELS // 2 + forearm, y, x] < -0.1
    assert planes[forearm, 0, 0] == 0


@pytest.mark.parametrize(
    "change", [{"lengths": [1.0]}, {"idle": None}, {"floor": float("nan")}, {"aspect": "wide"}]
)
def test_measures_that_are_damaged_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="measures are"):
        Measures.from_dict(dancer().to_dict() | change)


def test_measures_refuse_another_version() -> None:
    values = dancer().to_dict()
    again = Measures.from_dict(values)
    assert np.allclose(again.lengths, dancer().lengths, atol=1e-4) and len(BONES) == 30
    with pytest.raises(ModelError, match="version 2"):
        Measures.from_dict(values | {"condition_version": 2})
