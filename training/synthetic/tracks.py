"""Values over time from keys that are held and eased into each other."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass
class Track:
    """Keys of one vector quantity: each is reached at `reach` and left at `leave` (seconds)."""

    reach: list[float] = field(default_factory=list)
    leave: list[float] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, travel: float, hold: float, value: object) -> float:
        """Append a key after the last one; returns when it is left."""
        start = self.leave[-1] + travel if self.leave else 0.0
        self.reach.append(start)
        self.leave.append(start + hold)
        self.values.append(np.asarray(value, np.float64).ravel())
        return self.leave[-1]

    @property
    def end(self) -> float:
        """When the last key is left."""
        return self.leave[-1] if self.leave else 0.0

    def at(self, times: NDArray[np.floating]) -> Floats:
        """Values [T, D]: minimum-jerk ease between keys."""
        reach, leave = np.array(self.reach), np.array(self.leave)
        values = np.stack(self.values)
        index = np.clip(np.searchsorted(reach, times, side="right") - 1, 0, len(reach) - 1)
        after = np.minimum(index + 1, len(reach) - 1)
        span = np.maximum(reach[after] - leave[index], 1e-6)
        u = np.clip((times - leave[index]) / span, 0, 1)
        eased = (u**3 * (10 - 15 * u + 6 * u * u))[:, None]
        return (values[index] * (1 - eased) + values[after] * eased).astype(np.float32)


def wander(
    rng: np.random.Generator, times: NDArray[np.floating], size: int, periods: tuple[float, float]
) -> Floats:
    """Smooth random curves [T, size] of about unit size, from a few slow sines."""
    total = np.zeros((len(times), size))
    for _ in range(4):
        rate = 2 * np.pi / rng.uniform(*periods, size)
        total += np.sin(times[:, None] * rate + rng.uniform(0, 2 * np.pi, size))
    return (total / 2).astype(np.float32)
