"""Less is encoded where this machine or a connection cannot keep up, and all of it again later."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.codecs import depayload, get_decoder
from aiortc.jitterbuffer import JitterFrame
from browser import chromium, chromium_or_skip, write_y4m
from serving import serving, until
from test_page import until as until_on
from test_whip import Peer, Served, hang_up

from rotolive.model.live import IdentityModel
from rotolive.stream.protocol import Frame
from rotolive.stream.renderer import Renderer
from rotolive.stream.session import Session
from rotolive.stream.sources import moving_texture
from rotolive.stream.transport import Link
from rotolive.stream.webrtc.broadcast import Broadcast, BroadcastTrack
from rotolive.stream.webrtc.client import Camera
from rotolive.stream.webrtc.encode import SteadyVp8, bitrate_for
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.lane import Encoded
from rotolive.stream.webrtc.load import ENOUGH, PATIENCE_S, Load, halved
from rotolive.stream.webrtc.reach import RUNGS, Reach
from rotolive.stream.webrtc.receive import tune
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.app import create_app

HD = (1280, 720)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=96)


class Machine:
    """Encodes the newest picture there is, one after the other, on a clock of its own."""

    def __init__(self, fps: float, full_s: float, size: tuple[int, int] = HD) -> None:
        self.now = 0.0
        self.fps, self.full_s, self.size = fps, full_s, size
        self.load = Load(lambda: self.now)
        self.changes: list[float] = []
        self._next = 0

    def run(self, seconds: float) -> None:
        """Go on for so long; afterwards `changes` tells when the size did."""
        end = self.now + seconds
        while self.now < end:
            before = self.load.halvings
            self._next = max(self._next + 1, int(self.now * self.fps))
            busy = self.full_s / 4**before
            self.now = max(self.now, self._next / self.fps) + busy
            self.load.took(busy, self._next, self.size)
            if self.load.halvings != before:
                self.changes.append(self.now)


def test_what_takes_too_long_is_halved_until_it_fits() -> None:
    machine = Machine(fps=30, full_s=0.028)
    machine.run(30)
    assert machine.load.halvings == 0
    machine.full_s = 0.08
    machine.run(5)
    assert machine.load.halvings == 1
    machine.full_s = 0.2
    machine.run(5)
    assert machine.load.halvings == 2
    machine.full_s = 10.0  # nothing helps any more
    machine.run(600)
    assert machine.load.halvings == 2 and halved(HD, 2) == halved(HD, 9) == (320, 180)


def test_small_pictures_stay_as_they_are() -> None:
    machine = Machine(fps=30, full_s=0.5, size=(256, 256))
    machine.run(60)
    assert machine.load.halvings == 0
    assert halved((256, 256), 3) == (256, 256) and halved((722, 362), 1) == (360, 180)


def test_a_slow_source_is_no_load() -> None:
    machine = Machine(fps=5, full_s=0.15)
    machine.run(60)
    assert not machine.changes


def test_the_size_comes_back_when_it_is_expected_to_fit_and_not_before() -> None:
    machine = Machine(fps=30, full_s=0.08)
    machine.run(20)
    machine.full_s = 1.1 * ENOUGH / 30  # it would fit, but just
    machine.run(60)
    assert machine.load.halvings == 1
    machine.full_s = 0.9 * ENOUGH / 30
    machine.run(PATIENCE_S + 3)
    assert machine.load.halvings == 0


def test_each_return_that_fails_makes_the_next_one_later() -> None:
    """At half the size all is well, at the full size it is not: what other load may do."""
    machine = Machine(fps=30, full_s=0.08)
    for _ in range(4):
        machine.full_s = 0.08
        while machine.load.halvings == 0:
            machine.run(0.1)
        machine.full_s = 0.01
        while machine.load.halvings == 1:
            machine.run(0.1)
    waits = [b - a for a, b in zip(machine.changes[::2], machine.changes[1::2], strict=True)]
    assert all(later > 1.8 * earlier for earlier, later in itertools.pairwise(waits))


class Way:
    """A viewer's connection, and what a receiver that watches delays estimates of it."""

    def __init__(self, capacity: float, content: float) -> None:
        self.now = 0.0
        self.capacity, self.content = capacity, content
        self.reach = Reach(lambda: self.now)
        self.rungs: list[int] = []
        self._estimate = content

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            sent = self.content / 2**self.reach.rung
            self.reach.sent(round(sent / 8 / 10))
            if sent > self.capacity:
                self._estimate = 0.85 * self.capacity
            else:
                most = max(self._estimate, 1.5 * sent + 10_000)
                self._estimate = min(most, self._estimate * 1.008)
            self.reach.heard(self._estimate)
            if self.reach.rung != (self.rungs or [0])[-1]:
                self.rungs.append(self.reach.rung)


