"""Publishing and playing by WHIP and WHEP, with real peers over real sockets."""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from serving import serving, until

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.model.video import VideoReader
from rotolive.stream.marker import read_marker
from rotolive.stream.renderer import Renderer
from rotolive.stream.session import Session
from rotolive.stream.sources import moving_texture
from rotolive.stream.stats import STAGES
from rotolive.stream.webrtc.broadcast import Broadcast, BroadcastTrack, Encoded
from rotolive.stream.webrtc.client import Camera, luma, request_json
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.peers import Peers
from rotolive.stream.webrtc.settings import Settings, parse_size
from rotolive.web.app import create_app

MUXER = """
import sys, time, av
url, folder = sys.argv[1:]
keys = {"cert_file": folder + "/cert.pem", "key_file": folder + "/key.pem"}
with av.open(url, "w", format="whip", options=keys) as out:
    settings = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    stream = out.add_stream("libx264", rate=30, options=settings)
    stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 15
    for i in range(600):
        picture = av.VideoFrame(320, 240, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([(i * 5) % 256]) * plane.buffer_size)
        picture.pts = i
        out.mux(stream.encode(picture))
        time.sleep(1 / 30)
"""


@dataclass(frozen=True)
class Served:
    """A server of the identity model, and what to look into."""

    url: str
    peers: Peers
    recordings: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    allow_loopback(only=True)
    folder = tmp_path_factory.mktemp("made") / "recordings"
    settings = Settings(max_sessions=2, marker=True, recordings=folder, largest=(640, 480))
    app = create_app(IdentityModel(2), settings)
    with serving(app) as port:
        yield Served(f"http://127.0.0.1:{port}", app.state.peers, folder)


