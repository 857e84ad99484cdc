"""Processes that train together, for tests: in a module of its own, as they import it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rotolive.model.errors import InputError, TrainingStopped
from rotolive.training.config import LossWeights, TrainConfig, smoke
from rotolive.training.data import open_data
from rotolive.training.distributed import World, joined
from rotolive.training.label_clips import LabelClip
from rotolive.training.loop import Trainer
from rotolive.training.run import train
from rotolive.training.streams import Plan, Streams

PLAIN = LossWeights(perceptual=0, flow=0)
"""Terms that are means over the streams, so that means of means are means."""


def config(**changes: object) -> TrainConfig:
    setting = replace(smoke(), crop=48, threads=1, weights=PLAIN, adversarial_from=0.0, rollout=1)
    return replace(setting, **changes)  # type: ignore[arg-type]


EVEN = config(noise=0.0, cold=1.0, without=("successions",))
"""Nothing drawn by chance but the streams."""


class Joined(Streams):
    """The streams of several processes, one after another."""

    def __init__(self, several: Sequence[Streams], config: TrainConfig) -> None:
        super().__init__(several[0].clips, several[0].styles, config)
        self.several = several

    def plan(self) -> Plan:
        plans = [streams.plan() for streams in self.several]
        return Plan(sum((p.places for p in plans), ()), sum((p.starts for p in plans), ()))


def learnt(trainer: Trainer) -> dict[str, Any]:
    """Gradients and weights after a step, of generator and critics."""
    assert len(list(trainer.run(2))) == 2
    return {
        "generator": gradient(trainer.generator),
        "critics": gradient(trainer.critics),
        "weights": torch.cat([p.detach().flatten() for p in trainer.generator.parameters()]),
    }


def gradient(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


def process(rank: int, port: int, data: Path, out: Path) -> None:
    """One of two: what each of the tests looks at."""
    about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", **{key: str(value) for key, value in about.items()}}
    found = open_data(data)
    with joined("cpu") as world:
        assert world == World(rank, 2)
        streams = Streams(found.clips, 2, replace(EVEN, seed=rank))
        torch.save(learnt(Trainer(EVEN, streams, found.domain, world)), out / f"learnt{rank}.pt")

        torch.save(mean(world), out / f"mean{rank}.pt")
        setting = config(steps=4, save_every=2)
        train(data, out / "whole", setting, world=world)
        for _ in range(2):
            train(data, out / "parts", setting, world=world, minutes=1e-9)
        train(data, out / "parts", setting, world=world)
    os.environ["MASTER_PORT"] = str(port + 1)
    with joined("cpu") as world:
        if rank:
            LabelClip.moment = refuse  # type: ignore[method-assign, assignment]
        try:
            train(data, out / "failing", setting, world=world)
        except (InputError, TrainingStopped) as error:
            (out / f"said{rank}").write_text(str(error))


def mean(world: World) -> list[Any]:
    """Of 1 and 2 for all, of 2 for one, of nothing for nobody; and of a loss of 2 and 4."""
    everybodys, someones, nobodys = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    everybodys.grad = torch.full((2,), 1.0 + world.rank)
    someones.grad = torch.full((2,), 2.0) if world.rank else None
    loss = world.average([everybodys, someones, nobodys], torch.tensor(2.0 + 2 * world.rank))
    grads = [p.grad for p in (everybodys, someones, nobodys)]
    return [*(None if grad is None else grad.tolist() for grad in grads), float(loss)]


def refuse(*_: object) -> None:
    raise InputError("the clip has burnt")
