"""How often one client may ask for a connection."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .requests import Refused

BURST = 50.0
OFFERS_A_SECOND = 5.0
MAX_CLIENTS = 4096
"""Remembered at a time; the one that asked longest ago is forgotten first."""


@dataclass
class _Bucket:
    tokens: float
    at: float


class OfferLimit:
    """A token bucket per client address; use it from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str | None, _Bucket] = OrderedDict()

    def check(self, client: str | None) -> None:
        """Count an offer. Raises Refused with 429 and when to come again."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(BURST, now)
        self._buckets[client] = bucket
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) * OFFERS_A_SECOND)
        bucket.at = now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / OFFERS_A_SECOND)
            sentence = f"too many offers; {OFFERS_A_SECOND:g} a second are taken from one address"
            raise Refused(429, sentence, {"Retry-After": str(wait)})
        bucket.tokens -= 1
