"""Measures the live path end to end: camera frame sent to painted frame received, over WebRTC."""

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from ..model.errors import InputError
from .lag import LONGEST_S, follow, motion_lag
from .sources import moving_texture, read_clip
from .webrtc.client import Camera, Client, OnFrame
from .webrtc.ice import allow_loopback

WARM_UP_S = 3.0
WATCHED_S = 4.0
"""How much of the end of a run is looked at for the lag."""
Result = dict[str, float | int | str]


@dataclass
class Timeline:
    """Arrivals [s] and latencies [ms] of the frames whose number could be read."""

    camera: Camera
    on_frame: OnFrame | None = None
    arrivals: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    unread: int = 0

    def arrived(self, number: int, now: float, picture: av.VideoFrame) -> None:
        """Note one returned picture."""
        sent = self.camera.sent.get(number)
        if sent is None:
            self.unread += 1
        else:
            self.arrivals.append(now)
            self.latencies.append((now - sent) * 1e3)
        if self.on_frame:
            self.on_frame(number, now, picture)

    def since(self, start: float) -> NDArray[np.float64]:
        """Return latencies [ms] of what arrived since `start`."""
        skip = sum(arrival < start for arrival in self.arrivals)
        return np.asarray(self.latencies[skip:], np.float64)

    async def first(self, timeout: float = 60.0) -> None:
        """Wait for the first picture. Raises InputError when none comes within `timeout` s."""
        deadline = time.monotonic() + timeout
        while not self.latencies:
            if time.monotonic() > deadline:
                raise InputError(f"no picture came back within {timeout:.0f} s")
            await asyncio.sleep(0.05)


@dataclass
class Collector:
    """An `on_frame` that keeps the last (number, arrival time [s], rgb uint8 [size, size, 3])."""

    size: int = 64
    last: int | None = None

    def __post_init__(self) -> None:
        self.frames: deque[tuple[int, float, NDArray[np.uint8]]] = deque(maxlen=self.last)

    def __call__(self, number: int, now: float, picture: av.VideoFrame) -> None:
        small = picture.to_ndarray(format="rgb24", width=self.size, height=self.size)
        self.frames.append((number, now, small.astype(np.uint8, copy=False)))


def bench_live(
    model_name: str = "identity",
    seconds: float = 20.0,
    runtime: str = "auto",
    stock: bool = False,
    camera: Camera | None = None,
    on_frame: OnFrame | None = None,
) -> Result:
    """Serve a model in a child process and stream 640x480 at 30 fps through it.

    stock: a plain aiortc echo instead of the model. camera: sent in place of a test pattern.
    on_frame: gets number, arrival time [s] and picture of each frame that comes back.
    """
    camera = camera or Camera(moving_texture())
    command = stock_command if stock else server_command(model_name, runtime)
    with serving(command) as (process, url):
        result = asyncio.run(measure(url, camera, seconds, on_frame, plain=stock))
        result["server_rss_mb"] = resident_mb(process.pid)
    return {"model": "stock echo" if stock else model_name, "seconds": seconds, **result}


def bench_dance(model_name: str, seconds: float, runtime: str, video: str | Path) -> dict[str, Any]:
    """Measure a model that follows a pose: as `bench_live`, and how late the dancer moves.

    video: somebody who moves, sent back and forth. motion_lag_ms: from a movement sent to the
    same movement returned; None when nobody is seen to move.
    """
    clip = read_clip(video)
    camera = Camera(itertools.cycle(clip))
    returned = Collector(size=256, last=int(30 * WATCHED_S))
    result = bench_live(model_name, seconds, runtime, camera=camera, on_frame=returned)
    sent = [(at, clip[(number - 1) % len(clip)]) for number, at in camera.sent.items()]
    shots = [(at, rgb) for _, at, rgb in returned.frames]
    shots = [shot for shot in shots if shot[0] > shots[-1][0] - WATCHED_S]
    window = (shots[0][0] - 2 * LONGEST_S, shots[-1][0])
    lag = motion_lag(follow([s for s in sent if window[0] < s[0] < window[1]]), follow(shots))
    return {
        **result,
        "motion_lag_ms": None if lag.ms is None else round(lag.ms, 1),
        "motion_correlation": None if lag.correlation is None else round(lag.correlation, 3),
        "motion_tracks": lag.tracks,
    }


