"""Measures the door for engines: labels and motion sent to the painted picture received."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..stream.bench import free_port, resident_mb, serving
from .client import Client
from .engine import play

HD, SMALL = (1280, 720), (512, 256)
CLASSES = ("void", "road", "building", "vegetation", "sky", "car")
START_S = 60.0
WARM_UP_S = 1.0
PACED_FPS = 60.0
FLAT_OUT_FPS = 1000.0
SHARES = {"ipc": 0.2, "fastest": 0.1, "overload": 0.2, "tcp": 0.1, "small": 0.1, "street": 0.3}
"""Of the time there is."""
SLOW_FPS = 20.0
OVERLOAD_FPS = 100.0
RECORDED, RECORDED_FPS = 60, 30.0
Result = dict[str, float | int | str]
Planes = dict[str, Any]


@dataclass
class _Seen:
    """Of a run: round trips and time at the server [ms], cost of sending [ms], seconds it took."""

    trips: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> Result:
        p50, p95 = _percentiles(self.trips)
        return {
            "fps": round(len(self.trips) / self.seconds, 1),
            "p50_ms": p50,
            "p95_ms": p95,
            "server_p50_ms": _percentiles(self.server)[0],
            "client_ms": _percentiles(self.costs)[0],
        }


def bench_engine(seconds: float = 30.0) -> Result:
    """Send label (u8) and motion (f16) planes to a server of its own for about `seconds`.

    The model is the palette, so that only the door is measured. At 1280x720 over ipc: fps, p50_ms
    and p95_ms of round trips at 60 fps; fastest_fps: as fast as pictures come back. overload_*: to
    a model that paints a fifth of what is sent. tcp_*: as ipc. small_*: 512x256. client_ms: of the
    caller's thread, for each frame. street_*: recorded planes of the city through the bundled
    model, as fast as they come back; street_with_engine_fps: with the city rendered beside it.
    """
    started = time.monotonic()
    lasting = {part: max(1.0, share * (seconds - 12)) for part, share in SHARES.items()}
    figures: Result = {"model": "palette", "size": "x".join(map(str, HD))}
    with _served(HD) as (address, _):
        figures |= _run(address, HD, PACED_FPS, lasting["ipc"]).figures()
        figures["fastest_fps"] = _run(address, HD, FLAT_OUT_FPS, lasting["fastest"]).figures()[
            "fps"
        ]
    figures |= _overload(lasting["overload"])
    with _served(HD, tcp=True) as (address, _):
        figures |= _named("tcp", _run(address, HD, PACED_FPS, lasting["tcp"]))
    with _served(SMALL) as (address, _):
        figures |= _named("small", _run(address, SMALL, PACED_FPS, lasting["small"]))
    figures |= _street(lasting["street"])
    return {"seconds": round(time.monotonic() - started, 1), **figures}


def _street(seconds: float) -> Result:
    """Nothing without Panda3D, which draws the city."""
    try:
        from .panda3d.engine import PandaCity
    except ImportError:
        return {}
    with (
        contextlib.closing(PandaCity()) as city,
        _served(city.size, model="street") as (address, _),
    ):
        recorded = [dict(city.step(1 / RECORDED_FPS).planes) for _ in range(RECORDED)]
        with _connected(address, city.size, city.classes, recorded) as client:
            figures = _named("street", _stream(client, recorded, FLAT_OUT_FPS, seconds / 2))
            began, seen = time.monotonic(), set[int]()
            for _, painted in play(city, client, fps=RECORDED_FPS, seconds=seconds / 2):
                seen |= {painted.seq} if painted else set()
            elapsed = time.monotonic() - began
    return {**figures, "street_with_engine_fps": round(len(seen) / elapsed, 1)}


def _named(part: str, seen: _Seen) -> Result:
    return {f"{part}_{key}": value for key, value in seen.figures().items()}


def _overload(seconds: float) -> Result:
    """Send five times what is painted: the age of what comes back must not grow."""
    frames = _frames(HD)
    with (
        _served(HD, fps=SLOW_FPS) as (address, pid),
        _connected(address, HD, CLASSES, frames) as client,
    ):
        memory = resident_mb(pid)
        seen = _stream(client, frames, OVERLOAD_FPS, seconds)
        skipped = client.stats["overwritten"] + client.stats["skipped"]
        grown = resident_mb(pid) - memory
    quarter = max(1, len(seen.trips) // 4)
    return {
        "overload_in_fps": round(len(seen.costs) / seen.seconds, 1),
        "overload_fps": round(len(seen.trips) / seen.seconds, 1),
        "overload_skipped": skipped,
        "overload_p50_first_ms": _percentiles(seen.trips[:quarter])[0],
        "overload_p50_last_ms": _percentiles(seen.trips[-quarter:])[0],
        "overload_rss_growth_mb": round(grown, 1),
    }


def _run(address: str, size: tuple[int, int], fps: float, seconds: float) -> _Seen:
    frames = _frames(size)
    with _connected(address, size, CLASSES, frames) as client:
        return _stream(client, frames, fps, seconds)


@contextlib.contextmanager
def _connected(
    address: str, size: tuple[int, int], classes: Sequence[str], frames: Sequence[Planes]
) -> Iterator[Client]:
    with Client(address, classes, size=size) as client:
        client.wait(START_S)
        _stream(client, frames, PACED_FPS, WARM_UP_S)
        yield client


def _stream(client: Client, frames: Sequence[Planes], fps: float, seconds: float) -> _Seen:
    """Send at a steady rate, or when a picture is back where that is slower."""
    seen = _Seen()
    start = time.perf_counter()
    number = 0
    while (now := time.perf_counter() - start) < seconds:
        due = number / fps
        picture = client.receive(max(0.0, min(due - now, 0.1)))
        if picture:
            seen.trips.append(picture.round_trip_ms)
            seen.server.append(picture.server_ms)
        if time.perf_counter() - start >= due:
            began = time.perf_counter()
            client.send(**frames[number % len(frames)])
            seen.costs.append((time.perf_counter() - began) * 1e3)
            number += 1
    seen.seconds = time.perf_counter() - start
    return seen


def _frames(size: tuple[int, int]) -> list[Planes]:
    width, height = size
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, len(CLASSES), (4, height // 16, width // 16)).astype(np.uint8)
    labels = blocks.repeat(16, 1).repeat(16, 2)
    motion = rng.normal(0, 4, (2, height, width)).astype(np.float16)
    return [{"label": label, "motion": motion} for label in labels]


@contextlib.contextmanager
def _served(
    size: tuple[int, int],
    *,
    model: str = "palette",
    tcp: bool = False,
    fps: float | None = None,
) -> Iterator[tuple[str, int]]:
    """Run a server while the block runs; gives its address and process id.

    size, fps: of the palette's pictures; other models have their own.
    """
    with tempfile.TemporaryDirectory() as folder:
        address = f"tcp://127.0.0.1:{free_port()}" if tcp else f"ipc://{folder}/engine"
        command = [sys.executable, "-m", "rotolive.web.serve", "--model", model]
        command += ["--size", "x".join(map(str, size)), "--engine", address]
        command += ["--fps", str(fps)] if fps else []
        with serving(lambda port: [*command, "--port", str(port)]) as (process, _):
            yield address, process.pid


def _percentiles(values: list[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(values or [0.0], (50, 95))
    return round(float(p50), 2), round(float(p95), 2)
