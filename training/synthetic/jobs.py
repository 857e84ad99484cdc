"""Clips made one after the other, or side by side in processes of their own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from rich.console import Console
from rich.progress import Progress


def run_jobs(
    make: Callable[..., None], jobs: Sequence[tuple[object, ...]], total: int, workers: int
) -> None:
    """Call make(*job) for each job, and show how many of `total` clips are there."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("clips", total=total, completed=total - len(jobs))
        if workers <= 1:
            for job in jobs:
                make(*job)
                progress.advance(task)
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(make, *job) for job in jobs]
            for future in as_completed(futures):
                future.result()
                progress.advance(task)
