"""What clips on disk have in common whose pictures can all be trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .clip_format import open_clip


class RgbClip:
    """One folder of frames: rgb, motion, and whatever else (see `clip_format`)."""

    def __init__(self, folder: Path, *others: str) -> None:
        self.folder = folder
        self.info, arrays = open_clip(folder, "rgb", "motion", *others)
        self.rgb, self.motion, *self.others = arrays
        self.style = int(self.info["style"])

    def __len__(self) -> int:
        return len(self.rgb)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.rgb.shape[1:3]
        return width, height

    @property
    def usable(self) -> NDArray[np.bool_]:
        """All frames [T]."""
        return np.ones(len(self), bool)


def opaque(rgb: NDArray[Any]) -> Tensor:
    """RGB [H, W, 3] in 0..255 -> RGBA [4, H, W] in 0..1, nothing to be seen through."""
    x = torch.from_numpy(np.array(rgb)).permute(2, 0, 1).float() / 255
    return torch.cat([x, torch.ones_like(x[:1])])
