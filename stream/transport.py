"""The house without a generator: latency, high definition, viewers, loss, and how long it lasts."""

import asyncio
import contextlib
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from aioice import ice
from aioice.stun import Message
from numpy.typing import NDArray

from .bench import (
    WARM_UP_S,
    Result,
    Timeline,
    measure,
    resident_mb,
    server_command,
    serving,
    stock_command,
)
from .sources import moving_texture
from .stats import STAGES
from .viewers import SIZE, bench_viewers
from .webrtc.client import Camera, Client, request_json
from .webrtc.ice import allow_loopback

SOAK_FROM_S = 120.0
"""A longer run has the parts of SOAK too."""
PARTS = {"identity": 8.0, "viewers": 9.0, "loss": 7.0, "stock": 7.0, "hd": 9.0}
SOAK = {"connects": 20.0, "overload": 20.0}
"""Weights: what a part takes of the time."""
HD = (1280, 720)
SLOW_FPS = 15.0
"""Of a model that gets 30."""
LOSS, JITTER_S = 0.05, 0.05
QUEUE_S = 0.3
CONNECT_S = END_S = 1.0
CALM_S = 0.5
RECOVERY_S = 2.5
RECOVERED_FPS = 25
OFFER_GAP_S = 0.2
"""A server takes five offers a second from one address."""
ADDED = ("wait", "condition", "step")
"""The stages that are neither the codec's nor the network's."""


