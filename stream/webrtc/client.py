"""A client without a browser: sends a camera, gets the painted video back, times it."""

import asyncio
import http.client
import itertools
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from ...model.errors import InputError
from ..marker import read_marker, write_marker
from .encode import Encoding
from .receive import tune, view
from .send import set_encoder

CLOCK_RATE = 90000
CAMERA_ENCODING = Encoding(bitrate=3_000_000, hardware=False)
OnFrame = Callable[[int, float, av.VideoFrame], None]
Json = dict[str, Any]


class Camera(MediaStreamTrack):
    """Frames at a steady rate, each with its number as a bar code; late ones are skipped.

    The first frame has number 1, the n-th of `frames` number n.
    """

    kind = "video"

    def __init__(self, frames: Iterator[NDArray[np.uint8]], fps: float = 30.0) -> None:
        super().__init__()
        self.sent: dict[int, float] = {}
        self._frames = frames
        self._fps = fps
        self._number = 0
        self._start: float | None = None

    async def recv(self) -> av.VideoFrame:
        now = time.perf_counter()
        self._start = now if self._start is None else self._start
        last, self._number = (
            self._number,
            max(self._number + 1, int((now - self._start) * self._fps)),
        )
        await asyncio.sleep(max(0.0, self._start + self._number / self._fps - now))
        rgb = next(itertools.islice(self._frames, self._number - last - 1, None)).copy()
        write_marker(rgb, self._number)
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        picture.pts = round(self._number * CLOCK_RATE / self._fps)
        picture.time_base = Fraction(1, CLOCK_RATE)
        self.sent[self._number] = time.perf_counter()
        return picture


class Client:
    """Publishes by WHIP and takes the painted video back on the same line.

    on_frame: gets number, arrival time [s], picture. session: the key to what was opened.
    name: what others may watch it by.
    plain: leave aiortc as it is, with the latency and the bitrates it comes with.
    """

    def __init__(
        self,
        url: str,
        camera: Camera,
        on_frame: OnFrame,
        *,
        plain: bool = False,
        codec: str = "VP8",
    ) -> None:
        self.session = ""
        self.name = ""
        self.notices: list[Json] = []
        self.failure: Exception | None = None
        self._url = url.rstrip("/")
        self._camera = camera
        self._on_frame = on_frame
        self._plain = plain
        self._codec = codec
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel = self._pc.createDataChannel("control")
        self.channel.on("message", lambda data: self.notices.append(json.loads(data)))
        self._reader: asyncio.Task[None] | None = None

    async def connect(self, **options: object) -> None:
        """Offer the camera; options (style, mirror, session) go along. Raises InputError."""
        video = add_camera(self._pc, self._camera, "sendrecv", self._codec)
        if not self._plain:
            tune(video.receiver)
            set_encoder(video.sender, self._codec, CAMERA_ENCODING)
        self._pc.on("track", self._on_track)
        model = "stock" if self._plain else await asyncio.to_thread(self._model)
        headers = await offer(self._pc, f"{self._url}/whip/{model}?{urlencode(options)}")
        self.session = headers["Location"].rpartition("/")[2]
        shown = re.search(r"</view/([^>]+)>", headers.get("Link", ""))
        self.name = shown[1] if shown else ""

    def say(self, **message: object) -> None:
        """Send a control message."""
        self.channel.send(json.dumps(message))

    async def stats(self) -> Json:
        """Return the server's statistics of this session."""
        return await asyncio.to_thread(
            request_json, f"{self._url}/api/sessions/{self.session}/stats"
        )

    async def close(self) -> None:
        """Hang up."""
        if self._reader:
            self._reader.cancel()
        await self._pc.close()

    def _model(self) -> str:
        return request_json(f"{self._url}/api/models")[0]["name"]

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._reader = asyncio.ensure_future(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                picture = await track.recv()
            except MediaStreamError:
                return
            now = time.perf_counter()
            if isinstance(picture, av.VideoFrame):
                self._on_frame(read_marker(luma(picture)), now, picture)


def add_camera(
    pc: RTCPeerConnection, camera: Camera, direction: str, codec: str
) -> RTCRtpTransceiver:
    """Add a camera to a connection that has not begun, to be sent by one codec."""
    video = pc.addTransceiver(camera, direction=direction)
    codecs = RTCRtpSender.getCapabilities("video").codecs
    video.setCodecPreferences([c for c in codecs if c.name.upper() in (codec, "RTX")])
    return video


async def offer(pc: RTCPeerConnection, url: str) -> Message:
    """Offer a connection to a WHIP or WHEP endpoint (RFC 9725); return the answer's headers.

    Raises InputError with the server's sentence.
    """
    await pc.setLocalDescription(await pc.createOffer())
    headers, answer = await asyncio.to_thread(_post_sdp, url, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return headers


def _post_sdp(url: str, sdp: str) -> tuple[Message, str]:
    with _request(url, sdp.encode(), "application/sdp") as reply:
        return reply.headers, reply.read().decode()


def luma(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """View the luma plane [H, W]."""
    return view(picture.planes[0])


def request_json(url: str, timeout: float = 30.0) -> Any:
    """GET a JSON document. Raises InputError with the server's sentence."""
    with _request(url, timeout=timeout) as reply:
        try:
            return json.load(reply)
        except ValueError as error:
            raise InputError(f"{url}: {error}") from error


def _request(
    url: str, body: bytes | None = None, kind: str = "", timeout: float = 30.0
) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, body, {"Content-Type": kind} if kind else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise InputError(f"{url}: {error}") from error