@pytest.mark.parametrize(
    ("capacity", "rung"), [(2e6, 0), (1.1e6, 1), (0.4e6, 2), (0.1e6, RUNGS - 1)]
)
def test_a_connection_gets_what_it_carries(capacity: float, rung: int) -> None:
    way = Way(2e6, content=1.5e6)
    way.run(6)
    way.capacity = capacity
    way.run(6)
    assert way.reach.rung == rung


def test_a_connection_that_recovers_gets_all_again() -> None:
    way = Way(2e6, content=1.5e6)
    way.run(6)
    way.capacity = 0.4e6
    way.run(6)
    assert way.reach.rung == 2
    way.capacity = 2e6
    way.run(30)
    assert way.reach.rung == 0


def test_a_connection_that_does_not_recover_is_tried_more_and_more_seldom() -> None:
    way = Way(2e6, content=1.5e6)
    way.run(6)
    way.capacity = 0.5e6
    way.run(60)
    first = len(way.rungs)
    way.run(240)
    assert set(way.rungs) == {1, 2} and len(way.rungs) - first < first


def test_a_still_scene_that_begins_to_move_is_no_bad_connection() -> None:
    """Its receiver has seen little and estimates little, which is no more than it knows."""
    way = Way(9e6, content=0.05e6)
    way.run(30)
    way.content = 1.5e6
    way.run(30)
    assert not way.rungs


class SlowVp8(SteadyVp8):
    """Takes its time for large pictures."""

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        time.sleep(0.3 if frame.width > 400 else 0.0)
        return super().encode(frame, force_keyframe)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(Renderer(IdentityModel(1, width=640, height=360), 1))
    yield session
    session.close()


async def feed(session: Session, fps: float) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (360, 640, 3), np.uint8)
    start = time.monotonic()
    while not session.closed:
        now = time.monotonic()
        frame = Frame(
            seq=0,
            pts=round((now - start) * 90000),
            time_base=Fraction(1, 90000),
            captured_ns=time.monotonic_ns(),
            planes={"rgb": rgb},
        )
        session.outbox.put(frame)
        await asyncio.sleep(1 / fps)


def decode(pictures: list[Encoded]) -> list[tuple[int, int]]:
    """Return the sizes of pictures that a decoder of its own makes of what was sent."""
    decoder, sizes = get_decoder(VP8), []
    for picture in pictures:
        data = b"".join(depayload(VP8, payload) for payload in picture.payloads)
        frames = decoder.decode(JitterFrame(data=data, timestamp=picture.timestamp))
        sizes += [(f.width, f.height) for f in frames if isinstance(f, av.VideoFrame)]
    return sizes