class Shares:
    """Deals out `seconds` by weight; what a part takes too much, those after it go without."""

    def __init__(
        self,
        seconds: float,
        weights: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._end = clock() + seconds
        self._weights = dict(weights)
        self._clock = clock

    def until(self, part: str) -> float:
        """Return when a part that begins now is to be done, by the clock."""
        now, whole = self._clock(), sum(self._weights.values())
        return now + max(0.0, self._end - now) * self._weights.pop(part) / whole


def bench_transport(seconds: float = 40.0) -> Result:
    """Measure what carries the pictures, with the identity model, in `seconds`, 25 at least.

    fps, p50_ms ...: 256x256 in and out. server_p50_ms: of that in the server, and added_p50_ms:
    without decoding, encoding, sending. client_p50_ms: the rest, the client's codecs.
    stock_: a plain aiortc echo of the same. hd_: 1280x720. viewers_: the server's CPU seconds per
    second. loss_: 5% of the datagrams lost, the others up to 50 ms late, both ways. Above 120 s
    also connects_: sessions opened and closed; overload_: twice the frames that can be painted.
    """
    started, soak = time.monotonic(), seconds > SOAK_FROM_S
    shares = Shares(seconds - END_S, {**PARTS, **(SOAK if soak else {})})
    with serving(server_command("identity")) as (server, url):
        figures = _identity(url, shares.until("identity"))
        figures |= asyncio.run(bench_viewers(url, server.pid, shares.until("viewers")))
        figures |= asyncio.run(bench_loss(url, shares.until("loss")))
        if soak:
            figures |= asyncio.run(bench_connects(url, server.pid, shares.until("connects")))
        figures["server_rss_mb"] = resident_mb(server.pid)
    figures |= _stock(shares.until("stock"))
    figures["ratio"] = round(float(figures["stock_p50_ms"]) / float(figures["p50_ms"]), 2)
    figures |= _hd(shares.until("hd"))
    if soak:
        figures |= _overload(shares.until("overload"))
    return {"seconds": round(time.monotonic() - started, 1), **figures}


def _identity(url: str, until: float) -> Result:
    result = _echo(url, until)
    del result["runtime"]
    added = sum(float(result[f"{stage}_p50_ms"]) for stage in ADDED)
    client = float(result["p50_ms"]) - float(result["server_p50_ms"])
    return {**result, "added_p50_ms": round(added, 2), "client_p50_ms": round(client, 2)}


def _echo(url: str, until: float, size: tuple[int, int] = SIZE, *, plain: bool = False) -> Result:
    camera = Camera(moving_texture(*size, frames=30))
    return asyncio.run(measure(url, camera, _left(until), plain=plain))


def _left(until: float) -> float:
    """Return how long to measure [s], to be done at `until` with what comes before it."""
    return max(1.0, until - time.monotonic() - WARM_UP_S - CONNECT_S)


def _stock(until: float) -> Result:
    with serving(stock_command) as (_, url):
        return _named("stock", _echo(url, until, plain=True), "fps", "p50_ms", "p95_ms")


def _hd(until: float) -> Result:
    size = "x".join(map(str, HD))
    with serving(server_command("identity", "auto", "--size", size)) as (_, url):
        result = _echo(url, until, HD)
    keys = ("fps", "in_fps", "p50_ms", "p95_ms", "p99_ms", "growth_ms", "dropped", "unread")
    return _named("hd", result, *keys, "server_p50_ms", *(f"{s}_p50_ms" for s in STAGES))


def _named(part: str, result: Result, *keys: str) -> Result:
    return {f"{part}_{key}": result[key] for key in keys}


@dataclass
class Advancing(Timeline):
    """Of pictures newer than all before them: a broken one shows an old number, or none."""

    newest: int = 0

    def arrived(self, number: int, now: float, picture: av.VideoFrame) -> None:
        if number in self.camera.sent and number > self.newest:
            self.newest = number
            super().arrived(number, now, picture)


class Link:
    """A bad network between this process's WebRTC and its sockets, both ways, while it is `on`.

    loss: the share of datagrams that never arrive. jitter_s: the others are held back for a
    random time up to this, so that they overtake one another. bits_per_s: what it carries; the
    rest queues, for QUEUE_S at the longest.
    """

    def __init__(
        self,
        loss: float,
        jitter_s: float,
        rng: random.Random,
        bits_per_s: float = float("inf"),
    ) -> None:
        self.on = False
        self.bits_per_s = bits_per_s
        self.loss = loss
        self.jitter_s = jitter_s
        self.datagrams = 0
        self.lost = 0
        self._rng = rng
        self._busy_until = 0.0

    def carry(self, deliver: Callable[[], None], size: int = 0) -> None:
        """Deliver a datagram of `size` bytes now, later or never."""
        if not self.on:
            deliver()
            return
        self.datagrams += 1
        queued = max(0.0, self._busy_until - time.monotonic())
        if self._rng.random() < self.loss or queued > QUEUE_S:
            self.lost += 1
            return
        queued += 8 * size / self.bits_per_s
        self._busy_until = time.monotonic() + queued
        delay = queued + self._rng.uniform(0, self.jitter_s)
        asyncio.get_running_loop().call_later(delay, deliver)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Carry what goes through the ICE sockets that are opened while the block runs."""
        plain, ice.StunProtocol = ice.StunProtocol, _protocol_over(self)
        try:
            yield
        finally:
            ice.StunProtocol = plain


def _protocol_over(link: Link) -> type[ice.StunProtocol]:
    class OverLink(ice.StunProtocol):
        def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
            self._carry(super().datagram_received, data, addr, size=len(data))

        async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
            self._carry(self.transport.sendto, data, addr, size=len(data))

        def send_stun(self, message: Message, addr: tuple[str, int]) -> None:
            self._carry(super().send_stun, message, addr)

        def _carry(self, handle: Callable[..., None], *datagram: object, size: int = 0) -> None:
            link.carry(lambda: None if self.transport.is_closing() else handle(*datagram), size)

    return OverLink


async def bench_loss(url: str, until: float) -> Result:
    """Stream over a bad link, then over a good one again; `until`: monotonic time.

    loss_recovered: 1 when the last second has at least 25 pictures again.
    """
    allow_loopback(only=True)
    link = Link(LOSS, JITTER_S, random.Random(0))
    camera = Camera(moving_texture(*SIZE))
    seen = Advancing(camera)
    with link.installed():
        client = Client(url, camera, seen.arrived)
        try:
            await client.connect(mirror=False)
            await seen.first()
            await asyncio.sleep(CALM_S)
            start, link.on = time.perf_counter(), True
            await asyncio.sleep(max(1.0, until - time.monotonic() - RECOVERY_S))
            end, link.on = time.perf_counter(), False
            latencies = seen.since(start)
            await asyncio.sleep(RECOVERY_S)
            last = len(seen.since(time.perf_counter() - 1))
        finally:
            await client.close()
    return {
        "loss_fps": round(len(latencies) / (end - start), 2),
        "loss_p50_ms": round(float(np.median(latencies)), 2) if len(latencies) else 0.0,
        "loss_longest_freeze_ms": round(longest_freeze(seen.arrivals, start, end) * 1e3, 1),
        "loss_recovered": int(last >= RECOVERED_FPS),
        "loss_share": round(link.lost / max(1, link.datagrams), 4),
    }


def longest_freeze(arrivals: list[float], start: float, end: float) -> float:
    """Return the longest time [s] between `start` and `end` in which nothing arrived."""
    inside = [start, *(at for at in arrivals if start < at < end), end]
    return max(b - a for a, b in itertools.pairwise(inside))


async def bench_connects(url: str, pid: int, until: float) -> Result:
    """Open and close sessions one after the other until a monotonic time.

    Growth is the server's, whose process is `pid`, from one idle moment half-way to one at the
    end: in the first half the allocator's arenas fill.
    """
    allow_loopback(only=True)
    frames = moving_texture(*SIZE, frames=30)
    now = time.monotonic()
    connects = await _connect_until(url, frames, now + (until - now) / 2)
    files, memory = await _idle(url, pid)
    connects += await _connect_until(url, frames, until)
    files_after, memory_after = await _idle(url, pid)
    return {
        "connects": connects,
        "connects_fd_growth": files_after - files,
        "connects_rss_growth_mb": round(memory_after - memory, 1),
    }


async def _connect_until(url: str, frames: Iterator[NDArray[np.uint8]], until: float) -> int:
    """Return how many sessions it were, at least one."""
    connects = 0
    while not connects or time.monotonic() < until:
        await _connect_once(url, frames)
        await asyncio.sleep(OFFER_GAP_S)
        connects += 1
    return connects


async def _connect_once(url: str, frames: Iterator[NDArray[np.uint8]]) -> None:
    """Leave as somebody does who closes the page: the server finds out by itself."""
    camera = Camera(frames)
    seen = Timeline(camera)
    client = Client(url, camera, seen.arrived)
    try:
        await client.connect(mirror=False)
        await seen.first()
    finally:
        await client.close()


async def _idle(url: str, pid: int) -> tuple[int, float]:
    """Return the server's open files and memory [MiB] once its last session has ended."""
    while (await asyncio.to_thread(request_json, f"{url}/api/health"))["sessions"]:
        await asyncio.sleep(0.1)
    return open_files(pid), resident_mb(pid)


def open_files(pid: int) -> int:
    """Return how many files and sockets a process has open, 0 where /proc does not tell."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def _overload(until: float) -> Result:
    """Send 30 fps to a model that paints half of that."""
    with serving(server_command("identity", "auto", "--fps", str(SLOW_FPS))) as (server, url):
        return asyncio.run(_overloaded(url, server.pid, until))


async def _overloaded(url: str, pid: int, until: float) -> Result:
    camera = Camera(moving_texture(*SIZE))
    seen = Timeline(camera)
    streaming = asyncio.ensure_future(measure(url, camera, _left(until), seen.arrived))
    await asyncio.sleep(WARM_UP_S + CONNECT_S)
    memory = resident_mb(pid)
    result = await streaming
    quarter = max(1, len(seen.latencies) // 4)
    return {
        **_named("overload", result, "in_fps", "fps", "dropped"),
        "overload_p50_first_ms": round(float(np.median(seen.latencies[:quarter])), 2),
        "overload_p50_last_ms": round(float(np.median(seen.latencies[-quarter:])), 2),
        "overload_rss_growth_mb": round(resident_mb(pid) - memory, 1),
    }
