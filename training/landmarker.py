"""The landmark network of the pose detector as a differentiable module.

BlazePose (Bazarevsky et al. 2020), the lite variant bundled for the live detector. OpenVINO reads
the TensorFlow Lite file; its few kinds of layers are played again in PyTorch.
"""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.condition.pose.detect import TASK
from ..model.runtime.openvino_graph import core

SIDE = 256
"""Pixels along the square picture that the network looks at."""
OUTPUT, COUNT = "Identity", 33
TURNED, GROWN, AROUND = 0.15, 0.1, 2.5
"""The square looked at: how far it is turned (radians) and grown by chance, as detectors follow
with an error, and its side over the reach of the body."""

Layer = Callable[..., Tensor]


def _convolution(about: dict[str, Any]) -> Layer:
    (above, left), (below, right) = about["pads_begin"], about["pads_end"]
    sides = (left, right, above, below)

    def convolve(x: Tensor, weight: Tensor) -> Tensor:
        groups = weight.shape[0] if weight.ndim == 5 else 1
        kernel = weight.flatten(0, 1) if weight.ndim == 5 else weight
        x = F.pad(x, sides) if any(sides) else x
        return F.conv2d(x, kernel, None, about["strides"], 0, about["dilations"], groups)

    return convolve


def _pad(_: dict[str, Any]) -> Layer:
    def pad(x: Tensor, before: Tensor, after: Tensor, value: Tensor) -> Tensor:
        sides = torch.stack([before, after], 1).flip(0).flatten().tolist()
        return F.pad(x, sides, value=float(value))

    return pad


def _interpolate(_: dict[str, Any]) -> Layer:
    def grow(x: Tensor, size: Tensor, axes: Tensor) -> Tensor:
        if axes.tolist() != [1, 2]:
            raise ValueError(f"the landmark network resizes axes {axes.tolist()}, not 1 and 2")
        x = F.interpolate(x.permute(0, 3, 1, 2), size=size.tolist(), mode="bilinear")
        return x.permute(0, 2, 3, 1)

    return grow


def _max_pool(about: dict[str, Any]) -> Layer:
    return lambda x: F.max_pool2d(x, about["kernel"], about["strides"])


LAYERS: dict[str, Callable[[dict[str, Any]], Layer]] = {
    "Add": lambda _: torch.add,
    "Clamp": lambda about: lambda x: x.clamp(about["min"], about["max"]),
    "Convert": lambda _: lambda x: x.float(),
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "Interpolate": _interpolate,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Reshape": lambda _: _reshape,
    "Transpose": lambda _: lambda x, order: x.permute(*order.tolist()),
    "Unsqueeze": lambda _: _unsqueeze,
}


def _reshape(x: Tensor, shape: Tensor) -> Tensor:
    """To a shape, of a batch where it is of one picture."""
    sizes = [size or x.shape[i] for i, size in enumerate(shape.tolist())]
    fits = -1 in sizes or np.prod(sizes) == x.numel()
    return x.reshape(sizes if fits else [-1, *sizes[1:]])


def _unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axes.flatten().tolist()):
        x = x.unsqueeze(axis)
    return x


class Landmarker(nn.Module):
    """Pictures [B, 3, 256, 256] in 0..1 -> landmarks [B, 33, 3] in pixels."""

    def __init__(self, task: Path) -> None:
        super().__init__()
        model = _read(task)
        result = next(out for out in model.outputs if OUTPUT in out.names)
        self._wanted = _key(result.node.input_value(0))
        self._steps: list[tuple[str, Layer, list[str]]] = []
        folded: dict[str, Tensor] = {}
        for node in _needed(model, self._wanted):
            self._add(node, folded)
        used = {name for _, _, inputs in self._steps for name in inputs}
        kept = {name: value for name, value in folded.items() if name in used}
        self.weights = nn.ParameterDict(
            {
                name: nn.Parameter(value, requires_grad=False)
                for name, value in kept.items()
                if value.is_floating_point()
            }
        )
        self._shapes = {name: x for name, x in kept.items() if not x.is_floating_point()}

    def _add(self, node: Any, folded: dict[str, Tensor]) -> None:
        """Take one layer in: at once where all it needs is constant, else as a step."""
        kind, name = node.get_type_name(), _plain(node.get_friendly_name())
        if kind == "Parameter":
            self._picture = name
            return
        if kind == "Constant":
            folded[name] = torch.from_numpy(np.array(node.data))
            return
        layer = LAYERS[kind](node.get_attributes())
        inputs = [_key(value) for value in node.input_values()]
        if all(key in folded for key in inputs):
            folded[name] = layer(*(folded[key] for key in inputs))
        else:
            self._steps.append((name, layer, inputs))

    def forward(self, picture: Tensor) -> Tensor:
        """Find the landmarks."""
        found = {**self._shapes, **self.weights, self._picture: picture.permute(0, 2, 3, 1)}
        for name, layer, inputs in self._steps:
            found[name] = layer(*(found[key] for key in inputs))
        return found[self._wanted].reshape(len(picture), -1, 5)[:, :COUNT, :3]


class PoseDistance(nn.Module):
    """How far the landmarks found in two pictures lie apart, in shares of the square looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.landmarker = Landmarker(TASK)

    def forward(self, x: Tensor, y: Tensor, body: Tensor, reach: Tensor) -> Tensor:
        """Mean distance between outputs and truths [B, 3, H, W] in -1..1.

        body [B, 2, 2]: x, y of pelvis and chest in pixels; reach [B]: of the body from the pelvis.
        """
        grid = square_around(body, reach, (x.shape[-2], x.shape[-1]))
        look = [F.grid_sample(image / 2 + 0.5, grid, align_corners=False) for image in (x, y)]
        with torch.no_grad():
            there = self.landmarker(look[1]).float()
        here = self.landmarker(look[0]).float()
        return F.smooth_l1_loss(here[..., :2] / SIDE, there[..., :2] / SIDE, beta=0.01)


def square_around(body: Tensor, reach: Tensor, size: tuple[int, int]) -> Tensor:
    """Sampling grid [B, 256, 256, 2] of the upright square about a body, as the detector cuts it.

    body [B, 2, 2] and reach [B] as above; size: height and width of the picture in pixels.
    """
    chance = torch.rand(2, len(body)).to(body.device) * 2 - 1
    pelvis, chest = body.unbind(1)
    down = pelvis - chest
    angle = torch.atan2(down[:, 0], down[:, 1]) + TURNED * chance[0]
    half = AROUND / 2 * reach * (1 + GROWN * chance[1])
    down = torch.stack([angle.sin(), angle.cos()], -1) * half[:, None]
    right = torch.stack([down[:, 1], -down[:, 0]], -1)
    steps = (torch.arange(SIDE, device=body.device) + 0.5) / SIDE * 2 - 1
    rows, columns = steps[None, :, None, None], steps[None, None, :, None]
    where = pelvis[:, None, None] + rows * down[:, None, None] + columns * right[:, None, None]
    height, width = size
    return where / torch.tensor([width, height], device=body.device) * 2 - 1


def _read(task: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(task) as bundle:
            path = bundle.extract("pose_landmarks_detector.tflite", folder)
        return core().read_model(path)


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _key(value: Any) -> str:
    return _plain(value.get_node().get_friendly_name())


def _needed(model: Any, wanted: str) -> list[Any]:
    """Return the layers that the wanted one rests on, in order."""
    keep, kept = {wanted}, []
    for node in reversed(model.get_ordered_ops()):
        if _plain(node.get_friendly_name()) in keep:
            keep |= {_key(value) for value in node.input_values()}
            kept.append(node)
    return kept[::-1]
