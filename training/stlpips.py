"""ST-LPIPS: a learned perceptual distance that does not mind small shifts.

Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022: VGG16 whose pooling is
blurred, features normalised per position, their squared differences weighted per channel. Only the
weights of the wheel `stlpips_pytorch` are used, none of its code.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = "weights/vST0.0/vgg_shift_tolerant.pth"
SLICES = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
"""The convolutions of each slice, as the file numbers them; what is before the first blurs."""


def weights() -> Path | None:
    """Return the file of the weights, None where the package is not installed."""
    found = find_spec("stlpips_pytorch")
    return Path(found.origin).parent / WEIGHTS if found and found.origin else None


class ShiftTolerantDistance(nn.Module):
    """ST-LPIPS of pictures [B, 3, H, W] in -1..1, [B]; 0 is alike."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        known = torch.load(path, map_location="cpu", weights_only=True)
        for name, value in known.items():
            self.register_buffer(name.replace(".", "_"), value, persistent=False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Features at five depths, of unit length at every position."""
        x = (image - self._of("scaling_layer_shift")) / self._of("scaling_layer_scale")
        found = []
        for i, layers in enumerate(SLICES):
            name = f"net_slice{i + 1}"
            if i:
                blur = self._of(f"{name}_{layers[0] - 1}_filt")
                x = F.pad(F.max_pool2d(x, 2, 1), (2, 2, 2, 2), "reflect")
                x = F.conv2d(x, blur, stride=2, groups=len(blur))
            for layer in layers:
                weight, bias = (self._of(f"{name}_{layer}_{kind}") for kind in ("weight", "bias"))
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
            found.append(F.normalize(x, dim=1))
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Distance [B] of the features of two batches."""
        parts = [
            F.conv2d((x - y).square(), self._of(f"lin{i}_model_1_weight")).mean((1, 2, 3))
            for i, (x, y) in enumerate(zip(a, b, strict=True))
        ]
        return torch.stack(parts).sum(0)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distance [B] of two batches of pictures."""
        return self.distance(self.features(a), self.features(b))

    def _of(self, name: str) -> Tensor:
        return self.get_buffer(name)
