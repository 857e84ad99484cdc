"""What all kinds of preparing share: notes on disk, numbers of styles, work side by side."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from ...model.errors import InputError

Done = TypeVar("Done")
Moment = TypeVar("Moment")
Report = Callable[[float], None]
"""Is told the share that is done."""


def read_notes(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises InputError for a damaged one."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def write_notes(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON object; the file appears whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values, indent=1) + "\n")
    part.replace(path)


def number_styles(out: Path, names: list[str]) -> dict[str, int]:
    """Number the styles, those of clips that are there first."""
    known: dict[str, int] = {}
    for path in out.rglob("clip.json"):
        about = read_notes(path)
        known[about["name"]] = about["style"]
    for name in names:
        free = next(i for i in range(len(known) + 1) if i not in known.values())
        known.setdefault(name, free)
    return known


class Stretch(list[Moment]):
    """Good frames in a row, which become a clip if they are not too few."""

    def __init__(self, fewest: int, skip: Callable[[Sequence[Moment]], None]) -> None:
        """skip: told those that are too few."""
        super().__init__()
        self._fewest, self._skip = fewest, skip

    def end(self) -> Iterator[list[Moment]]:
        """Yield them, and begin anew."""
        if len(self) >= self._fewest:
            yield list(self)
        elif self:
            self._skip(self)
        self.clear()


def clear_left_over(out: Path, stem: str) -> None:
    """Remove the clips of a source that was not finished."""
    for left_over in out.glob(f"{stem}-[0-9][0-9][0-9]"):
        shutil.rmtree(left_over)


def file_name(name: str) -> str:
    """Return a name that files and folders can have."""
    return re.sub(r"[^\w.-]+", "_", name)


def work(
    make: Callable[..., Done], jobs: Sequence[Any], workers: int, report: Report
) -> Iterator[Done]:
    """Yield make(job, its own report) of each job, one by one; or make(job), side by side."""
    if workers <= 1 or len(jobs) <= 1:
        for i, job in enumerate(jobs):
            yield make(job, lambda share, i=i: report((i + share) / len(jobs)))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for i, done in enumerate(as_completed([pool.submit(make, job) for job in jobs])):
            yield done.result()
            report((i + 1) / len(jobs))