class Peer:
    """A WHIP publisher (with a camera) or a WHEP player (without)."""

    def __init__(self, url: str, camera: Camera | None = None, codec: str = "VP8") -> None:
        self.url = url
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.seen: list[tuple[float, int]] = []
        self.resource = ""
        self.tag = ""
        self.link = ""
        video = self.pc.addTransceiver(camera or "video", "sendonly" if camera else "recvonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([c for c in codecs if c.name.upper() in (codec, "RTX")])
        self.pc.on("track", lambda track: self._read(track) if camera is None else None)

    async def connect(self) -> "Peer":
        await self.pc.setLocalDescription(await self.pc.createOffer())
        status, headers, answer = await post(self.url, self.pc.localDescription.sdp)
        assert status == 201, answer
        assert headers["content-type"].startswith("application/sdp")
        self.resource, self.tag = headers["location"], headers["etag"]
        self.link = headers.get("link", "")
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return self

    def _read(self, track: object) -> None:
        self.reader = asyncio.ensure_future(self._keep_reading(track))

    async def _keep_reading(self, track) -> None:  # type: ignore[no-untyped-def]
        while True:
            try:
                picture = await track.recv()
            except MediaStreamError:
                return
            self.seen.append((time.monotonic(), read_marker(luma(picture))))

    async def frames(self, count: int, timeout: float = 8) -> None:
        target = len(self.seen) + count
        await until(lambda: len(self.seen) >= target, timeout)


async def ask(
    method: str, url: str, body: str | None = None, kind: str = "application/sdp"
) -> tuple[int, dict[str, str], str]:
    def do() -> tuple[int, dict[str, str], str]:
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as reply:
                headers = {k.lower(): v for k, v in reply.headers.items()}
                return reply.status, headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            headers = {k.lower(): v for k, v in error.headers.items()}
            return error.code, headers, error.read().decode()

    return await asyncio.to_thread(do)


async def post(url: str, body: str) -> tuple[int, dict[str, str], str]:
    return await ask("POST", url, body)


def camera() -> Camera:
    return Camera(moving_texture(320, 240, frames=10))


async def publish(served: Served, query: str = "", codec: str = "VP8") -> tuple[Peer, str]:
    publisher = await Peer(f"{served.url}/whip/identity{query}", camera(), codec).connect()
    found = re.fullmatch(r'</view/(.+)>; rel="alternate"', publisher.link)
    assert found, publisher.link
    return publisher, found[1]


async def hang_up(served: Served, *peers: Peer) -> None:
    for peer in peers:
        await ask("DELETE", served.url + peer.resource)
        await peer.pc.close()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_what_is_published_can_be_played(served: Served, codec: str) -> None:
    publisher, name = await publish(served, codec=codec)
    assert publisher.resource.startswith("/whip/identity/") and publisher.tag.startswith('"')
    assert name not in publisher.resource
    viewer = await Peer(f"{served.url}/whep/{name}", codec=codec).connect()
    await viewer.frames(20)
    numbers = [number for _, number in viewer.seen if number]
    assert len(numbers) > 15 and numbers == sorted(set(numbers))
    assert (await ask("DELETE", served.url + viewer.resource))[0] == 200
    assert (await ask("DELETE", served.url + viewer.resource))[0] == 404
    assert (await ask("DELETE", served.url + publisher.resource))[0] == 200
    assert len(served.peers) == 0
    await hang_up(served, viewer, publisher)


async def test_all_viewers_share_one_encoder_and_a_late_one_joins_at_once(served: Served) -> None:
    publisher, name = await publish(served, "?session=stage")
    assert name == "stage"
    viewers = [await Peer(f"{served.url}/whep/stage").connect() for _ in range(3)]
    for viewer in viewers:
        await viewer.frames(10)
    broadcast = served.peers._find("stage").broadcast
    (lane,) = broadcast._lanes.values()
    assert len(lane.watchers) == 3
    asked = time.monotonic()
    late = await Peer(f"{served.url}/whep/stage").connect()
    await late.frames(1)
    connected = served.peers._peers[late.resource.rpartition("/")[2]]._pc.connectionState
    assert connected == "connected" and late.seen[0][0] - asked < 2
    await hang_up(served, *viewers, late, publisher)


async def test_nothing_is_painted_for_nobody(served: Served) -> None:
    publisher, name = await publish(served)
    session = served.peers._find(name).session
    await until(lambda: session.report().in_fps > 5)
    assert session.report().fps == 0
    viewer = await Peer(f"{served.url}/whep/{name}").connect()
    await viewer.frames(5)
    await hang_up(served, viewer)
    await until(lambda: session.report().fps == 0)
    await hang_up(served, publisher)


async def test_pictures_that_are_too_large_end_the_session(served: Served) -> None:
    """The limit of this server is 640x480, either way round."""
    tall = Camera(moving_texture(480, 640, frames=5))
    fits = await Peer(f"{served.url}/whip/identity?session=tall", tall).connect()
    await until(lambda: served.peers._peers["tall"].session.stats.frames_in > 3)
    wide = Camera(moving_texture(960, 400, frames=5))
    await Peer(f"{served.url}/whip/identity?session=wide", wide).connect()
    refused = served.peers._peers["wide"]
    await until(lambda: "wide" not in served.peers._peers)
    assert refused.session.stats.frames_in == 0 and refused.session.closed
    assert "tall" in served.peers._peers
    await hang_up(served, fits)


async def test_every_hop_of_a_frame_is_in_the_metrics(served: Served) -> None:
    publisher, name = await publish(served)
    viewer = await Peer(f"{served.url}/whep/{name}").connect()
    await viewer.frames(5)
    _, headers, text = await ask("GET", f"{served.url}/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    found = dict(re.findall(r"^(rotolive_\S+) (\S+)$", text, re.M))
    assert float(found["rotolive_sessions"]) == 1 and float(found["rotolive_viewers"]) == 1
    frames = float(found['rotolive_frames_total{way="out"}'])
    assert 5 <= frames <= float(found['rotolive_frames_total{way="in"}'])
    for hop in STAGES:
        assert float(found[f'rotolive_hop_seconds_count{{hop="{hop}"}}']) >= frames
    sums = {hop: float(found[f'rotolive_hop_seconds_sum{{hop="{hop}"}}']) for hop in STAGES}
    assert sums["receive"] > 0
    hops = sum(sums.values()) - sums["receive"]  # the latency counts from the last packet
    assert hops == pytest.approx(float(found["rotolive_latency_seconds_sum"]), rel=0.01)
    await hang_up(served, viewer, publisher)


async def test_a_session_is_recorded_on_demand_and_to_the_end(served: Served) -> None:
    publisher, _ = await publish(served, "?session=film")
    key = publisher.resource.rpartition("/")[2]
    recording = f"{served.url}/api/sessions/{key}/recording"
    assert (await ask("DELETE", recording))[0] == 409
    status, _, text = await ask("POST", recording, "")
    assert status == 201
    name = json.loads(text)["file"]
    status, _, text = await ask("POST", recording, "")
    assert status == 409 and "already" in text
    session = served.peers._find("film").session
    await until(lambda: session.stats.frames_out > 30)  # though nobody watches
    status, _, text = await ask("DELETE", recording)
    assert status == 200 and json.loads(text)["file"] == name
    film = VideoReader(served.recordings / name)
    numbers = [read_marker(picture.rgb.mean(-1).astype(np.uint8)) for picture in film]
    assert len(numbers) == json.loads(text)["frames"] >= 30
    assert numbers[1:] == sorted(set(numbers[1:])) and film.seconds > 0.8
    assert (await ask("POST", recording, ""))[0] == 201
    before = session.stats.frames_out
    await until(lambda: session.stats.frames_out > before + 10)
    await hang_up(served, publisher)
    await until(lambda: len(list(served.recordings.glob("film-*.mp4"))) == 2)
    assert (await ask("POST", recording, ""))[0] == 404


async def test_viewers_leave_with_the_session_and_the_session_stays_without_them(
    served: Served,
) -> None:
    publisher, name = await publish(served)
    first, second = [await Peer(f"{served.url}/whep/{name}").connect() for _ in range(2)]
    await second.frames(5)
    await hang_up(served, first)
    await second.frames(5)
    await ask("DELETE", served.url + publisher.resource)
    assert not served.peers._peers
    await until(lambda: second.pc.connectionState in ("closed", "failed", "disconnected"), 15)
    await hang_up(served, second, publisher)


async def test_a_page_s_session_can_be_watched_too(served: Served) -> None:
    from rotolive.stream.webrtc.client import Client

    seen: list[int] = []
    client = Client(served.url, camera(), lambda number, *_: seen.append(number))
    await client.connect()
    viewer = await Peer(f"{served.url}/whep/{client.name}").connect()
    await viewer.frames(10)
    await until(lambda: len(seen) > 10)
    await client.close()
    await hang_up(served, viewer)
    await asyncio.to_thread(lambda: request_json(f"{served.url}/api/health"))


async def test_a_publisher_that_dropped_off_comes_back_under_its_name(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, _ = await publish(served, "?session=again")
    before = served.peers._find("again")
    monkeypatch.setattr("rotolive.stream.webrtc.peers.ABSENT_S", -1)
    publisher, name = await publish(served, "?session=again")
    assert name == "again" and served.peers._find(name) is not before
    assert before.session.closed and len(served.peers) == 1
    await hang_up(served, gone, publisher)


async def test_nothing_is_kept_for_a_viewer_who_is_not_there_yet() -> None:
    session = Session(Renderer(IdentityModel(1)))
    broadcast = Broadcast(session)
    track = BroadcastTrack(broadcast)
    lane = track._lane = broadcast.join(track, "VP8")
    stale, fresh = (Encoded(payloads=[], timestamp=i, key=True) for i in range(2))
    lane.hand_out(stale)
    lane._key_wanted = False
    first = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    assert lane._key_wanted
    lane.hand_out(fresh)
    assert await first is fresh
    session.close()


async def test_what_cannot_be_served_gets_its_status_and_a_sentence(served: Served) -> None:
    publisher, name = await publish(served, "?session=mine")
    offer, key = publisher.pc.localDescription.sdp, publisher.resource.rpartition("/")[2]
    whip, whep = f"{served.url}/whip/identity", f"{served.url}/whep"
    for method, url, body, kind, status, words in (
        ("POST", f"{served.url}/whip/nobody", offer, "application/sdp", 404, "identity"),
        ("POST", f"{whep}/nobody", offer, "application/sdp", 404, "no such session"),
        ("POST", whip, offer, "application/json", 415, "application/sdp"),
        ("POST", whip, "hello", "application/sdp", 400, "not SDP"),
        ("POST", whip, "x" * 70_000, "application/sdp", 413, "64 KiB"),
        ("POST", f"{whip}?session=mine", offer, "application/sdp", 409, "in use"),
        ("POST", f"{whip}?session=a/b", offer, "application/sdp", 400, "A-Z"),
        ("POST", f"{whip}?style=7", offer, "application/sdp", 422, "no style 7"),
        ("POST", f"{whip}?style=red", offer, "application/sdp", 422, "error\":\"style is 'red': "),
        ("POST", f"{whep}/{name}", offer, "application/sdp", 422, "recvonly"),
        ("PATCH", f"{whip}/{name}", "", "application/trickle-ice-sdpfrag", 405, "Not Allowed"),
        ("DELETE", f"{whip}/nobody", None, "", 404, "no such session"),
        ("DELETE", f"{whip}/{name}", None, "", 404, "no such session"),  # known to all viewers
        ("DELETE", f"{served.url}/whip/nobody/{key}", None, "", 404, "identity"),
        ("DELETE", f"{whep}/{name}/nobody", None, "", 404, "no such viewer"),
    ):
        found, _, text = await ask(method, url, body, kind)
        assert (found, words in text) == (status, True), (url, found, text)
    assert len(served.peers) == 1
    await hang_up(served, publisher)


async def test_ffmpeg_s_whip_muxer_publishes(served: Served, tmp_path: Path) -> None:
    certificate(tmp_path)
    url = f"{served.url}/whip/identity?session=ffmpeg"
    command = [sys.executable, "-c", MUXER, url, str(tmp_path)]
    muxer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        await until(lambda: muxer.poll() is not None or "ffmpeg" in served.peers._peers)
        assert muxer.poll() is None, muxer.communicate()[1]
        viewer = await Peer(f"{served.url}/whep/ffmpeg").connect()
        await viewer.frames(20)
        await hang_up(served, viewer)
    finally:
        muxer.kill()
        muxer.communicate()


def certificate(folder: Path) -> None:
    """A P-256 certificate, which the muxer does not make by itself."""
    from aiortc import RTCCertificate
    from cryptography.hazmat.primitives import serialization

    made = RTCCertificate.generateCertificate()
    key = made._key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(made._cert.public_bytes(serialization.Encoding.PEM))


def test_sizes_are_read_and_checked() -> None:
    settings = Settings(largest=parse_size("1920x1080"))
    settings.check_size(1080, 1920)
    with pytest.raises(InputError, match="3840x2160; at most 1920x1080"):
        settings.check_size(3840, 2160)
    for text in ("1920", "0x5", "axb", "1920x1080x3"):
        with pytest.raises(InputError, match="1920x1080"):
            parse_size(text)
