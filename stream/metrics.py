"""What a server did since it started, as Prometheus metrics: histograms of every hop, counters."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """One server's metrics; any thread may report to them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._hops = Histogram(
            "rotolive_hop_seconds",
            "Time that a frame spends in one hop",
            ["hop"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._latency = Histogram(
            "rotolive_latency_seconds",
            "Time from a frame's last packet in to its packets out",
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._frames = Counter(
            "rotolive_frames", "Frames that came in and went out", ["way"], registry=self._registry
        )

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge that is asked for its value when the metrics are read."""
        gauge = Gauge(f"rotolive_{name}", meaning, registry=self._registry)
        gauge.set_function(value)

    def came_in(self) -> None:
        """Count a frame."""
        self._frames.labels("in").inc()

    def went_out(self, total_ms: float, hops_ms: Mapping[str, float]) -> None:
        """Count a frame and how long it took."""
        self._frames.labels("out").inc()
        self._latency.observe(total_ms / 1e3)
        for hop, ms in hops_ms.items():
            self._hops.labels(hop).observe(ms / 1e3)

    def text(self) -> bytes:
        """Return all of them in the text format, version 0.0.4."""
        return generate_latest(self._registry)
