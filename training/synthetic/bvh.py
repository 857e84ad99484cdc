"""Motion capture files (BVH, either up axis) and their transfer onto the rig."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .motion import grounded
from .rig import ASSETS, Motion, load_rig
from .rotations import Floats, about, between, frame, slerp, to_matrix, to_quaternion

HELD_OUT = ("jumping", "zombie")  # never in training sets
TRAINING = ("jumping_jacks", "wave_hello")
_NAMES = {  # rig joint: names of it in files, the first that exists counts
    "Hips": ("Hips",),
    "Spine": ("Spine1", "Chest"),
    "Neck": ("Neck",),
    "Head": ("Head",),
}
for _s in ("Left", "Right"):
    _NAMES |= {
        f"{_s}Arm": (f"{_s}Arm", f"{_s}Shoulder"),
        f"{_s}ForeArm": (f"{_s}ForeArm", f"{_s}Elbow"),
        f"{_s}Hand": (f"{_s}Hand", f"{_s}Wrist"),
        f"{_s}UpLeg": (f"{_s}UpLeg", f"{_s}Hip"),
        f"{_s}Leg": (f"{_s}Leg", f"{_s}Knee"),
        f"{_s}Foot": (f"{_s}Foot", f"{_s}Ankle"),
        f"{_s}ToeBase": (f"{_s}ToeBase", f"{_s}Toe"),
    }


@dataclass(frozen=True, kw_only=True)
class Capture:
    """Joint positions over time [T, J, 3] in the file's units, z up, and frames a second."""

    names: tuple[str, ...]
    positions: Floats
    fps: float

    def joint(self, name: str) -> Floats:
        """The track [T, 3] of a rig joint."""
        own = next((n for n in _NAMES[name] if n in self.names), None)
        if own is None:
            raise KeyError(f"the file has no joint for {name}")
        return self.positions[:, self.names.index(own)]


@dataclass
class _Joint:
    name: str
    parent: int
    offset: NDArray[np.float64]
    channels: list[str]


def _tree(tokens: list[str]) -> tuple[list[_Joint], int]:
    """The skeleton, and where the word MOTION stands."""
    joints: list[_Joint] = []
    stack: list[int] = []
    at = 0
    while tokens[at] != "MOTION":
        word = tokens[at]
        if word in ("ROOT", "JOINT", "End"):
            parent = stack[-1] if stack else -1
            name = tokens[at + 1] if word != "End" else f"{joints[parent].name}_end"
            joints.append(_Joint(name.split(":")[-1], parent, np.zeros(3), []))
            at += 2
        elif word == "{":
            stack.append(len(joints) - 1)
            at += 1
        elif word == "OFFSET":
            joints[-1].offset = np.array(tokens[at + 1 : at + 4], float)
            at += 4
        elif word == "CHANNELS":
            count = int(tokens[at + 1])
            joints[-1].channels = tokens[at + 2 : at + 2 + count]
            at += 2 + count
        else:
            if word == "}":
                stack.pop()
            at += 1
    return joints, at


def read_bvh(path: Path) -> Capture:
    """Read a .bvh or .bvh.gz file; the up axis is the one along which heads are above feet."""
    raw = path.read_bytes()
    tokens = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().split()
    joints, at = _tree(tokens)
    count, interval = int(tokens[at + 2]), float(tokens[at + 5])
    data = np.array(tokens[at + 6 :], float).reshape(count, -1)
    turns: list[Floats] = []
    places: list[NDArray[np.floating]] = []
    column = 0
    for joint in joints:
        turn = np.broadcast_to(np.eye(3), (count, 3, 3))
        place = np.tile(joint.offset, (count, 1))
        for channel in joint.channels:
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                place[:, axis] = data[:, column]
            else:
                turn = turn @ about(axis, np.deg2rad(data[:, column]))
            column += 1
        if joint.parent >= 0:
            place = places[joint.parent] + (turns[joint.parent] @ place[..., None])[..., 0]
            turn = turns[joint.parent] @ turn
        turns.append(turn.astype(np.float32))
        places.append(place)
    capture = Capture(
        names=tuple(joint.name for joint in joints),
        positions=np.stack(places, 1).astype(np.float32),
        fps=1 / interval,
    )
    return _z_up(capture)


