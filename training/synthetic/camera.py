"""The one long-lens camera of all synthetic people, nearly orthographic."""

import numpy as np
from numpy.typing import NDArray

FLOOR = -0.835  # metres: where soles stand when the root is not moved
VIEW_HEIGHT = 2.08  # metres of the world that fill the image at the dancer's depth
FLOOR_Y = 0.935  # where the floor under the dancer lies in the image, 0..1 down
DISTANCE = 9.13  # metres, so that the view height subtends 13 degrees
EYE_HEIGHT = 1.35  # metres above the floor: the floor is seen slightly from above


def matrix() -> NDArray[np.float32]:
    """World points (columns x, y, z, 1) -> clip space [4, 4]; x right, y up, near 0.1, far 20.

    The lens looks level along +y and is shifted, so that verticals stay vertical.
    """
    top = FLOOR + VIEW_HEIGHT * FLOOR_Y
    middle = top - VIEW_HEIGHT / 2
    eye_z = FLOOR + EYE_HEIGHT
    zoom = 2 * DISTANCE / VIEW_HEIGHT
    shift = (eye_z - middle) * 2 / VIEW_HEIGHT
    near, far = DISTANCE - 3, DISTANCE + 3
    view = np.array([[1, 0, 0, 0], [0, 0, 1, -eye_z], [0, -1, 0, -DISTANCE], [0, 0, 0, 1]])
    lens = np.zeros((4, 4))
    lens[0, 0] = lens[1, 1] = zoom
    lens[1, 2] = -shift
    lens[2, 2], lens[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
    lens[3, 2] = -1
    return (lens @ view).astype(np.float32)


def project(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """World points [..., 3] -> image x, y in 0..1 (y down) and depth in units of image width."""
    ones = np.ones((*points.shape[:-1], 1), points.dtype)
    clip = np.concatenate([points, ones], -1) @ matrix().T
    xy = clip[..., :2] / clip[..., 3:]
    depth = points[..., 1:2] / VIEW_HEIGHT
    return np.concatenate([xy * (0.5, -0.5) + 0.5, depth], -1).astype(np.float32)
