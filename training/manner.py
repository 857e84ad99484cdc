"""How detection and retargeting err, as far as the pose tells: their manner, not their noise.

Turned heads are found half turned, raised arms short, the far hip near: a generator that is shown
such joints learns to see through them, one that is shown exact joints paints what it is told.
"""

import numpy as np
from numpy.typing import NDArray

from ..model.condition.pose.skeleton import CHILDREN, INDEX, PARENTS

RIDGE = 50.0
"""Penalty on the squared coefficients."""

Floats = NDArray[np.float32]


def features(shown: Floats, style: int, styles: int) -> Floats:
    """What a pose is described by, [T, F], of exact joints [T, J, 3] in picture heights."""
    bones = (shown[:, CHILDREN] - shown[:, PARENTS]).reshape(len(shown), -1)
    place = shown[:, INDEX["pelvis"], :2] - 0.5
    who = np.tile(np.eye(styles)[style], (len(shown), 1))
    return np.concatenate([10 * bones, 3 * place, who], axis=1).astype(np.float32)


def fit(described: Floats, errors: Floats) -> Floats:
    """Least squares of errors [T, J, 2] on features [T, F], with a ridge: [F, J * 2]."""
    flat = errors.reshape(len(errors), -1).astype(np.float64)
    x = described.astype(np.float64)
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ flat).astype(np.float32)
