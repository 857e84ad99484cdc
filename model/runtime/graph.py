"""The one step that every compiled runtime runs: functional, on tensors alone, static shapes."""

import copy
import hashlib
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from .. import generator as generator_module
from .. import layers, pyramid
from ..config import GeneratorConfig
from ..generator import Painter, State

CPU = torch.device("cpu")
SOURCES = (generator_module, layers, pyramid)
"""What a step computes is written here: engines of another text are other engines."""


class Flat(nn.Module):
    """`Generator.step` with tensors in place of dataclasses.

    (condition, style, motion, *state) -> (image, alpha, *state), see `State.tensors`.
    """

    def __init__(self, generator: Painter) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, condition: Tensor, style: Tensor, motion: Tensor, *state: Tensor
    ) -> tuple[Tensor, ...]:
        output, following = self.generator.step(condition, style, State.of(state), motion)
        return output.image, output.alpha, *following.tensors


class StepGraph:
    """The step of a generator for a batch, in a precision (of weights and planes).

    Motion and warp grids are float32 in any precision, as half of one moves pixels.
    """

    def __init__(
        self,
        generator: Painter,
        batch: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device = CPU,
    ) -> None:
        same = dtype == torch.float32 and device == CPU
        self.generator = generator if same else _converted(generator, dtype, device)
        self.batch, self.dtype, self.device = batch, dtype, device

    def resized(self, batch: int) -> "StepGraph":
        """Return the same step for another batch; the weights are shared."""
        other = copy.copy(self)
        other.batch = batch
        for kept in ("program", "key"):
            other.__dict__.pop(kept, None)
        return other

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Zeros of the shapes and types that the graph takes."""
        shape = self.generator.config
        like = {"dtype": self.dtype, "device": self.device}
        planes = torch.zeros(self.batch, *shape.condition_shape, **like)
        if shape.classes:
            planes = planes.to(torch.uint8)
        style = torch.zeros(self.batch, shape.styles, **like)
        motion = torch.zeros(self.batch, 2, shape.height // 4, shape.width // 4, device=self.device)
        return planes, style, motion, *self.generator.initial_state(self.batch).tensors

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Zeros of the shapes and types that the graph gives: image, alpha, state."""
        _, _, _, *state = self.inputs
        shape = self.generator.config
        size = self.batch, 3, shape.height, shape.width
        image = torch.zeros(size, dtype=self.dtype, device=self.device)
        return image, image[:, :1].clone(), *state

    @cached_property
    def program(self) -> ExportedProgram:
        """The exported step."""
        with torch.no_grad():
            return torch.export.export(Flat(self.generator).eval(), self.inputs, strict=False)

    @cached_property
    def key(self) -> str:
        """Tells this graph from any other: its text, settings, precision, batch and weights."""
        digest = hashlib.sha256(f"{self.generator.config} {self.batch} {self.dtype}".encode())
        for module in SOURCES:
            digest.update(Path(str(module.__file__)).read_bytes())
        for name, tensor in sorted(self.generator.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def noise_planes(shape: GeneratorConfig, count: int, rng: torch.Generator | None = None) -> Tensor:
    """Random conditions [count, *condition_shape] of the kind that the graph takes: sparse, and of
    labels with ids of all classes."""
    planes = (torch.rand(count, *shape.condition_shape, generator=rng) > 0.97).float()
    if not shape.classes:
        return planes
    planes[:, 0] = torch.randint(shape.classes, planes[:, 0].shape, generator=rng).float()
    return planes.to(torch.uint8)


def _converted(generator: Painter, dtype: torch.dtype, device: torch.device) -> Painter:
    """Copy with its weights in another precision; grids stay as they are."""
    copied = copy.deepcopy(generator).to(device)
    for parameter in copied.parameters():
        parameter.data = parameter.data.to(dtype)
    return copied
