import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import RTCDtlsTransport
from serving import serving, until

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.stream.bench import Collector, bench_live, free_port, summarize
from rotolive.stream.sources import letterbox, moving_texture, read_clip
from rotolive.stream.stats import STAGES
from rotolive.stream.webrtc.client import Camera, Client, request_json
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.receive import is_keyframe
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.app import create_app


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server in a thread, for two sessions."""
    model = IdentityModel(2)
    model.styles = ("one", "two")
    app = create_app(model, Settings(max_sessions=2, marker=True))
    with serving(app) as port:
        allow_loopback(only=True)
        yield f"http://127.0.0.1:{port}"


class Viewer:
    """A client and what it has seen: numbers, presentation times, mean colours."""

    def __init__(
        self, url: str, colour: tuple[int, int, int] | None = None, codec: str = "VP8"
    ) -> None:
        self.numbers: list[int] = []
        self.pts: list[int] = []
        self.sizes: set[tuple[int, int]] = set()
        self.colours: list[np.ndarray] = []
        frames = moving_texture(320, 240, frames=10) if colour is None else iter_colour(colour)
        self.client = Client(url, Camera(frames), self.see, codec=codec)

    def see(self, number: int, _: float, picture: av.VideoFrame) -> None:
        self.numbers.append(number)
        self.pts.append(picture.pts or 0)
        self.sizes.add((picture.width, picture.height))
        self.colours.append(picture.to_ndarray(format="rgb24")[64:].mean((0, 1)))

    async def frames(self, count: int, timeout: float = 8) -> None:
        target = len(self.numbers) + count
        await until(lambda: len(self.numbers) >= target, timeout)

    async def heard(self, kind: str, timeout: float = 4) -> dict:
        notices = self.client.notices
        await until(lambda: any(n["type"] == kind for n in notices), timeout)
        found = next(n for n in notices if n["type"] == kind)
        notices.remove(found)
        return found


def iter_colour(colour: tuple[int, int, int]) -> Iterator[np.ndarray]:
    rgb = np.full((240, 320, 3), colour, np.uint8)
    while True:
        yield rgb


async def test_frames_come_back_in_order_and_the_channel_answers(url: str) -> None:
    viewer = Viewer(url)
    client = viewer.client
    await client.connect()
    await viewer.frames(30)
    assert viewer.sizes == {(256, 256)}
    assert viewer.pts == sorted(set(viewer.pts))
    readable = [n for n in viewer.numbers if n in client._camera.sent]
    assert len(readable) > 25
    assert readable == sorted(readable)

    ready = await viewer.heard("ready")
    assert ready["name"] == client.name != client.session
    assert (ready["model"], ready["styles"]) == ("identity", ["one", "two"])
    client.say(type="ping", t=12.5)
    assert (await viewer.heard("pong"))["t"] == 12.5
    for message in (
        {"type": "style", "index": 1},
        {"type": "mirror", "on": False},
        {"type": "reset"},
        {"type": "overlay", "on": True},
    ):
        client.say(**message)
        assert (await viewer.heard("ok"))["of"] == message["type"]
    assert (await viewer.heard("pose"))["landmarks"] is None
    deep = '{"type":"style","index":' + "[" * 9000
    for bad in ("{", '{"type":"nuke"}', '{"type":"style","index":2}', " " * 20_000, b"\xff", deep):
        client.channel.send(bad)
        assert (await viewer.heard("error"))["error"]
    stats = await viewer.heard("stats")
    assert stats["fps"] > 5 and stats["p50_ms"] > 0 and stats["runtime"] == "none"
    assert set(stats["stages"]) == set(STAGES)
    assert (await client.stats())["in_fps"] > 5
    await viewer.frames(5)
    await client.close()


async def test_two_sessions_are_islands_and_a_third_waits(url: str) -> None:
    await until_free(url)
    red, blue = Viewer(url, (200, 20, 20)), Viewer(url, (20, 20, 200))
    await red.client.connect()
    await blue.client.connect()
    refused = Viewer(url)
    with pytest.raises(InputError, match=r"503.*too many sessions"):
        await refused.client.connect()
    await refused.client.close()
    await asyncio.gather(red.frames(30), blue.frames(30))
    for viewer, channel in ((red, 0), (blue, 2)):
        for colour in viewer.colours[3:]:
            assert colour[channel] > 150 and colour[2 - channel] < 70
    red.client.say(type="style", index=1)
    assert (await red.heard("ok"))["of"] == "style"
    assert not any(n["type"] == "ok" for n in blue.client.notices)
    await red.client.close()  # gone without a DELETE: the server notices
    await until_free(url, sessions=1)
    await blue.frames(10)
    third = Viewer(url)
    await third.client.connect()
    await third.frames(3)
    await asyncio.gather(blue.client.close(), third.client.close())


async def until_free(url: str, sessions: int = 0, timeout: float = 6) -> None:
    deadline = time.monotonic() + timeout
    while True:
        health = await asyncio.to_thread(request_json, f"{url}/api/health")
        if health["sessions"] <= sessions:
            return
        assert time.monotonic() < deadline, "the server keeps dead sessions"
        await asyncio.sleep(0.1)


async def test_h264_works_for_those_who_have_nothing_else(url: str) -> None:
    await until_free(url)
    viewer = Viewer(url, codec="H264")
    await viewer.client.connect()
    await viewer.frames(20)
    await viewer.client.close()


async def test_lost_packets_delay_nothing_for_long(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(0)
    send = RTCDtlsTransport._send_rtp

    async def lossy(transport: RTCDtlsTransport, data: bytes) -> None:
        if rng.random() >= 0.03:
            await send(transport, data)

    await until_free(url)
    viewer = Viewer(url)
    await viewer.client.connect()
    await viewer.frames(5)
    monkeypatch.setattr(RTCDtlsTransport, "_send_rtp", lossy)
    await viewer.frames(75, timeout=9)
    monkeypatch.undo()
    await viewer.frames(30)
    sent = viewer.client._camera.sent
    assert viewer.numbers[-1] in sent
    assert max(sent) - viewer.numbers[-1] <= 5
    await viewer.client.close()


def test_a_keyframe_may_begin_with_other_units() -> None:
    start = b"\0\0\0\1"
    delimiter, information, parameters, slice_ = b"\x09\x10", b"\x06\x05", b"\x68\xce", b"\x41\x9a"
    for units in ([delimiter, b"\x67\x42", parameters, b"\x65\x88"], [information, b"\x65\x88"]):
        assert is_keyframe("H264", start + start.join(units))
    assert not is_keyframe("H264", start + start.join([delimiter, information, slice_]) + start)


async def test_interrupt_ends_the_server_quickly_with_a_peer_connected() -> None:
    port = free_port()
    command = [sys.executable, "-m", "rotolive.web.serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    line = await asyncio.to_thread(process.stdout.readline)
    assert f"http://localhost:{port}/".encode() in line
    viewer = Viewer(f"http://127.0.0.1:{port}")
    await viewer.client.connect()
    await viewer.frames(3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    code = await asyncio.to_thread(process.wait, 10)
    assert time.monotonic() - start < 2
    assert code == 0
    assert b"Traceback" not in process.stderr.read()
    await viewer.client.close()


def test_the_bench_measures_a_server_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotolive.stream.bench.WARM_UP_S", 0.3)
    seen = Collector(32)
    result = bench_live("identity", 1.5, on_frame=seen)
    assert float(result["fps"]) > 3
    assert 0 < float(result["p50_ms"]) < 1000
    assert float(result["server_rss_mb"]) > 0
    assert len(seen.frames) > 3
    assert seen.frames[0][2].shape == (32, 32, 3)


def test_percentiles_and_growth() -> None:
    result = summarize(np.concatenate([np.full(100, 10.0), np.full(100, 30.0)]), 10.0)
    assert result == {
        "fps": 20.0,
        "p50_ms": 20.0,
        "p95_ms": 30.0,
        "p99_ms": 30.0,
        "growth_ms": 20.0,
    }
    with pytest.raises(InputError):
        summarize(np.zeros(0), 1.0)


def test_a_video_file_is_a_camera(tmp_path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=Fraction(30))
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i in range(5):
            picture = np.full((48, 64, 3), 40 * i, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
    means = [float(picture[16].mean()) for picture in read_clip(path, 32, 32)]
    assert len(means) == 8 and means[4] > means[0] + 100
    assert means[1:4] == pytest.approx(means[7:4:-1], abs=1)
    assert len(read_clip(path, 32, 32, frames=3)) == 4
    path.write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be read"):
        read_clip(path)


def test_letterbox_keeps_proportions() -> None:
    boxed = letterbox(np.full((10, 20, 3), 255, np.uint8), 40, 40)
    assert boxed[:10].max() == 0 and boxed[10:30].min() == 255
