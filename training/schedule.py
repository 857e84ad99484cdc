"""What changes in the course of a run."""

import math

from .config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Warm up, then fall to a tenth along a half cosine."""
    fall = 0.1 + 0.45 * (1 + math.cos(math.pi * min(step / config.steps, 1)))
    return config.rate * min(1, (step + 1) / config.warm_up) * fall


def rollout(config: TrainConfig, step: int) -> int:
    """Frames that are back-propagated through: one at first, then twice as many at equal intervals.

    After Wang et al. 2018, who double the length of what they train on every few epochs.
    """
    doublings = math.ceil(math.log2(config.rollout))
    rest = 1 - config.rollout_from
    shares = [config.rollout_from + k * rest / doublings for k in range(doublings)]
    passed = sum(step / config.steps >= share for share in shares)
    return min(2**passed, config.rollout)


def critics_join(config: TrainConfig, step: int) -> bool:
    """Whether the critics have a say."""
    return step / config.steps >= config.adversarial_from and config.weights.adversarial > 0
