"""How long each hop takes and how many frames come and go, over a sliding window."""

import threading
import time
from collections import deque
from collections.abc import Mapping

import numpy as np

from .metrics import Metrics

STAGES = ("receive", "decode", "wait", "condition", "step", "convert", "encode", "send")


class Window:
    """Values of the last `seconds`, at most `capacity` of them."""

    def __init__(self, seconds: float = 5.0, capacity: int = 1024) -> None:
        self._seconds = seconds
        self._values: deque[tuple[float, float]] = deque(maxlen=capacity)

    def add(self, value: float, now: float) -> None:
        self._values.append((now, value))

    def values(self, now: float) -> list[float]:
        while self._values and self._values[0][0] < now - self._seconds:
            self._values.popleft()
        return [value for _, value in self._values]

    def rate(self, now: float) -> float:
        """Return events per second, from the first to the last in the window."""
        count = len(self.values(now))
        if count < 2:
            return 0.0
        span = max(self._values[-1][0] - self._values[0][0], now - self._values[-1][0])
        return (count - 1) / span if span > 0 else 0.0


def stage_times(captured_ns: int, marks: Mapping[str, int]) -> dict[str, float]:
    """Split the way of one frame into stages [ms]; marks as sessions and tracks leave them."""
    began = marks.get("began", captured_ns)
    decoded = marks.get("decoded", captured_ns)
    picked = marks.get("picked", decoded)
    conditioned = marks.get("conditioned", picked)
    stepping = marks.get("stepping", conditioned)
    stepped = marks.get("stepped", stepping)
    taken = marks.get("taken", stepped)
    converted = marks.get("converted", taken)
    encoded = marks.get("encoded", converted)
    times = {
        "receive": captured_ns - began,
        "decode": decoded - captured_ns,
        "wait": (picked - decoded) + (stepping - conditioned) + (taken - stepped),
        "condition": conditioned - picked,
        "step": stepped - stepping,
        "convert": converted - taken,
        "encode": encoded - converted,
        "send": marks.get("sent", encoded) - encoded,
    }
    return {stage: ns / 1e6 for stage, ns in times.items()}


class Stats:
    """One session's counters; any thread may report to it.

    metrics: the server's, told of everything too.
    """

    def __init__(self, metrics: Metrics | None = None, window_s: float = 5.0) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._total = Window(window_s)
        self._incoming = Window(window_s)
        self._stages = {stage: Window(window_s) for stage in STAGES}
        self.last_in = time.monotonic()
        self.frames_in = 0
        self.frames_out = 0

    def came_in(self, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        with self._lock:
            self.last_in = now
            self.frames_in += 1
            self._incoming.add(0.0, now)
        if self._metrics:
            self._metrics.came_in()

    def went_out(self, captured_ns: int, marks: Mapping[str, int]) -> None:
        """Count a frame that left at marks["sent"] [ns]."""
        sent = marks["sent"]
        total, stages = (sent - captured_ns) / 1e6, stage_times(captured_ns, marks)
        with self._lock:
            self.frames_out += 1
            self._total.add(total, sent / 1e9)
            for stage, value in stages.items():
                self._stages[stage].add(value, sent / 1e9)
        if self._metrics:
            self._metrics.went_out(total, stages)

    def report(self, now: float | None = None) -> dict[str, float | dict[str, dict[str, float]]]:
        """Return fps, in_fps, p50_ms, p95_ms and the stages' p50 and p95."""
        now = time.monotonic() if now is None else now
        with self._lock:
            p50, p95 = percentiles(self._total.values(now))
            stages = {
                name: percentiles(window.values(now)) for name, window in self._stages.items()
            }
            return {
                "fps": round(self._total.rate(now), 2),
                "in_fps": round(self._incoming.rate(now), 2),
                "p50_ms": p50,
                "p95_ms": p95,
                "stages": {name: {"p50": a, "p95": b} for name, (a, b) in stages.items()},
            }


def percentiles(values: list[float]) -> tuple[float, float]:
    """Return the 50th and 95th percentile, 0 when there is nothing."""
    if not values:
        return 0.0, 0.0
    p50, p95 = np.percentile(values, (50, 95))
    return round(float(p50), 2), round(float(p95), 2)
