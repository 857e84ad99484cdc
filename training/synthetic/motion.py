"""Sampled human motion before a webcam: gestures, dance, steps, turns, jumps, sitting, idling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import ik
from .camera import FLOOR, VIEW_HEIGHT
from .rig import Motion, Rig, load_rig
from .rotations import Floats, about, about_vector, unit
from .script import Script, write_script
from .tracks import wander

SOLE = 0.098  # metres from ankle joint to floor at rest
NECK_YAW_LIMIT = 1.1


@dataclass(frozen=True, kw_only=True)
class _Body:
    """The pelvis of a motion: global rotations [T, 3, 3] and shift [T, 3]."""

    hips: Floats
    root: Floats


def sample_motion(rng: np.random.Generator, seconds: float, fps: float = 30.0) -> Motion:
    """A random but human motion; the same generator state gives the same motion."""
    times = np.arange(max(round(seconds * fps), 1)) / fps
    script = write_script(rng, seconds)
    rig = load_rig()
    local = np.tile(np.eye(3, dtype=np.float32), (len(times), len(rig.labels), 1, 1))
    body = _trunk(rig, script, rng, times, local)
    _legs(rig, script, times, body, local)
    for side in (1, -1):
        _arm(rig, script, rng, times, side, local)
    _head(rig, script, rng, times, local)
    leap = script.leap(times)
    return grounded(Motion(local, body.root, fps), leap)


def grounded(motion: Motion, leap: Floats) -> Motion:
    """Shift the root so that the lowest foot point is `leap` metres [T] above the floor."""
    rig = load_rig()
    bones = rig.skinning(motion.local, motion.root)
    low = []
    for side, label in ((1, "Left"), (-1, "Right")):
        for part, spots in (
            ("Foot", ((0.175, 0.05),)),
            ("ToeBase", ((0.15, -0.2), (0.20, -0.2), (0.19, -0.13))),
        ):
            for x, y in spots:
                point = np.array((side * x, y, FLOOR, 1), np.float32)
                low.append((bones[:, rig.index(label + part), 2] * point).sum(-1))
    lowest = np.min(low, axis=0)
    root = motion.root.copy()
    root[:, 2] += FLOOR + leap - lowest
    return Motion(motion.local, root, motion.fps)


def _trunk(
    rig: Rig,
    script: Script,
    rng: np.random.Generator,
    times: NDArray[np.floating],
    local: Floats,
) -> _Body:
    """Pelvis, spine and breathing; writes them to `local`."""
    hips, bend = script.hips.at(times), script.bend.at(times)
    sway = wander(rng, times, 6, (2.5, 9.0))
    pulse = script.pulse(times)
    roll = hips[:, 4] + 0.012 * sway[:, 0] + pulse[:, 1]
    yaw = script.yaw.at(times)[:, 0] + hips[:, 5] + 0.03 * sway[:, 1] + pulse[:, 2]
    turn = about(2, yaw) @ about(1, roll) @ about(0, 0.3 * hips[:, 3])
    breath = 0.008 * np.sin(2 * np.pi * times / rng.uniform(3, 5))
    pitch = (0.7 * hips[:, 3] + bend[:, 0] + 0.012 * sway[:, 2] + breath) / 3
    side = (bend[:, 1] - roll * 0.9 + 0.012 * sway[:, 3]) / 3
    twist = (bend[:, 2] + 0.03 * sway[:, 4] - pulse[:, 2]) / 3
    step = about(2, twist) @ about(1, side) @ about(0, pitch)
    for label in ("LowerBack", "Spine", "Spine1"):
        local[:, rig.index(label)] = step
    local[:, 0] = turn
    drift = script.drift.at(times) * VIEW_HEIGHT
    root = hips[:, :3] + 0.006 * sway[:, 3:6] * (1, 1, 0)
    root[:, 2] += pulse[:, 0] - 0.012
    spin = about(2, script.yaw.at(times)[:, 0])
    placed = (spin @ root[..., None])[..., 0]
    placed[:, :2] += drift
    return _Body(hips=turn.astype(np.float32), root=placed.astype(np.float32))


def _legs(
    rig: Rig, script: Script, times: NDArray[np.floating], body: _Body, local: Floats
) -> None:
    """Feet on their marks, knees forward; stepping where the body turns or drifts."""
    feet = script.feet.at(times)
    yaw = script.yaw.at(times)[:, 0]
    drift = script.drift.at(times) * VIEW_HEIGHT
    walking = np.linalg.norm(np.gradient(drift, times, axis=0), axis=1)
    speed = np.abs(np.gradient(yaw, times)) * 0.22 + walking
    phase = np.cumsum(speed) * (times[1] - times[0] if len(times) > 1 else 0) * 2 * np.pi / 0.36
    spin = about(2, yaw)
    for side, label in ((1, "Left"), (-1, "Right")):
        mark = feet[:, :3] if side > 0 else feet[:, 3:6]
        mark = mark + script.lift(times, side)[:, None] * np.array((0, 0, 1))
        gait = np.maximum(np.sin(phase + (0 if side > 0 else np.pi)), 0)
        mark[:, 2] += 0.09 * gait * np.tanh(speed * 3)
        place = (spin @ mark[..., None])[..., 0]
        place[:, :2] += drift
        place[:, 2] += rig.heads[rig.index(label + "Foot")][2]
        hip_offset = rig.heads[rig.index(label + "UpLeg")] - rig.heads[0]
        joint = rig.heads[0] + body.root + body.hips @ hip_offset
        out = np.array((side * 0.28, -1.0, 0.15), np.float32)
        limb = ik.bones(rig, label + "UpLeg", label + "Leg", label + "Foot")
        thigh, shin = ik.solve(place - joint, spin @ out, limb)
        up_leg, leg, foot = (rig.index(label + n) for n in ("UpLeg", "Leg", "Foot"))
        local[:, up_leg] = np.swapaxes(body.hips, 1, 2) @ thigh
        local[:, leg] = np.swapaxes(thigh, 1, 2) @ shin
        point = feet[:, 6] * np.clip(mark[:, 2] / 0.15, 0, 1)
        flat = spin @ about(2, side * 0.12) @ about(0, point)
        local[:, foot] = np.swapaxes(shin, 1, 2) @ flat


def _arm(
    rig: Rig,
    script: Script,
    rng: np.random.Generator,
    times: NDArray[np.floating],
    side: int,
    local: Floats,
) -> None:
    """One arm towards its wrist marks, kept out of trunk and head; forearm turn and fingers."""
    label = "Left" if side > 0 else "Right"
    values = script.arms[side].at(times)
    mirror = np.array((side, 1, 1), np.float32)
    cycles = np.cumsum(values[:, 11]) * (times[1] - times[0] if len(times) > 1 else 0)
    swing = values[:, 8:11] * np.sin(2 * np.pi * cycles)[:, None]
    wrist = values[:, :3] + swing + 0.008 * wander(rng, times, 3, (1.5, 6.0))
    shoulder = rig.heads[rig.index(label + "Arm")]
    wrist = outside(wrist * mirror + shoulder) - shoulder
    limb = ik.bones(rig, label + "Arm", label + "ForeArm", label + "Hand")
    upper, fore = ik.solve(wrist, values[:, 3:6] * mirror, limb)
    axis = unit(limb[1])
    half = about_vector(np.broadcast_to(axis, (len(times), 3)), side * values[:, 6] / 2)
    arm, forearm, hand = (rig.index(label + n) for n in ("Arm", "ForeArm", "Hand"))
    raised = np.clip(wrist[:, 2] / 0.5, 0, 1)
    shrug = about(1, -side * 0.25 * raised)
    local[:, rig.index(label + "Shoulder")] = shrug
    local[:, arm] = np.swapaxes(shrug, 1, 2) @ upper
    local[:, forearm] = np.swapaxes(upper, 1, 2) @ fore @ half
    loose = 0.12 * wander(rng, times, 2, (1.0, 5.0))
    local[:, hand] = half @ about(0, loose[:, 0]) @ about(1, loose[:, 1])
    _fingers(rig, label, side, values[:, 7] + 0.05 * wander(rng, times, 1, (1, 6))[:, 0], local)


def _fingers(rig: Rig, label: str, side: int, curl: NDArray[np.floating], local: Floats) -> None:
    """Close the fingers by `curl` radians [T]."""
    across = unit(np.array((side * 0.021, 0.049, -0.020), np.float32))
    bend = about_vector(np.broadcast_to(across, (len(curl), 3)), side * curl)
    local[:, rig.index(label + "FingerBase")] = bend
    local[:, rig.index(label + "HandFinger1")] = bend
    thumb = "LThumb" if side > 0 else "RThumb"
    local[:, rig.index(thumb)] = about(2, side * 0.3 * curl)


def _head(
    rig: Rig,
    script: Script,
    rng: np.random.Generator,
    times: NDArray[np.floating],
    local: Floats,
) -> None:
    """Head turns and nods, shared by the neck."""
    look = script.look.at(times) + 0.04 * wander(rng, times, 3, (1.5, 7.0))
    look[:, 0] = np.clip(look[:, 0], -NECK_YAW_LIMIT, NECK_YAW_LIMIT)
    third = about(2, look[:, 0] / 3) @ about(1, look[:, 2] / 3) @ about(0, look[:, 1] / 3)
    for label in ("Neck", "Neck1", "Head"):
        local[:, rig.index(label)] = third


def outside(points: Floats) -> Floats:
    """Push points [T, 3] of the chest's frame out of the trunk and the head."""
    out = points.copy()
    centre = np.array((0, -0.03), np.float32)
    offset = out[:, :2] - centre
    radius = np.linalg.norm(offset / (0.205, 0.185), axis=1)
    low = np.clip((0.62 - out[:, 2]) / 0.08, 0, 1)
    push = 1 + (1 / np.clip(radius, 0.3, 1) - 1) * low
    out[:, :2] = centre + offset * push[:, None]
    head = np.array((0, -0.06, 0.82), np.float32)
    offset = out - head
    radius = np.linalg.norm(offset / (0.13, 0.16, 0.16), axis=1)
    return (head + offset / np.clip(radius, 0.4, 1)[:, None]).astype(np.float32)
