"""How much of the bitrate a viewer's connection carries, by what its receiver estimates."""

import math
import time
from collections.abc import Callable

from ..stats import Window

RUNGS = 4
"""Each at half the bitrate of the one above it; the last at half the size, too."""
FALL = 0.97
"""An estimate lower than this share of the last one has fallen: queues grew on the way."""
TIGHT = 0.9
"""An estimate below this share of what is sent says that it is too much."""
TIGHT_S = 2.0
DECREASE = 0.85
"""Of what came through, a receiver's estimate after it saw queues grow."""
PATIENCE_S, MOST_PATIENCE_S = 5.0, 120.0
WINDOW_S = 2.0


class Reach:
    """The rung that a connection holds, from estimates of its receiver (REMB).

    Receivers lower their estimate when delay grows, and never far above what they get
    (draft-ietf-rmcat-gcc, 5.5). So one that lies below what is sent counts only after a
    fall, and if it stays there: a still scene that begins to move is not a bad connection. How
    much the rung above would carry is found by trying, after twice as long each time it failed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rung = 0
        self._clock = clock
        self._sent = Window(WINDOW_S, capacity=1024)
        self._last = math.inf
        self._tight_since: float | None = None
        self._patience = PATIENCE_S
        self._began = self._changed = clock()
        self._climbed = float("-inf")

    def sent(self, size: int) -> None:
        """Note the bytes of a picture that went out."""
        self._sent.add(8.0 * size, self._clock())

    def heard(self, estimate: float) -> None:
        """Take an estimate in bits per second."""
        now = self._clock()
        fell, self._last = estimate < FALL * self._last, estimate
        sent = sum(self._sent.values(now)) / max(0.5, min(WINDOW_S, now - self._began))
        if estimate >= TIGHT * sent:
            self._tight_since = None
            self._climb(now)
        elif self._tight_since is None:
            self._tight_since = now if fell else None
        elif now - self._tight_since >= TIGHT_S:
            carried = max(estimate, 1.0) / DECREASE
            self._descend(math.ceil(math.log2(sent / carried)), now)

    def _descend(self, steps: int, now: float) -> None:
        if now - self._climbed < 2 * self._patience:
            self._patience = min(MOST_PATIENCE_S, 2 * self._patience)
        self._tight_since = now
        self._move(min(RUNGS - 1, self.rung + max(1, steps)), now)

    def _climb(self, now: float) -> None:
        if self.rung and now - self._changed > self._patience:
            self._climbed = now
            self._move(self.rung - 1, now)

    def _move(self, rung: int, now: float) -> None:
        self.rung, self._changed = rung, now
