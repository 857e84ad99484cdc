"""Whether this machine can encode what it paints, and at which size it can."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 2.0
FEWEST = 10
"""Pictures that are looked at together at least."""
PAUSE_S = 1.0
"""Who has rested for longer starts to count anew."""
TOO_MUCH, ENOUGH = 0.95, 0.6
"""Of the time that there is: from where on the size is halved, up to where it may be doubled."""
PATIENCE_S, MOST_PATIENCE_S = 5.0, 160.0
LEAST_SIDE = 180
"""Pixels; nothing is made smaller than this."""
AREA = 4
"""Twice the size takes this many times as long."""


class Load:
    """Halves the size of what is encoded when that takes longer than pictures take to come.

    A smaller picture at the full rate follows a body better than every second large one, and is
    there earlier. The size is doubled again when that is expected to fit; each time it did not,
    it takes twice as long until the next try.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.halvings = 0
        self._clock = clock
        self._pictures: deque[tuple[float, float, int]] = deque()
        self._patience = PATIENCE_S
        self._changed = self._doubled = float("-inf")

    def took(self, busy_s: float, offered: int, size: tuple[int, int]) -> None:
        """Note a picture: how long it took, how many have come so far, width and height."""
        now = self._clock()
        if self._pictures and now - self._pictures[-1][0] > PAUSE_S + busy_s:
            self._pictures.clear()
        self._pictures.append((now, busy_s, offered))
        while len(self._pictures) > FEWEST and now - self._pictures[1][0] >= WINDOW_S:
            self._pictures.popleft()
        demand = self._demand()
        if demand is None:
            return
        if demand > TOO_MUCH and smallest(size) > self.halvings:
            if now - self._doubled < 2 * self._patience:
                self._patience = min(MOST_PATIENCE_S, 2 * self._patience)
            self._change(1, now)
        elif self.halvings and demand * AREA < ENOUGH and now - self._changed > self._patience:
            self._doubled = now
            self._change(-1, now)

    def _demand(self) -> float | None:
        """Return the seconds that encoding every picture would take in a second."""
        (start, _, before), (end, _, after) = self._pictures[0], self._pictures[-1]
        if len(self._pictures) < FEWEST or end - start < WINDOW_S:
            return None
        busy = sum(busy for _, busy, _ in self._pictures) / len(self._pictures)
        return busy * (after - before) / (end - start)

    def _change(self, by: int, now: float) -> None:
        self.halvings += by
        self._changed = now
        self._pictures.clear()


def smallest(size: tuple[int, int]) -> int:
    """Return how many times a size may be halved."""
    halvings = 0
    while min(size) >> (halvings + 1) >= LEAST_SIDE:
        halvings += 1
    return halvings


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Return a size halved, even as 4:2:0 wants it, and no smaller than may be."""
    times = min(times, smallest(size))
    width, height = size
    return (width >> times & ~1, height >> times & ~1) if times else size