def _z_up(capture: Capture) -> Capture:
    """Turn y-up files z-up, by the mean direction from the feet to the head."""
    feet = (capture.joint("LeftFoot") + capture.joint("RightFoot")) / 2
    up = (capture.joint("Head") - feet).mean(0)
    if abs(up[2]) >= abs(up[1]):
        return capture
    turned = capture.positions[..., [0, 2, 1]] * np.array((1, -1, 1), np.float32)
    return Capture(names=capture.names, positions=turned, fps=capture.fps)


def retarget(capture: Capture, *, fps: float = 30.0) -> Motion:
    """Put a capture on the rig: resampled, facing the camera at its start, in place, grounded."""
    rig = load_rig()
    track = _resampled(capture, fps)
    joint = track.joint
    hips = frame(joint("LeftUpLeg") - joint("RightUpLeg"), joint("Spine") - joint("Hips"))
    chest = frame(joint("LeftArm") - joint("RightArm"), joint("Neck") - joint("Spine"))
    rest_heads = {label: rig.heads[i] for i, label in enumerate(rig.labels)}
    rest = rest_heads.__getitem__
    hips = hips @ frame(rest("LeftUpLeg") - rest("RightUpLeg"), rest("Spine") - rest("Hips")).T
    chest = chest @ frame(rest("LeftArm") - rest("RightArm"), rest("Neck") - rest("Spine")).T
    trunk = {
        "Hips": hips,
        "LHipJoint": hips,
        "RHipJoint": hips,
        "LowerBack": _part_way(hips, chest, 0.33),
        "Spine": _part_way(hips, chest, 0.66),
        "Spine1": chest,
    }
    turns: list[Floats] = []
    for label, parent in zip(rig.labels, rig.parents, strict=True):
        turn = trunk.get(label, turns[parent] if parent >= 0 else hips)
        child = _child(label)
        if child:
            aim = joint(child) - joint(label)
            turn = between((turn @ (rest(child) - rest(label))[..., None])[..., 0], aim) @ turn
        if label == "Head":
            turn = _part_way(chest, turn, 0.4)
        turns.append(turn)
    heading = np.arctan2(hips[0, 1, 0], hips[0, 0, 0])
    level = about(2, -heading)
    glob = level @ np.stack(turns, 1)
    leg = np.linalg.norm(rest("LeftLeg") - rest("LeftUpLeg"))
    scale = leg / np.linalg.norm(joint("LeftLeg") - joint("LeftUpLeg"), axis=-1).mean()
    path = (joint("Hips") * scale) @ level.T
    feet = np.minimum(joint("LeftFoot")[:, 2], joint("RightFoot")[:, 2]) * scale
    leap = np.clip(feet - np.percentile(feet, 25) - 0.06, 0, None)
    root = np.zeros((len(path), 3), np.float32)
    root[:, :2] = path[:, :2] - np.median(path[:, :2], 0)
    root[:, 0] = 0.25 * np.tanh(root[:, 0] / 0.25)
    root[:, 1] = 0.25 * np.tanh(root[:, 1] / 0.25)
    return grounded(Motion(rig.localise(glob), root, fps), leap.astype(np.float32))


def load_capture(name: str, *, fps: float = 30.0) -> Motion:
    """A bundled capture by name (see HELD_OUT and TRAINING), on the rig."""
    return retarget(read_bvh(ASSETS / f"{name}.bvh.gz"), fps=fps)


def _resampled(capture: Capture, fps: float) -> Capture:
    count = max(int(len(capture.positions) * fps / capture.fps), 1)
    at = np.arange(count) * capture.fps / fps
    low = np.minimum(at.astype(int), len(capture.positions) - 1)
    high = np.minimum(low + 1, len(capture.positions) - 1)
    share = (at - low)[:, None, None].astype(np.float32)
    mixed = capture.positions[low] * (1 - share) + capture.positions[high] * share
    return Capture(names=capture.names, positions=mixed.astype(np.float32), fps=fps)


def _part_way(a: Floats, b: Floats, t: float) -> Floats:
    return to_matrix(slerp(to_quaternion(a), to_quaternion(b), t))


def _child(label: str) -> str:
    """The joint a limb bone points at, '' for bones that follow their parent."""
    side = "Left" if label.startswith("Left") else "Right" if label.startswith("Right") else ""
    chain = {"Arm": "ForeArm", "ForeArm": "Hand", "UpLeg": "Leg", "Leg": "Foot", "Foot": "ToeBase"}
    if label == "Neck":
        return "Head"
    child = chain.get(label[len(side) :], "") if side else ""
    return side + child if child else ""
