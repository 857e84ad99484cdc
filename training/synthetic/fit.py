"""Measure how MediaPipe's landmarks differ from exact ones on renders, as a noise model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .actor import Actor
from .backdrop import backdrop, over
from .detect import detect
from .landmarks import MIRROR
from .motion import sample_motion
from .noise import Floats, NoiseModel, default_noise, facing_of, hidden_of, save_noise, speed_of
from .styles import STYLES

GOOD = 0.12  # image widths: a landmark farther off is an event, not jitter
SLOW = 0.25  # image widths a second


def collect(frames: int, seed: int, size: int = 256) -> list[tuple[Floats, Floats]]:
    """Exact and detected landmarks [T, 33, 4] of one sampled clip of every style."""
    out = []
    studio = backdrop(size)
    each = frames // len(STYLES)
    for style in range(len(STYLES)):
        actor = Actor(style, size)
        motion = sample_motion(np.random.default_rng((seed, style)), each / 30)
        renders = [actor.render(motion[t]) for t in range(len(motion))]
        found = detect((over(frame.rgba, studio) for frame in renders), motion.fps)
        actor.close()
        out.append((np.stack([frame.landmarks for frame in renders]), found))
    return out


def swapped(exact: Floats, found: Floats) -> NDArray[np.bool_]:
    """Frames whose landmarks agree better with left and right exchanged [T]."""
    trunk = [11, 12, 23, 24, 25, 26, 27, 28]
    mirrored = exact[:, MIRROR]
    direct = np.linalg.norm(found[:, trunk, :2] - exact[:, trunk, :2], axis=-1).mean(1)
    crossed = np.linalg.norm(found[:, trunk, :2] - mirrored[:, trunk, :2], axis=-1).mean(1)
    return crossed < 0.7 * direct


def _begins(flags: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(flags & ~np.concatenate([[False], flags[:-1]])))


def fit_noise(
    pairs: Sequence[tuple[Floats, Floats]], fps: float = 30.0
) -> tuple[NoiseModel, dict[str, Any]]:
    """A noise model from (exact, detected) clips, and the figures behind it.

    Event rates have floors: renders in a studio are kinder to a detector than rooms are.
    """
    base = default_noise()
    exact, found = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    speed = np.concatenate([speed_of(clip, fps) for clip, _ in pairs])
    seen = np.isfinite(found[:, 0, 0])
    cross = seen & swapped(exact, np.nan_to_num(found))
    facing, hidden = facing_of(exact), hidden_of(exact)
    valid = seen & ~cross
    error = np.where(valid[:, None, None], found - exact, np.nan)[..., :3]
    off = np.linalg.norm(error[..., :2], axis=-1)
    error[off > GOOD] = np.nan
    side = np.where(np.abs(facing) > 0.5, np.sign(facing), np.nan)[:, None]
    bias_x = np.nan_to_num(np.nanmedian(error[..., 0] * side, axis=0))
    bias_y = np.nan_to_num(np.nanmedian(error[..., 1], axis=0))
    rest = error[..., :2] - np.stack(
        [bias_x * np.nan_to_num(facing)[:, None], 0 * off + bias_y], -1
    )
    spread = np.sqrt(
        np.nanmean(np.where(((speed < SLOW) & ~hidden)[..., None], rest, np.nan) ** 2, (0, 2))
    )
    fast = _slope(speed, rest, ~hidden, spread)
    slow_hidden = np.sqrt(
        np.nanmean(np.where((hidden & (speed < SLOW))[..., None], rest, np.nan) ** 2)
    )
    scales = [_z_scale(a, b) for a, b in pairs]
    z_rest = error[..., 2] + exact[..., 2] * (1 - np.median(scales))
    lag = np.nanmean(rest[1:] * rest[:-1]) / np.nanmean(rest**2)
    seconds = len(exact) / fps
    back = max(np.count_nonzero(facing < 0.3) / fps, 1.0)
    model = replace(
        base,
        bias_x=tuple(bias_x.tolist()),
        bias_y=tuple(bias_y.tolist()),
        sigma=tuple(np.clip(spread, 0.001, 0.05).tolist()),
        z_sigma=tuple(np.clip(np.nanstd(z_rest, axis=0), 0.005, 0.3).tolist()),
        visible=tuple(
            np.nanmean(np.where(hidden | ~valid[:, None], np.nan, found[..., 3]), 0).tolist()
        ),
        occluded=float(np.nanmean(np.where(hidden & valid[:, None], found[..., 3], np.nan))),
        rho=float(np.clip(lag, 0.3, 0.98)),
        fast=fast,
        hidden=float(np.clip(slow_hidden / spread.mean(), 1, 5)),
        z_scale=float(np.median(scales)),
        z_spread=float(max(np.std(scales), 0.08)),
        swap_rate_back=float(np.clip(_begins(cross & (facing < 0.3)) / back, 0.12, 1)),
        swap_rate_front=float(
            np.clip(_begins(cross & (facing >= 0.3)) / max(seconds - back, 1), 0.003, 0.1)
        ),
        drop_rate=float(np.clip(_wild(off) / seconds / 4, 0.05, 0.3)),
        lost_rate=float(np.clip(_begins(~seen) / seconds, 0.02, 0.2)),
    )
    figures = {
        "frames": len(exact),
        "found": float(seen.mean()),
        "swapped": float(cross.mean()),
        "swapped_back": float(cross[facing < 0.3].mean()),
        "error_mean": float(np.nanmean(off)),
        "error_median": float(np.nanmedian(off)),
        "error_p95": float(np.nanpercentile(off, 95)),
        "wild": float(np.nanmean(off > GOOD)),
    }
    return model, figures


def _slope(speed: Floats, rest: Floats, use: NDArray[np.bool_], spread: Floats) -> float:
    """Extra jitter per unit of speed."""
    quick = use & (speed > 0.5)
    variance = np.broadcast_to(spread**2, speed.shape)[quick].mean()
    excess = np.sqrt(np.nanmean(rest[quick] ** 2)) - np.sqrt(variance)
    return float(np.clip(excess / speed[quick].mean(), 0.0, 0.03))


def _z_scale(exact: Floats, found: Floats) -> float:
    """Least-squares factor from exact to detected depths of a clip."""
    ok = np.isfinite(found[:, 0, 0])
    a, b = exact[ok, 11:, 2].ravel(), found[ok, 11:, 2].ravel()
    return float((a * b).sum() / max((a * a).sum(), 1e-9))


def _wild(off: Floats) -> int:
    """How often a limb's end starts to be far off."""
    return sum(_begins(np.nan_to_num(off[:, joint]) > GOOD) for joint in (15, 16, 27, 28))


def main(frames: int = 1500, seed: int = 77) -> dict[str, Any]:
    """Fit anew and store the result in the asset pack."""
    model, figures = fit_noise(collect(frames, seed))
    save_noise(model)
    return figures


if __name__ == "__main__":
    print(main())
