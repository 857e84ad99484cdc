"""A server of palette pictures whose colours are known, and what talks to it."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray
from serving import serving

from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.palette import palette
from rotolive.model.live import PaletteModel, Picture
from rotolive.nodes.client import Client, Painted
from rotolive.stream.bench import free_port
from rotolive.stream.engine import EngineSettings
from rotolive.stream.webrtc.peers import Peers
from rotolive.stream.webrtc.settings import Settings
from rotolive.stream.wire.header import (
    FROM_SERVER,
    Frame,
    Header,
    Hello,
    Part,
    dump,
    parse,
)
from rotolive.stream.wire.message import describe, encode
from rotolive.stream.wire.planes import most_bytes
from rotolive.web.access import Access
from rotolive.web.app import create_app

W, H = 128, 64


CLASSES = ("void", "road", "building", "car")


COLOURS = palette(STREET)[[STREET.index(name) for name in ("unlabeled", *CLASSES[1:])]]


class SlowPalette(PaletteModel):
    """Takes its time, as long as `delay` says."""

    delay = 0.0
    resets = 0
    styles_seen: set[int]

    def __init__(self, slots: int) -> None:
        super().__init__(slots, W, H)
        self.styles, self.styles_seen = ("day", "night"), set()

    def step(self, requests: Any) -> list[Picture]:
        time.sleep(self.delay)
        self.styles_seen |= {int(np.argmax(request.style)) for request in requests}
        return super().step(requests)

    def reset(self, slot: int) -> None:
        self.resets += 1


@dataclass(frozen=True)
class Served:
    url: str
    tcp: str
    ipc: str
    published: str
    peers: Peers
    model: SlowPalette

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws") + "/api/engine"


@contextlib.contextmanager
def served_at(folder: Path, access: Access | None = None, **more: Any) -> Iterator[Served]:
    tcp, ipc = f"tcp://127.0.0.1:{free_port()}", f"ipc://{folder}/engine"
    published = f"ipc://{folder}/published"
    model = SlowPalette(2)
    settings = EngineSettings(addresses=(tcp, ipc), publish=published, **more)
    app = create_app(model, Settings(largest=(640, 480)), access or Access(), settings)
    options = {"ws": "websockets-sansio", "ws_max_size": most_bytes((640, 480))}
    with serving(app, **options, ws_per_message_deflate=False) as port:
        yield Served(f"http://127.0.0.1:{port}", tcp, ipc, published, app.state.peers, model)


def wait_for(condition: Callable[[], Any], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def stripes(*ids: int) -> NDArray[np.uint8]:
    """Return labels [H, W] in as many upright stripes of the same width."""
    return np.repeat(np.array(ids, np.uint8), W // len(ids))[None].repeat(H, 0)


def client(address: str, classes: Any = CLASSES, **options: Any) -> Client:
    return Client(address, classes, size=(W, H), **options)


def painted(client: Client, timeout: float = 5.0, **planes: Any) -> Painted:
    """Send a frame until it comes back."""
    client.wait(timeout)
    client.send(**planes)
    return arrived(client, lambda picture: picture.seq == client._seq, timeout)


def arrived(client: Client, wanted: Callable[[Painted], bool], timeout: float = 5.0) -> Painted:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        picture = client.receive(0.2)
        if picture and wanted(picture):
            return picture
    raise AssertionError(f"no such picture came; {client.stats} {client.error}")


@contextlib.contextmanager
def bare(address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger, link.rcvtimeo, link.sndtimeo = 100, 5000, 5000
        link.connect(address)
        yield link


def hello(**fields: Any) -> bytes:
    about: Any = {"stream": "game", "width": W, "height": H, "classes": CLASSES}
    return dump(Hello(**(about | fields)))


def frame(seq: int, label: NDArray[np.uint8]) -> list[Part]:
    height, width = label.shape
    planes = {"label": label}
    return encode(Frame(seq=seq, width=width, height=height, planes=describe(planes)), planes)


def say(link: zmq.Socket[bytes], header: bytes) -> None:
    link.send_multipart([header])


def hear(link: zmq.Socket[bytes]) -> tuple[Header, list[bytes]]:
    header, *parts = link.recv_multipart()
    return parse(header, FROM_SERVER), parts


@contextlib.contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert server.stdout and server.stdout.readline().startswith(b"ready")
        yield server
    finally:
        server.terminate()
        server.wait(10)
