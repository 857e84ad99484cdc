"""The transport bench: its arithmetic with known answers, its viewers and its link for real."""

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import av
import pytest
from serving import serving, until

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.stream import bench, transport
from rotolive.stream.bench import cpu_seconds
from rotolive.stream.sources import moving_texture
from rotolive.stream.stats import STAGES
from rotolive.stream.transport import (
    Advancing,
    Link,
    Shares,
    _overloaded,
    bench_connects,
    bench_loss,
    longest_freeze,
)
from rotolive.stream.viewers import bench_viewers, play
from rotolive.stream.webrtc.client import Camera, Client
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.app import create_app
from rotolive.web.serve import PacedIdentity

ECHO = ("fps", "p50_ms", "p95_ms", "p99_ms", "growth_ms", "in_fps", "unread", "dropped")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    allow_loopback(only=True)
    app = create_app(IdentityModel(2), Settings(max_sessions=2, marker=True))
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_busy_loop_is_counted_as_cpu_time() -> None:
    before, mine = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - mine < 0.4:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(time.process_time() - mine, abs=0.1)
    assert cpu_seconds(2**30) == 0


def test_the_longest_freeze_reaches_to_the_edges() -> None:
    assert longest_freeze([], 2, 5) == 3
    assert longest_freeze([2.5, 3, 4.5], 2, 5) == 1.5
    assert longest_freeze([3, 3.5, 4, 5], 2, 4.5) == 1
    assert longest_freeze([1, 2.25, 9], 2, 5) == 2.75


def test_what_a_part_takes_too_much_the_others_go_without() -> None:
    now = 100.0
    shares = Shares(40, {"a": 1, "b": 1, "c": 2}, clock=lambda: now)
    assert shares.until("a") == 110
    now = 120
    assert shares.until("b") == pytest.approx(120 + 20 / 3)
    now = 150
    assert shares.until("c") == 150


def test_only_pictures_that_advance_count() -> None:
    camera = Camera(moving_texture(64, 64, frames=2))
    camera.sent.update({1: 0.0, 2: 0.1, 3: 0.2})
    seen, picture = Advancing(camera), av.VideoFrame(16, 16, "yuv420p")
    for number, now in ((1, 1.0), (3, 2.0), (2, 3.0), (3, 4.0), (99, 5.0)):
        seen.arrived(number, now, picture)
    assert seen.arrivals == [1.0, 2.0]
    assert seen.latencies == pytest.approx([1000, 1800])


async def test_a_link_loses_its_share_and_shuffles_the_rest() -> None:
    link, arrived = Link(0.05, 0.02, random.Random(0)), []
    link.carry(lambda: arrived.append(-1))
    assert arrived == [-1] and link.datagrams == 0
    link.on = True
    for i in range(10_000):
        link.carry(lambda i=i: arrived.append(i))
    await asyncio.sleep(0.1)
    assert link.datagrams == 10_000 and 450 < link.lost < 550
    assert len(arrived) == 10_001 - link.lost == len(set(arrived))
    assert arrived != sorted(arrived)


async def test_pictures_come_back_over_a_bad_link_and_after_a_dead_one(url: str) -> None:
    camera = Camera(moving_texture(256, 256, frames=10), fps=10)
    link, seen = Link(0.1, 0.05, random.Random(0)), Advancing(camera)

    async def more(count: int) -> None:
        target = len(seen.arrivals) + count
        await until(lambda: len(seen.arrivals) >= target, 60)

    with link.installed():
        client = Client(url, camera, seen.arrived)
        await client.connect(mirror=False)
        await seen.first()
        link.on = True
        await more(15)
        assert 0 < link.lost < link.datagrams / 2
        link.loss = 1.0
        await asyncio.sleep(0.5)
        frozen = len(seen.arrivals)
        await asyncio.sleep(0.5)
        assert len(seen.arrivals) == frozen
        link.on = False
        await more(5)
        await client.close()


async def test_the_bench_of_a_bad_link_says_how_bad_it_was(url: str) -> None:
    figures = await bench_loss(url, time.monotonic())
    assert set(figures) == {
        "loss_fps",
        "loss_p50_ms",
        "loss_longest_freeze_ms",
        "loss_recovered",
        "loss_share",
    }
    assert 0 < float(figures["loss_share"]) < 0.2
    assert float(figures["loss_longest_freeze_ms"]) > 0


async def test_every_viewer_of_a_crowd_gets_pictures(url: str) -> None:
    figures = await bench_viewers(url, os.getpid(), time.monotonic(), many=3)
    assert set(figures) == {
        "viewers_1_cpu",
        "viewers_3_cpu",
        "viewers_cpu_ratio",
        "viewers_fps_min",
    }
    assert all(float(value) > 0 for value in figures.values())
    with pytest.raises(InputError, match="404"):
        await play(f"{url}/whep/nobody")


async def test_sessions_that_come_and_go_leave_nothing_open(url: str) -> None:
    figures = await bench_connects(url, os.getpid(), time.monotonic() + 3)
    assert set(figures) == {"connects", "connects_fd_growth", "connects_rss_growth_mb"}
    assert figures["connects"] >= 2
    assert figures["connects_fd_growth"] < float(figures["connects"]) / 2


async def test_the_bench_of_overload_sends_more_than_is_painted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in (bench, transport):
        monkeypatch.setattr(place, "WARM_UP_S", 0.3)
    model = PacedIdentity(1)
    model.fps = 4.0
    with serving(create_app(model, Settings(marker=True))) as port:
        figures = await _overloaded(f"http://127.0.0.1:{port}", os.getpid(), time.monotonic() + 5)
    assert 0 < float(figures["overload_fps"]) < 5 < float(figures["overload_in_fps"])
    assert float(figures["overload_dropped"]) > 3
    assert float(figures["overload_p50_last_ms"]) > 0


def test_the_figures_are_flat_and_a_soak_adds_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(*_: Any, **__: Any) -> dict[str, float | str]:
        keys = (*ECHO, "server_p50_ms", *(f"{stage}_p50_ms" for stage in STAGES))
        return {**dict.fromkeys(keys, 2.0), "p50_ms": 4.0, "runtime": "none"}

    def part(name: str) -> Callable[..., Awaitable[dict[str, float]]]:
        async def run(*_: Any) -> dict[str, float]:
            return {name: 1}

        return run

    @contextlib.contextmanager
    def served(_: object) -> Iterator[tuple[Any, str]]:
        yield SimpleNamespace(pid=os.getpid()), "http://nowhere"

    parts = {"bench_viewers", "bench_loss", "bench_connects", "_overloaded"}
    for name in parts:
        monkeypatch.setattr(transport, name, part(name))
    monkeypatch.setattr(transport, "measure", measure)
    monkeypatch.setattr(transport, "serving", served)
    figures = transport.bench_transport(40)
    assert json.loads(json.dumps(figures)) == figures
    assert all(isinstance(value, int | float) for value in figures.values())
    assert {*ECHO, "server_rss_mb", "stock_p50_ms", "stock_p95_ms", "stock_fps"} <= set(figures)
    assert {f"hd_{key}" for key in ECHO} <= set(figures)
    assert (figures["ratio"], figures["client_p50_ms"], figures["added_p50_ms"]) == (1, 2, 6)
    assert parts & set(figures) == {"bench_viewers", "bench_loss"}
    assert parts <= set(transport.bench_transport(121))
