"""One run on several devices: a process on each, as `torchrun` starts them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from ..model.errors import InputError, TrainingStopped


@dataclass(frozen=True)
class World:
    """The processes of a run: how many, and which of them this is.

    Each steps streams of its own. What they learn is averaged by hand, as one flat tensor before an
    optimiser's step, and not by DistributedDataParallel: that pairs every forward pass with a
    backward pass, while here a roll-out is several forward passes before one backward pass, and
    critics take turns with the generator. As gradients are all that differs, weights and optimisers
    stay the same everywhere. Every method is called by all processes, in the same order; each
    raises TrainingStopped where another process has ended.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def share(self, *modules: nn.Module) -> None:
        """Give everybody the first's weights."""
        if self.size > 1:
            with _together():
                for module in modules:
                    for tensor in module.state_dict().values():
                        distributed.broadcast(tensor, 0)

    def average(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Average gradients in place, and return the mean of a loss []: no number if one is none.

        Where only some have a gradient (a critic of films that no stream is long enough for has
        none), it is the mean of theirs.
        """
        if self.size == 1:
            return loss
        trained = [p for p in parameters if p.requires_grad]
        there = loss.new_tensor([float(p.grad is not None) for p in trained])
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        whole = torch.cat([loss.detach().view(1), there, *(x.flatten() for x in found)])
        with _together():
            distributed.all_reduce(whole)
        total, counts, *sums = whole.split([1, len(trained), *(p.numel() for p in trained)])
        for p, own, count, summed in zip(trained, found, counts.tolist(), sums, strict=True):
            if count:
                p.grad = own.copy_((summed / count).view_as(own))
        return total[0] / self.size

    def gather(self, mine: Any) -> list[Any]:
        """What is each process's own, in the first; in the others nothing."""
        if self.size == 1:
            return [mine]
        found: list[Any] = [None] * self.size if self.first else []
        with _together():
            distributed.gather_object(mine, found or None)
        return found

    def decide(self, wish: bool) -> bool:
        """What the first wishes."""
        if self.size == 1:
            return wish
        wishes = torch.tensor([wish])
        with _together():
            distributed.broadcast(wishes, 0)
        return bool(wishes)


ALONE = World()


def pick_device(wanted: str | None) -> str:
    """Return the device of this process; raises InputError naming what this machine has."""
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    known = ["cpu", *(["cuda", *(gpus if beside == 1 else [])] if gpus else [])]
    wanted = wanted or ("cuda" if gpus else "cpu")
    if wanted not in known:
        raise InputError(f"no device {wanted!r} here: there is {', '.join(known)}")
    if wanted == "cuda" and beside > len(gpus):
        raise InputError(f"{beside} processes for {len(gpus)} GPUs; a GPU each is accepted")
    return gpus[int(os.environ.get("LOCAL_RANK", 0))] if wanted == "cuda" else wanted


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Meet the other processes that `torchrun` started; without it, be alone."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield ALONE
        return
    if device != "cpu":
        torch.cuda.set_device(device)
    distributed.init_process_group("gloo" if device == "cpu" else "cpu:gloo,cuda:nccl")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise TrainingStopped(
            "another process of this run has ended; it says why, and the last checkpoint is kept"
        ) from error
