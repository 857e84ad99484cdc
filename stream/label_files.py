"""Label images on disk as a stream of planes: a folder of them, one a frame, by their names."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.condition import Planes
from ..model.condition.labels.classes import match
from ..model.condition.labels.files import LOSSLESS, label_images
from ..model.errors import InputError


class LabelFiles:
    """Label images [H, W] of 8 bits, ids of `names`, as ids of `known`, at `fps`.

    Raises InputError for a folder without such images, and UnknownClasses.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        known: Sequence[str],
        *,
        mapping: Mapping[str, str] | None = None,
        fps: float = 30.0,
    ) -> None:
        self.fps, self._names = fps, tuple(names)
        self._table = match(names, known, mapping)
        self._paths = label_images(folder)
        if not self._paths:
            raise InputError(
                f"{folder} holds no label images; {', '.join(LOSSLESS)} are read (lossy pictures "
                "mix the ids of neighbours)"
            )

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[tuple[Planes, float]]:
        for i, path in enumerate(self._paths):
            yield {"label": self._read(path)}, i / self.fps

    def _read(self, path: Path) -> NDArray[np.uint8]:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise InputError(f"{path} is no picture")
        image = np.asarray(image)
        if image.ndim != 2 or image.dtype != np.uint8:
            raise InputError(
                f"{path} has shape {image.shape} and type {image.dtype}; one id of 8 bits a pixel "
                "is expected"
            )
        if (highest := int(image.max())) >= len(self._names):
            raise InputError(f"{path} holds the id {highest}; {len(self._names)} classes are named")
        return self._table[image.astype(np.uint8)]
