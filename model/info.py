"""What there is to know about the runtime that steps a model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Runtime = Literal[
    "auto",
    "eager",
    "openvino",
    "openvino-f32",
    "openvino-bf16",
    "openvino-int8",
    "inductor",
    "cuda",
    "tensorrt",
]
"""eager: PyTorch on the CPU in float32; cuda: PyTorch on the GPU in float16, as one CUDA graph."""
Progress = Callable[[str, int, int], None]
"""Told what is being made, how many parts of it are done, and of how many."""


def silent(what: str, done: int, of: int) -> None:
    """A progress that nobody looks at."""


@dataclass(kw_only=True)
class RuntimeInfo:
    """runtime: its name, as `rotolive bench runtime` lists it. batch: slots it steps at once.

    agreement: with eager, see `model.runtime.verify`. opened_s: seconds to open it. building: what
    is being made ready to take over, if anything. notes: why others are not used.
    """

    runtime: str = "none"
    device: str = "cpu"
    precision: str = "float32"
    batch: int = 1
    agreement: dict[str, float] = field(default_factory=dict)
    opened_s: float = 0.0
    building: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What a viewer may want to know besides the name."""
        return "; ".join([*([self.building] if self.building else []), *self.notes])
