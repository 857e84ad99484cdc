"""Surfaces drawn by a seed: "building:*7" shows each instance with one of a building's surfaces."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

_DRAWN = re.compile(r"(.+):\*(\d{0,9})")
_GOLDEN, _KNUTH = 0x9E3779B9, np.uint32(2654435761)


def check_target(name: str, known: Sequence[str]) -> None:
    """Raise InputError for what is neither a class nor surfaces of one that are to be drawn."""
    drawn = _DRAWN.fullmatch(name)
    if drawn and len(_surfaces(drawn[1], known)) > 1:
        return
    if drawn and drawn[1] in known:
        raise InputError(f"{drawn[1]} has no surfaces to draw from for {name!r}")
    if name not in known:
        raise InputError(f"no class {name!r}: there are {', '.join(known)}")


def target(
    name: str, known: Sequence[str], instances: NDArray[np.unsignedinteger]
) -> NDArray[np.uint8]:
    """The class id that each of some instances [N] is shown as, which it keeps (Knuth's hash)."""
    drawn = _DRAWN.fullmatch(name)
    if not drawn:
        return np.full(instances.shape, known.index(name), np.uint8)
    surfaces = _surfaces(drawn[1], known)
    seed = np.uint32(int(drawn[2] or 0) * _GOLDEN % 2**32)
    mixed = (instances.astype(np.uint32) ^ seed) * _KNUTH
    return surfaces[(mixed >> np.uint32(16)) % np.uint32(len(surfaces))]


def _surfaces(base: str, known: Sequence[str]) -> NDArray[np.uint8]:
    """Ids of a class and of its surfaces."""
    ids = [i for i, name in enumerate(known) if name == base or name.startswith(f"{base}:")]
    return np.array(ids if base in known else [], np.uint8)
