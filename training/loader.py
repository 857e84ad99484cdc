"""Batches made ahead, by processes of their own, in an order that does not depend on how many."""

import multiprocessing
import os
import shutil
import signal
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ..model.errors import InputError, RotoliveError
from .streams import Batch, Plan, Streams

AHEAD = 2
"""Batches that each worker has ready at most."""
MOST = 4
"""Workers beside a GPU, unless told."""
SHARED, ROOM = Path("/dev/shm"), 2**29
"""Where workers leave their batches, and the bytes that must be free there."""


def suitable_workers(device: str) -> int:
    """How many processes load beside training on `device`; none where they cannot share memory."""
    if not _can_fork() or (SHARED.is_dir() and shutil.disk_usage(SHARED).free < ROOM):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return max(1, min(MOST, cores // beside)) if device.startswith("cuda") else 1


def _can_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods()


def is_lost(error: RuntimeError) -> bool:
    """Whether PyTorch says that a worker died; it says so at any time, from a signal's handler."""
    return str(error).startswith("DataLoader worker")


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C is for the process that trains, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Made(Dataset[Batch | Exception]):
    """Batches by their plans; an error is handed over as it is, sentence and all."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams

    def __getitem__(self, plan: Plan) -> Batch | Exception:
        try:
            return self.streams.make(plan)
        except (RotoliveError, OSError) as error:
            return error


class Loader:
    """The batches of `streams`, in turn.

    Plans are drawn here, in order, and made by the workers (processes, as what they do is mostly
    Python and would hold up a thread that launches kernels); so batches are the same for any number
    of them, and no more than AHEAD times as many wait. Without workers each is made when it is
    asked for. Raises InputError where this system has no workers.
    """

    def __init__(self, streams: Streams, workers: int = 0, *, pinned: bool = False) -> None:
        """pinned: hand over memory that a GPU fetches from by itself."""
        if workers and not _can_fork():
            raise InputError(f"--workers is {workers}; this system cannot fork, 0 is accepted")
        self.streams, self._workers, self._pinned = streams, workers, pinned
        self._planned: deque[dict[str, object]] = deque()
        self._taken: dict[str, object] = {}
        self._batches: Iterator[Batch | Exception] | None = None

    def next(self) -> Batch:
        """Take the next batch. Raises what its clips raise; see `is_lost` for workers that die."""
        if self._batches is None:
            self._batches = self._begin()
        found = next(self._batches)
        self._taken = self._planned.popleft()
        if isinstance(found, Exception):
            raise found
        return found

    def state_dict(self) -> dict[str, object]:
        """Where the streams are whose batches were taken, whatever was made ahead."""
        return self._taken if self._batches is not None else self.streams.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where `state_dict` left off; what was made ahead is dropped."""
        self.close()
        self.streams.load_state_dict(state)

    def close(self) -> None:
        """End the workers; the streams go on from the batch taken last."""
        if self._batches is not None:
            self._batches = None
            self._planned.clear()
            self.streams.load_state_dict(self._taken)

    def _begin(self) -> Iterator[Batch | Exception]:
        several: dict[str, Any] = {}
        if self._workers:
            several = {
                "multiprocessing_context": "fork",
                "prefetch_factor": AHEAD,
                "worker_init_fn": _leave_interrupts,
            }
        self._taken = self.streams.state_dict()
        return iter(
            DataLoader(
                _Made(self.streams),
                batch_size=None,
                sampler=self._plans(),
                num_workers=self._workers,
                pin_memory=self._pinned,
                generator=torch.Generator(),  # or it draws a number of everybody's
                **several,
            )
        )

    def _plans(self) -> Iterator[Plan]:
        while True:
            plan = self.streams.plan()
            self._planned.append(self.streams.state_dict())
            yield plan
