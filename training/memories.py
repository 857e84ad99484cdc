"""What streams remember in training: how they begin, and noise."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.generator import State, select
from .config import TrainConfig
from .streams import Batch

NOISE = 0.1
"""Deviation of the noise on memories, at most."""


def begun(batch: Batch, state: State, config: TrainConfig) -> State:
    """Streams that start here do so cold, from the truth, or from somebody else's picture."""
    draw = torch.rand(len(batch.start)).to(batch.start.device)
    cold = batch.start & (draw < config.cold)
    true = batch.start & (draw >= config.cold + config.foreign)
    found = select(true, _remembered(batch.before, state), state)
    return replace(found, valid=torch.where(cold, torch.zeros_like(found.valid), found.valid))


def _remembered(before: Tensor, state: State) -> State:
    """As if the true picture had been painted, at every size of `state`."""
    image, *fine = (
        before if x.shape == before.shape else F.interpolate(before, x.shape[-2:], mode="area")
        for x in (state.image, *state.fine)
    )
    zeros, ones = torch.zeros_like(state.features), torch.ones_like(state.valid)
    return State(image, zeros, ones, tuple(fine))


def disturbed(state: State, share: float) -> State:
    """Noise on a share of the memories that are trained: an hour-long stream must not drift."""
    which = torch.rand(len(state.valid)) < share
    strength = NOISE * torch.rand(len(state.valid)) * which

    def disturb(image: Tensor) -> Tensor:
        noise = strength[:, None, None, None] * torch.randn(image.shape)
        return (image + noise.to(image.device)).clamp(0, 1)

    if state.fine:
        return replace(state, fine=tuple(disturb(x) for x in state.fine))
    return replace(state, image=disturb(state.image))
