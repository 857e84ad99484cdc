"""The skeleton: bones, poses and forward kinematics. Metres, z up, looking along -y at rest."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .styles import Shape

Floats = NDArray[np.float32]
ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, kw_only=True)
class Rig:
    """labels and parents of B bones, heads: joint positions at rest [B, 3], eyes: left and right
    eyeball centres [2, 3]."""

    labels: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Floats
    eyes: Floats

    def index(self, label: str) -> int:
        """The number of a bone."""
        return self.labels.index(label)

    def forward(self, local: Floats, root: Floats) -> tuple[Floats, Floats]:
        """Local rotations [..., B, 3, 3] and root [..., 3] -> global rotations, joints [..., B, 3].

        Rotations are in world axes at rest, so the rest pose is all identities.
        """
        turns: list[Floats] = []
        joints: list[Floats] = []
        for bone, parent in enumerate(self.parents):
            if parent < 0:
                turns.append(local[..., bone, :, :])
                joints.append(self.heads[bone] + root)
                continue
            offset = self.heads[bone] - self.heads[parent]
            turns.append(turns[parent] @ local[..., bone, :, :])
            joints.append(joints[parent] + turns[parent] @ offset)
        return np.stack(turns, -3), np.stack(joints, -2)

    def localise(self, turns: Floats) -> Floats:
        """Global rotations [..., B, 3, 3] -> local ones."""
        parents = np.maximum(np.array(self.parents), 0)
        local = np.swapaxes(turns[..., parents, :, :], -1, -2) @ turns
        local[..., 0, :, :] = turns[..., 0, :, :]
        return local

    def skinning(self, local: Floats, root: Floats) -> Floats:
        """What moves rest points with each bone: [..., B, 4, 4]."""
        turns, joints = self.forward(local, root)
        out = np.zeros((*turns.shape[:-2], 4, 4), np.float32)
        out[..., :3, :3] = turns
        out[..., :3, 3] = joints - (turns @ self.heads[..., None])[..., 0]
        out[..., 3, 3] = 1
        return out


@dataclass(frozen=True)
class Pose:
    """One posture: local rotations float32 [B, 3, 3] and root shift from rest in metres [3]."""

    local: Floats
    root: Floats


@dataclass(frozen=True)
class Motion:
    """Poses over time at a fixed rate: local [T, B, 3, 3], root [T, 3]."""

    local: Floats
    root: Floats
    fps: float = 30.0

    def __len__(self) -> int:
        return len(self.local)

    def __getitem__(self, index: int) -> Pose:
        return Pose(self.local[index], self.root[index])


@cache
def load_rig() -> Rig:
    """The skeleton of the asset pack, of the rest build."""
    with np.load(ASSETS / "rig.npz") as data:
        return Rig(
            labels=tuple(str(label) for label in data["labels"]),
            parents=tuple(int(parent) for parent in data["parents"]),
            heads=data["heads"].astype(np.float32),
            eyes=data["eyes"].astype(np.float32),
        )


def reshape(points: NDArray[np.floating], shape: Shape) -> Floats:
    """Change the build of rest points [N, 3]: trunk widths by height, arms follow the shoulders."""
    x, y, z = np.asarray(points, np.float64).T
    heights = (-0.9, -0.1, 0.08, 0.28, 0.46, 0.60, 0.68, 0.72)
    widths = (1, 1, shape.hips, shape.waist, shape.shoulders, shape.shoulders, 1, 1)
    factor = np.interp(z, heights, widths)
    arm = np.clip((np.abs(x) - 0.15) / 0.03, 0, 1) * np.interp(z, (0.1, 0.2), (0, 1))
    factor = factor + (shape.shoulders - factor) * arm
    inner = np.minimum(np.abs(x), 0.17)
    out_x = np.sign(x) * (inner * factor + np.abs(x) - inner)
    chest = np.interp(z, (0.30, 0.42, 0.55, 0.62), (1, shape.chest_depth, shape.chest_depth, 1))
    out_y = np.where(np.abs(x) < 0.2, y * chest, y)
    return np.stack([out_x, out_y, z], 1).astype(np.float32)
