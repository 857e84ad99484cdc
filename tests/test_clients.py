"""Clients by others publish by WHIP and play by WHEP: GStreamer, libwebrtc, libdatachannel."""

import asyncio
import base64
import functools
import os
import secrets
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from serving import serving, until

from rotolive.model.live import IdentityModel
from rotolive.stream.webrtc.peers import Peers
from rotolive.stream.webrtc.receive import view
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.access import Access
from rotolive.web.app import create_app

CLIENTS = Path(__file__).parent / "clients"
GSTREAMER = ("/usr/bin/python3", "gstreamer.py")
LIBWEBRTC = ("node", "libwebrtc.mjs")
LIBDATACHANNEL = ("node", "libdatachannel.mjs")
TOKEN = "correct-horse"
RED = (82, 90, 240)
"""Y, U, V of what everybody publishes."""
ENOUGH = 20
START_S = 20
"""A client has this long to start, connect and show ENOUGH frames."""

Command = tuple[str, str]
Colour = tuple[int, ...]


@dataclass(frozen=True)
class Served:
    """A server of the identity model that asks for a token, and what to look into."""

    url: str
    peers: Peers


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    app = create_app(IdentityModel(8), Settings(max_sessions=8), access=Access(token=TOKEN))
    with serving(app) as port:
        yield Served(f"http://127.0.0.1:{port}", app.state.peers)


class Client:
    """A client's process: connected until its standard input ends."""

    def __init__(self, command: Command, *arguments: str) -> None:
        program, script = command
        pipe = subprocess.PIPE
        self.frames: list[Colour] = []
        self._process = subprocess.Popen(
            [program, str(CLIENTS / script), *arguments], stdin=pipe, stdout=pipe, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    async def hang_up(self) -> int:
        """Return its exit status: 0 where the server took its DELETE."""
        assert self._process.stdin
        self._process.stdin.close()
        return await asyncio.to_thread(self._process.wait, 10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                word, *middle = line.split()
                if word == "frame":
                    self.frames.append(tuple(map(int, middle)))


@contextmanager
def running(command: Command, *arguments: str) -> Iterator[Client]:
    """Run a client, or skip where it cannot run; on CI it must."""
    why = why_missing(command)
    if why and os.environ.get("CI"):
        pytest.fail(f"CI must be able to run {command[1]}: {why}")
    if why:
        pytest.skip(f"{command[1]} cannot run: {why}")
    client = Client(command, *arguments)
    try:
        yield client
    finally:
        client.kill()


@functools.cache
def why_missing(command: Command) -> str:
    """Say why a client cannot run here; nothing if it can."""
    program, script = command
    check = [program, str(CLIENTS / script), "check"]
    try:
        done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return f"there is no {program}"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return next((line for line in lines if "Error" in line), lines[-1])


class RedWall(VideoStreamTrack):
    """A camera before a red wall."""

    async def recv(self) -> av.VideoFrame:
        picture = red_picture()
        picture.pts, picture.time_base = await self.next_timestamp()
        return picture


def red_picture() -> av.VideoFrame:
    picture = av.VideoFrame(320, 240, "yuv420p")
    for plane, value in zip(picture.planes, RED, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return picture


@asynccontextmanager
async def connected(url: str, camera: RedWall | None = None) -> AsyncIterator[list[Colour]]:
    """Publish a camera, or play: gives the list that the middle of each frame goes to."""
    frames: list[Colour] = []
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    video = pc.addTransceiver(camera or "video", "sendonly" if camera else "recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/sdp"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
        reply = await http.post(url, content=pc.localDescription.sdp)
        assert reply.status_code == 201, reply.text
        await pc.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        watching = asyncio.ensure_future(watch(video.receiver.track, frames))
        try:
            yield frames
        finally:
            watching.cancel()
            await http.delete(httpx.URL(url).join(reply.headers["location"]))
            await pc.close()


async def watch(track, frames: list[Colour]) -> None:  # type: ignore[no-untyped-def]
    while True:
        try:
            picture = await track.recv()
        except MediaStreamError:
            return
        planes = [view(plane) for plane in picture.planes]
        frames.append(tuple(int(p[p.shape[0] // 2, p.shape[1] // 2]) for p in planes))


def write_clip(path: Path) -> Path:
    """Write a second of H264 that needs no other: a base64 access unit (Annex B) a line."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.gop_size = 320, 240, "yuv420p", 15
    encoder.framerate = Fraction(30)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    pictures = [red_picture() for _ in range(30)]
    for pts, picture in enumerate(pictures):
        picture.pts = pts
    packets = [packet for picture in [*pictures, None] for packet in encoder.encode(picture)]
    path.write_text("\n".join(base64.b64encode(bytes(packet)).decode() for packet in packets))
    return path


def is_red(colour: Colour) -> bool:
    return all(abs(seen - sent) < 16 for seen, sent in zip(colour, RED, strict=True))


async def check_publisher(served: Served, command: Command, *arguments: str) -> None:
    """What a client publishes is painted, and is gone when it hangs up."""
    name = secrets.token_hex(4)
    url = f"{served.url}/whip/identity?session={name}"
    with running(command, "publish", url, TOKEN, *arguments) as client:
        await until(lambda: name in served.peers._peers or client.ended, START_S)
        async with connected(f"{served.url}/whep/{name}") as frames:
            await until(lambda: len(frames) >= ENOUGH or client.ended, START_S)
            assert len(frames) >= ENOUGH and is_red(frames[-1]), frames
            assert served.peers._find(name).session.report().in_fps > 0
        assert await client.hang_up() == 0
    assert name not in served.peers._peers


async def check_player(served: Served, command: Command, *arguments: str) -> Client:
    """A client gets the frames of a session, and is gone when it hangs up."""
    name = secrets.token_hex(4)
    async with connected(f"{served.url}/whip/identity?session={name}", RedWall()):
        owner = served.peers._find(name)
        with running(command, "play", f"{served.url}/whep/{name}", TOKEN, *arguments) as client:
            await until(lambda: len(client.frames) >= ENOUGH or client.ended, START_S)
            assert len(client.frames) >= ENOUGH
            assert await client.hang_up() == 0
        assert not served.peers._viewers(owner)
    return client


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_gstreamer_publishes(served: Served, codec: str) -> None:
    await check_publisher(served, GSTREAMER, codec)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_gstreamer_plays(served: Served, codec: str) -> None:
    client = await check_player(served, GSTREAMER, codec)
    assert is_red(client.frames[-1]), client.frames[-1]


async def test_libwebrtc_publishes(served: Served) -> None:
    await check_publisher(served, LIBWEBRTC)


async def test_libwebrtc_plays(served: Served) -> None:
    client = await check_player(served, LIBWEBRTC)
    assert is_red(client.frames[-1]), client.frames[-1]


async def test_libdatachannel_publishes_as_obs_does(served: Served, tmp_path: Path) -> None:
    await check_publisher(served, LIBDATACHANNEL, str(write_clip(tmp_path / "clip")))


async def test_libdatachannel_gets_packets_to_play(served: Served) -> None:
    await check_player(served, LIBDATACHANNEL)
