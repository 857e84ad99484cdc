"""Checkpoints on disk."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..model.errors import InputError, TrainingStopped


def write(path: Path, contents: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all. Raises TrainingStopped where it does not fit."""
    part = path.with_suffix(".part")
    try:
        torch.save(contents, part)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise TrainingStopped(f"{path} cannot be written, what it held is kept: {error}") from error
    part.replace(path)


@contextmanager
def opened(path: Path, device: torch.device) -> Iterator[dict[str, Any]]:
    """What `write` wrote, to be taken over. Raises InputError where it does not fit."""
    try:
        yield torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path} is damaged, or of a run with other settings or data; choose another folder"
        ) from error