async def test_a_broadcast_that_cannot_encode_all_goes_on_at_half_the_size(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.encode.SteadyVp8", SlowVp8)
    broadcast = Broadcast(session)
    track = BroadcastTrack(broadcast)
    track._lane = broadcast.join(track, "VP8")
    seen: list[Encoded] = []

    async def watch() -> None:
        while True:
            seen.append(await track.recv())

    tasks = [asyncio.ensure_future(feed(session, 30)), asyncio.ensure_future(watch())]
    await until(lambda: len(seen) > 2)
    assert broadcast.report().encoding == ""
    await until(lambda: broadcast.report().encoding != "", 15)
    large = len(seen)
    await until(lambda: len(seen) > large + 5)
    assert broadcast.report().encoding == "320x180, as this machine cannot keep up with 640x360"
    (lane,) = broadcast._lanes.values()
    assert lane.bitrate == bitrate_for(320, 180)
    sizes = decode(seen)
    assert len(sizes) == len(seen)
    assert sizes == sorted(sizes, reverse=True) and set(sizes) == {(640, 360), (320, 180)}
    assert seen[sizes.index((320, 180))].key
    for task in tasks:
        task.cancel()


async def test_who_carries_less_gets_less_and_nobody_else(session: Session) -> None:
    broadcast = Broadcast(session)
    good, bad = BroadcastTrack(broadcast), BroadcastTrack(broadcast)
    seen: dict[BroadcastTrack, list[Encoded]] = {good: [], bad: []}

    async def watch(track: BroadcastTrack) -> None:
        track._codec, track._lane = "VP8", broadcast.join(track, "VP8")
        while True:
            seen[track].append(await track.recv())

    tasks = [asyncio.ensure_future(task) for task in (feed(session, 30), watch(good), watch(bad))]
    await until(lambda: min(map(len, seen.values())) > 3)
    bad._reach.rung = RUNGS - 1
    bad._heard(1)
    assert bad._lane is not good._lane and len(broadcast._lanes) == 2
    before = len(seen[bad])
    await until(lambda: min(map(len, seen.values())) > before + 6)
    assert set(decode(seen[good])) == {(640, 360)}
    sizes = decode(seen[bad])
    assert len(sizes) == len(seen[bad]) and sizes[-1] == (320, 180)
    mbit = bitrate_for(640, 360) / 2 ** (RUNGS - 1) / 1e6
    expected = f"{mbit:.2g} Mbit/s for 1 of 2, whose connection carries no more"
    assert broadcast.report().encoding == expected
    bad.stop()
    assert broadcast.report().encoding == "" and len(broadcast._lanes) == 1
    for task in tasks:
        task.cancel()


def grain() -> Iterator[np.ndarray]:
    """A moving picture with noise on it, which takes all bits that it may have."""
    rng = np.random.default_rng(0)
    for picture in moving_texture(320, 240, frames=30):
        coarse = rng.integers(-20, 20, (60, 80, 1)).repeat(4, 0).repeat(4, 1)
        yield np.clip(picture + coarse, 0, 255).astype(np.uint8)


async def test_a_narrow_connection_gets_fewer_bits_and_goes_on() -> None:
    """By what a real receiver estimates, of datagrams that queue up on their way to it."""
    allow_loopback(only=True)
    app = create_app(IdentityModel(1), Settings(marker=True))
    link = Link(0.0, 0.0, random.Random(0), bits_per_s=1.4e6)
    with serving(app) as port:
        served = Served(f"http://127.0.0.1:{port}", app.state.peers, Path())
        url, peers = served.url, served.peers
        publisher = await Peer(f"{url}/whip/identity?session=wide", Camera(grain())).connect()
        with link.installed():
            viewer = Peer(f"{url}/whep/wide")
            tune(viewer.pc.getTransceivers()[0].receiver)
            await viewer.connect()
            await viewer.frames(10)
            link.on = True
            track = peers._peers[viewer.resource.rpartition("/")[2]]._track
            await until(lambda: track._reach.rung > 0, 40)
            broadcast, words = (
                peers._find("wide").broadcast,
                "1 of 1, whose connection carries no more",
            )
            await until(lambda: words in broadcast.report().encoding)
            await viewer.frames(10, 30)
        await hang_up(served, publisher, viewer)


@pytest.mark.browser
async def test_the_page_says_that_less_is_sent_and_plays_on(tmp_path: Path) -> None:
    chromium_or_skip()
    allow_loopback()
    app = create_app(IdentityModel(1, width=640, height=360))
    with serving(app) as port:
        await asyncio.to_thread(_look_at_the_page, port, app.state.peers, tmp_path)


def _look_at_the_page(port: int, peers: Any, folder: Path) -> None:
    with chromium(write_y4m(folder / "camera.y4m")) as browser:
        context = browser.new_context(permissions=["camera"])
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        page.evaluate("rotolive.start('camera')")
        width = "document.getElementById('output').videoWidth"
        until_on(page, f"rotolive.state === 'live' && {width} === 640")
        page.locator("#stats summary").click()
        (owner,) = peers._peers.values()
        load = owner.broadcast._load
        load.took = lambda *_: None  # it does not change by itself
        load.halvings = 1
        until_on(page, f"{width} === 320")
        text = "document.getElementById('stats-list').textContent"
        until_on(page, f"{text}.includes('320x180, as this machine cannot keep up with 640x360')")
        load.halvings = 0
        until_on(page, f"{width} === 640 && !{text}.includes('cannot keep up')")
        context.close()
