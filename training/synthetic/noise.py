"""What a pose detector does to exact landmarks: jitter, bias, drop-outs, swaps, losses."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .landmarks import COUNT, MIRROR
from .rig import ASSETS

Floats = NDArray[np.float32]
LIMBS = (
    (11, 13, 15, 17, 19, 21),
    (12, 14, 16, 18, 20, 22),
    (23, 25, 27, 29, 31),
    (24, 26, 28, 30, 32),
)
LEGS = (25, 26, 27, 28, 29, 30, 31, 32)
FACE = tuple(range(11))
CLUSTERS = (FACE, (15, 17, 19, 21), (16, 18, 20, 22), (27, 29, 31), (28, 30, 32))
"""Faces, hands and feet are found as one."""
OWN = 0.2
"""How much of the jitter in a cluster is each landmark's own."""
SHRUNK = (((7, 8), FACE, 0.55), ((15,), CLUSTERS[1], 0.65), ((16,), CLUSTERS[2], 0.65))
"""What is found smaller than it is, about which landmarks: turned faces, and hands. The shares are
the slopes of detected over exact on renders."""


@dataclass(frozen=True, kw_only=True)
class NoiseModel:
    """Lengths in image widths, rates in events a second, per-landmark lists of 33.

    bias_x is along the person's left as seen (it turns with the body), bias_y is downwards;
    sigma: jitter; rho: its correlation from frame to frame; fast: extra jitter per unit of speed
    (image widths a second); hidden: factor on the jitter of occluded landmarks; z_scale and
    z_spread: detected over exact depth and its spread over clips; z_sigma: jitter of depth;
    visible, occluded: mean reported visibility; *_rate: how often events begin.
    """

    bias_x: tuple[float, ...]
    bias_y: tuple[float, ...]
    sigma: tuple[float, ...]
    z_sigma: tuple[float, ...]
    visible: tuple[float, ...]
    rho: float = 0.85
    fast: float = 0.008
    hidden: float = 2.0
    z_scale: float = 0.9
    z_spread: float = 0.15
    occluded: float = 0.45
    drop_rate: float = 0.06
    swap_rate_back: float = 0.25
    swap_rate_front: float = 0.01
    z_flip_rate: float = 0.05
    crop_share: float = 0.12
    lost_rate: float = 0.03

    def apply(self, exact: Floats, rng: np.random.Generator, fps: float = 30.0) -> Floats:
        """Noisy landmarks [T, 33, 4] of exact ones; lost frames are NaN."""
        out = exact.astype(np.float32).copy()
        facing, hidden = facing_of(exact), hidden_of(exact)
        self._shift(out, exact, facing, hidden, rng, fps)
        self._depth(out, exact, rng, fps)
        seen = np.where(hidden, self.occluded, np.array(self.visible))
        noise = correlated(rng, exact.shape[:2], 0.9)
        out[..., 3] = np.clip(seen + 0.08 * noise * (1.05 - seen) * 2, 0.01, 0.9999)
        self._drop(out, rng, fps)
        self._swap(out, facing, rng, fps)
        if rng.random() < self.crop_share:
            _crop(out, rng)
        for start, end in events(rng, len(out), self.lost_rate, (0.05, 0.7), fps):
            out[start:end] = np.nan
        return out

    def _shift(
        self,
        out: Floats,
        exact: Floats,
        facing: Floats,
        hidden: NDArray[np.bool_],
        rng: np.random.Generator,
        fps: float,
    ) -> None:
        for middle, cluster, share in SHRUNK:
            anchor = exact[:, middle, :2].mean(1, keepdims=True)
            out[:, cluster, :2] = anchor + share * (exact[:, cluster, :2] - anchor)
        person = rng.normal(1.0, 0.3)
        out[..., 0] += np.array(self.bias_x) * facing[:, None] * person
        out[..., 1] += np.array(self.bias_y) * person
        speed = speed_of(exact, fps)
        size = np.array(self.sigma) + self.fast * np.minimum(speed, 4)
        size = size * np.where(hidden, self.hidden, 1)
        for axis in range(2):
            out[..., axis] += size * _jitter(rng, len(exact), self.rho)

    def _depth(self, out: Floats, exact: Floats, rng: np.random.Generator, fps: float) -> None:
        scale = np.maximum(rng.normal(self.z_scale, self.z_spread), 0.2)
        out[..., 2] = exact[..., 2] * scale
        out[..., 2] += np.array(self.z_sigma) * _jitter(rng, len(exact), 0.95)
        for limb in LIMBS:
            for start, end in events(rng, len(out), self.z_flip_rate, (0.2, 1.5), fps):
                middle = out[start:end, limb[:1], 2]
                out[start:end, limb, 2] = 2 * middle - out[start:end, limb, 2]

    def _drop(self, out: Floats, rng: np.random.Generator, fps: float) -> None:
        """Limbs that are lost for a while: low visibility, held and drifting outer joints."""
        for limb in LIMBS:
            for start, end in events(rng, len(out), self.drop_rate, (0.1, 1.0), fps):
                joints = list(limb[int(rng.integers(1, 3)) :])
                held = out[start, joints, :2]
                walk = np.cumsum(rng.normal(0, 0.006, (end - start, 1, 2)), 0)
                share = rng.uniform(0.4, 1.0)
                moved = held + walk
                kept = out[start:end, joints, :2]
                out[start:end, joints, :2] = kept * (1 - share) + moved * share
                out[start:end, joints, 3] *= rng.uniform(0.1, 0.6)

    def _swap(self, out: Floats, facing: Floats, rng: np.random.Generator, fps: float) -> None:
        """Left taken for right, mostly in side and back views."""
        for rate, views in (
            (self.swap_rate_back, facing < 0.3),
            (self.swap_rate_front, facing >= 0.3),
        ):
            for start, end in events(rng, len(out), rate, (0.1, 1.5), fps):
                frames = np.flatnonzero(views[start:end]) + start
                out[frames] = out[frames][:, MIRROR]


