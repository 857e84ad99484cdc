"""A small generator to step."""

import torch

from rotolive.model.config import GeneratorConfig
from rotolive.model.generator import Generator


def small_generator() -> Generator:
    """Two styles at 64x64, with contrast: a flat picture agrees with anything."""
    torch.manual_seed(1)
    shape = GeneratorConfig(condition_channels=6, styles=2, width=64, height=64, channels=16)
    made = Generator(shape).eval().requires_grad_(False)
    made.paint.weight.data.mul_(8)
    return made
