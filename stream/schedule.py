"""Whose turn it is when there are more sessions than can be painted at once."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
J = TypeVar("J")


class Rotation(Generic[T]):
    """A set that takes turns: first whose last turn is longest ago. Threads need a lock around it.

    So all who always have something to do get the same share, who seldom does is served at once,
    and nobody is overtaken twice by the same one. When a frame came does not matter: a newer one
    may have replaced it, and who sends the most would wait the longest, or the shortest.
    """

    def __init__(self) -> None:
        self._order: dict[T, None] = {}

    def __contains__(self, who: T) -> bool:
        return who in self._order

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._order))

    def add(self, who: T) -> None:
        """Come in, at the end: to leave and come again gains nothing."""
        self._order[who] = None

    def remove(self, who: T) -> None:
        """Leave. Raises KeyError when not in."""
        del self._order[who]

    def take(self, most: int, job_of: Callable[[T], J | None]) -> list[tuple[T, J]]:
        """Give a turn to at most `most` of those who have a job, and return them with it."""
        turns: list[tuple[T, J]] = []
        for who in self:
            if len(turns) == most:
                break
            job = job_of(who)
            if job is not None:
                turns.append((who, job))
                self.remove(who)
                self.add(who)
        return turns