def bench_echo(seconds: float = 12.0) -> Result:
    """Compare the identity model with a plain aiortc echo, one after the other."""
    stock = bench_live(seconds=seconds, stock=True)
    result = bench_live("identity", seconds)
    stock_p50, p50 = float(stock["p50_ms"]), float(result["p50_ms"])
    return {
        **result,
        "stock_p50_ms": stock_p50,
        "stock_p95_ms": stock["p95_ms"],
        "stock_fps": stock["fps"],
        "ratio": round(stock_p50 / p50, 2) if p50 else 0.0,
    }


async def measure(
    url: str,
    camera: Camera,
    seconds: float,
    on_frame: OnFrame | None = None,
    *,
    plain: bool = False,
) -> Result:
    """Stream through the server at `url` for `seconds`, once it has warmed up.

    server_p50_ms and the stages are the server's own account of its last seconds, from a frame's
    last packet in to the packets out; p50_ms less that is the client's encoder and decoder.
    """
    allow_loopback(only=True)
    timeline = Timeline(camera, on_frame)
    client = Client(url, camera, timeline.arrived, plain=plain)
    try:
        await client.connect(mirror=False)
        await timeline.first()
        await asyncio.sleep(WARM_UP_S)
        dropped = 0 if plain else int((await client.stats())["dropped"])
        start, sent = time.perf_counter(), len(camera.sent)
        await asyncio.sleep(seconds)
        elapsed, sent = time.perf_counter() - start, len(camera.sent) - sent
        report = {} if plain else await client.stats()
    finally:
        await client.close()
    result = summarize(timeline.since(start), elapsed)
    result["in_fps"] = round(sent / elapsed, 2)
    result["unread"] = timeline.unread
    result["dropped"] = int(report.get("dropped", 0)) - dropped
    result["runtime"] = str(report.get("runtime", "none"))
    if report:
        result["server_p50_ms"] = report["p50_ms"]
    for stage, times in report.get("stages", {}).items():
        result[f"{stage}_p50_ms"] = times["p50"]
    return result


def summarize(latencies: NDArray[np.float64], elapsed: float) -> Result:
    """Reduce latencies [ms]; growth: the last quarter's median less the first quarter's."""
    if not latencies.size:
        raise InputError("no picture with a readable number came back")
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    quarter = max(1, latencies.size // 4)
    growth = np.median(latencies[-quarter:]) - np.median(latencies[:quarter])
    return {
        "fps": round(latencies.size / elapsed, 2),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "growth_ms": round(float(growth), 2),
    }


def server_command(model: str, runtime: str = "auto", *more: str) -> Callable[[int], list[str]]:
    """Return what makes the command of a server on a port; more: further options."""

    def command(port: int) -> list[str]:
        options = ["--model", model, "--runtime", runtime, "--port", str(port), "--marker", *more]
        return [sys.executable, "-m", "rotolive.web.serve", *options]

    return command


def stock_command(port: int) -> list[str]:
    """Return the command of a plain aiortc echo on a port."""
    return [sys.executable, "-m", "rotolive.stream.webrtc.stock", "--port", str(port)]


@contextlib.contextmanager
def serving(command: Callable[[int], list[str]]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server on a free port of the loopback interface while the block runs."""
    port = free_port()
    process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL)
    try:
        _wait_for_port(process, port)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(process: subprocess.Popen[bytes], port: int, timeout: float = 120.0) -> None:
    for _ in itertools.takewhile(_before(timeout), itertools.count()):
        if process.poll() is not None:
            raise InputError(f"the server ended with code {process.returncode}; see its output")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.1)
    raise InputError(f"the server did not start within {timeout:.0f} s")


def _before(timeout: float) -> Callable[[object], bool]:
    deadline = time.monotonic() + timeout
    return lambda _: time.monotonic() < deadline


def resident_mb(pid: int) -> float:
    """Return a process's resident memory in MiB, 0 where /proc does not tell."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return round(next(int(x.split()[1]) for x in lines if x.startswith("VmRSS")) / 1024, 1)
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Return a process's CPU time so far (user and system, all threads; proc(5)) in seconds.

    0 where /proc does not tell.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
