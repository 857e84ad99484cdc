"""Rotations over leading axes, float32: matrices [..., 3, 3], quaternions [..., 4], w first."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def unit(vector: NDArray[np.floating]) -> Floats:
    """Vectors [..., 3] of length one."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return (vector / np.maximum(length, 1e-9)).astype(np.float32)


def about(axis: int, angle: NDArray[np.floating] | float) -> Floats:
    """Rotation about x (0), y (1) or z (2) by radians [...]."""
    angle = np.asarray(angle, np.float32)
    out = np.zeros((*angle.shape, 3, 3), np.float32)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., a, a] = out[..., b, b] = np.cos(angle)
    out[..., b, a] = np.sin(angle)
    out[..., a, b] = -np.sin(angle)
    return out


def about_vector(axis: NDArray[np.floating], angle: NDArray[np.floating] | float) -> Floats:
    """Rotation about unit vectors [..., 3] by radians [...]."""
    half = np.asarray(angle, np.float32)[..., None] / 2
    axis = np.asarray(axis, np.float32)
    half = np.broadcast_to(half, (*axis.shape[:-1], 1))
    return to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], -1))


def frame(first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    """The right-handed frame (columns) along `first`, with `second` in its first plane."""
    x = unit(first)
    z = unit(np.cross(x, second))
    return np.stack([x, np.cross(z, x), z], -1)


def between(start: NDArray[np.floating], end: NDArray[np.floating]) -> Floats:
    """The shortest rotation that takes directions [..., 3] to others."""
    a, b = unit(start), unit(end)
    cosine = (a * b).sum(-1, keepdims=True)
    quaternion = np.concatenate([1 + cosine + 1e-6, np.cross(a, b)], -1)
    return to_matrix(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True))


def to_matrix(q: NDArray[np.floating]) -> Floats:
    """Unit quaternions -> matrices."""
    w, x, y, z = np.moveaxis(np.asarray(q, np.float32), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def to_quaternion(m: NDArray[np.floating]) -> Floats:
    """Matrices -> unit quaternions, by the largest of the four components."""
    m = np.asarray(m, np.float64)
    trace = [m[..., i, i] for i in range(3)]
    squares = np.stack(
        [
            1 + trace[0] + trace[1] + trace[2],
            1 + trace[0] - trace[1] - trace[2],
            1 - trace[0] + trace[1] - trace[2],
            1 - trace[0] - trace[1] + trace[2],
        ],
        -1,
    )
    wx, wy, wz = (
        m[..., (i + 2) % 3, (i + 1) % 3] - m[..., (i + 1) % 3, (i + 2) % 3] for i in range(3)
    )
    xy, yz, xz = (m[..., a, b] + m[..., b, a] for a, b in ((0, 1), (1, 2), (0, 2)))
    rows = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], -1),
            np.stack([wx, squares[..., 1], xy, xz], -1),
            np.stack([wy, xy, squares[..., 2], yz], -1),
            np.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None]
    q = np.take_along_axis(rows, best, -2)[..., 0, :]
    return (q / np.linalg.norm(q, axis=-1, keepdims=True)).astype(np.float32)


def slerp(
    a: NDArray[np.floating], b: NDArray[np.floating], t: NDArray[np.floating] | float
) -> Floats:
    """Between unit quaternions by t [...] in 0..1, the short way."""
    t = np.asarray(t, np.float32)[..., None]
    dot = (a * b).sum(-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0, 1))
    sine = np.sin(angle)
    near = sine < 1e-4
    safe = np.where(near, 1, sine)
    wa = np.where(near, 1 - t, np.sin((1 - t) * angle) / safe)
    wb = np.where(near, t, np.sin(t * angle) / safe)
    out = wa * a + wb * b
    return (out / np.linalg.norm(out, axis=-1, keepdims=True)).astype(np.float32)