def facing_of(landmarks: Floats) -> Floats:
    """1 facing the camera, 0 sideways, -1 seen from behind [T]."""
    across = landmarks[:, [11, 23], :3] - landmarks[:, [12, 24], :3]
    level = across[..., [0, 2]].sum(1)
    return level[:, 0] / np.maximum(np.linalg.norm(level, axis=1), 1e-6)


def hidden_of(landmarks: Floats) -> NDArray[np.bool_]:
    """A guess at which landmarks the person's own body hides [T, 33]."""
    torso = landmarks[:, [11, 12, 23, 24]]
    low, high = torso[..., 0].min(1)[:, None], torso[..., 0].max(1)[:, None]
    top, bottom = torso[..., 1].min(1)[:, None], torso[..., 1].max(1)[:, None]
    x, y, z = landmarks[..., 0], landmarks[..., 1], landmarks[..., 2]
    inside = (x > low - 0.01) & (x < high + 0.01) & (y > top) & (y < bottom + 0.02)
    behind = z > torso[..., 2].mean(1)[:, None] + 0.03
    out = inside & behind
    out[:, FACE] = (facing_of(landmarks) < -0.1)[:, None]
    return out


def speed_of(landmarks: Floats, fps: float) -> Floats:
    """Speeds in image widths a second [T, 33]."""
    if len(landmarks) < 2:
        return np.zeros(landmarks.shape[:2], np.float32)
    return np.linalg.norm(np.gradient(landmarks[..., :2], 1 / fps, axis=0), axis=-1)


def correlated(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> Floats:
    """AR(1) noise of unit variance over the first axis."""
    fresh = rng.standard_normal(shape)
    out = fresh.copy()
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + np.sqrt(1 - rho * rho) * fresh[t]
    return out.astype(np.float32)


def _jitter(rng: np.random.Generator, frames: int, rho: float) -> Floats:
    """Correlated noise [T, 33] that faces, hands and feet share."""
    out = correlated(rng, (frames, COUNT), rho)
    for cluster in CLUSTERS:
        own = out[:, cluster]
        out[:, cluster] = np.sqrt(1 - OWN**2) * own[:, :1] + OWN * own
    return out


def events(
    rng: np.random.Generator, frames: int, rate: float, length: tuple[float, float], fps: float
) -> list[tuple[int, int]]:
    """Random stretches of frames: rate a second, lengths in seconds."""
    count = int(rng.poisson(rate * frames / fps))
    starts = rng.integers(0, frames, count)
    ends = starts + np.maximum((rng.uniform(*length, count) * fps).astype(int), 1)
    return [(int(a), int(min(b, frames))) for a, b in zip(starts, ends, strict=True)]


def _crop(out: Floats, rng: np.random.Generator) -> None:
    """Legs out of the picture: hardly visible and made up by the detector."""
    joints = list(LEGS if rng.random() < 0.6 else LEGS[2:])
    slide = correlated(rng, (len(out), 1, 2), 0.97) * 0.03 * np.array((1, 1.5))
    own = correlated(rng, (len(out), len(joints), 2), 0.93) * 0.015
    squash = rng.uniform(0.75, 1.1)
    hips = out[:, 23:25, :2].mean(1, keepdims=True)
    out[:, joints, :2] = hips + (out[:, joints, :2] - hips) * (1, squash) + slide + own
    out[:, joints, 3] = np.clip(rng.uniform(0.02, 0.3) + own[..., 0] * 3, 0.005, 0.5)


def default_noise() -> NoiseModel:
    """Plausible figures before any fit."""
    sigma = [0.004] * 11 + [0.006] * 4 + [0.009] * 8 + [0.006] * 4 + [0.009] * 6
    visible = [0.99] * 13 + [0.95] * 2 + [0.92] * 8 + [0.99] * 2 + [0.95] * 2 + [0.93] * 6
    zero = (0.0,) * COUNT
    return NoiseModel(
        bias_x=zero,
        bias_y=zero,
        sigma=tuple(sigma),
        z_sigma=(0.04,) * COUNT,
        visible=tuple(visible),
    )


@cache
def load_noise() -> NoiseModel:
    """The fitted model of the asset pack; plausible figures where there is none."""
    path = ASSETS / "noise.json"
    if not path.exists():
        return default_noise()
    data: dict[str, Any] = json.loads(path.read_text())
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return NoiseModel(**fields)


def save_noise(model: NoiseModel) -> None:
    """Write the model into the asset pack."""
    data = asdict(model)
    rounded = {
        k: [round(x, 5) for x in v] if isinstance(v, tuple) else round(v, 5)
        for k, v in data.items()
    }
    (ASSETS / "noise.json").write_text(json.dumps(rounded, indent=1) + "\n")
