"""Motion told from two skeletons: what a person carries along moves with it."""

import numpy as np
from people import standing

from rotolive.model.condition.pose.draw import grid
from rotolive.model.condition.pose.motion import motion_between
from rotolive.model.condition.pose.skeleton import INDEX, to_joints

SIDE = 64


def at(motion: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y = (point[:2] * SIDE).astype(int)
    return motion[:, y, x]


def test_a_step_aside_moves_all_of_the_body_and_nothing_else() -> None:
    joints = to_joints(standing(), 1.0)
    before = joints - np.array([0.05, 0.02, 0], np.float32)
    motion = motion_between(joints, before, SIDE, SIDE)
    for name in ("chest", "left_wrist", "right_knee", "left_ankle", "head"):
        np.testing.assert_allclose(at(motion, joints[INDEX[name]]), [-0.05, -0.02], atol=2e-3)
    assert np.abs(motion[:, :, :4]).max() < 1e-3


def test_a_forearm_that_swings_moves_more_towards_the_hand() -> None:
    joints = to_joints(standing(), 1.0)
    before = joints.copy()
    moved = [INDEX[f"left_{name}"] for name in ("wrist", "index", "pinky", "thumb")]
    before[moved, 0] += 0.06
    motion = motion_between(joints, before, SIDE, SIDE)
    elbow, wrist = joints[INDEX["left_elbow"]], joints[INDEX["left_wrist"]]
    half, near = at(motion, (elbow + wrist) / 2)[0], at(motion, 0.1 * elbow + 0.9 * wrist)[0]
    assert 0.02 < half < 0.04 < near < 0.062
    assert abs(at(motion, joints[INDEX["right_wrist"]])[0]) < 1e-4


def test_what_is_nearer_to_the_camera_carries_what_is_behind_it() -> None:
    joints = to_joints(standing(), 1.0)
    arm = [INDEX[f"left_{name}"] for name in ("wrist", "index", "pinky", "thumb", "elbow")]
    joints[arm, :2] = joints[INDEX["chest"], :2] + [0, 0.1]
    before = joints.copy()
    before[arm, 0] += 0.04
    moved = []
    for depth in (-0.25, 0.25):
        joints[arm, 2] = depth
        moved.append(at(motion_between(joints, before, SIDE, SIDE), joints[INDEX["left_wrist"]])[0])
    assert moved[0] > 0.03 and moved[0] > 1.5 * moved[1]


def test_it_is_backward() -> None:
    """A picture fetched along the motion is the picture now."""
    joints = to_joints(standing(), 1.0)
    before = joints - np.array([8 / SIDE, 0, 0], np.float32)
    motion = motion_between(joints, before, SIDE, SIDE)
    x = grid(SIDE, SIDE)[0].reshape(SIDE, SIDE)
    source = x + motion[0]
    row, column = (joints[INDEX["chest"], [1, 0]] * SIDE).astype(int)
    assert abs(source[row, column] - x[row, column - 8]) < 0.5 / SIDE


def test_trembling_is_hardly_told() -> None:
    joints = to_joints(standing(), 1.0)
    chest = joints[INDEX["chest"]]
    told = [
        at(motion_between(joints, joints + np.float32(by), SIDE, SIDE), chest)[0] / by
        for by in (0.001, 0.004, 0.02)
    ]
    assert told[0] < 0.15 and 0.3 < told[1] < 0.7 and told[2] > 0.95
