"""What tests of the page need: a Chromium with a made camera, and a server in its own process."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SERVER = Path(__file__).with_name("page_server.py")


def chromium_or_skip() -> str:
    """Return Chromium's path; skip where there is none, but fail on CI."""
    if Path(CHROMIUM).exists():
        return CHROMIUM
    if os.environ.get("CI"):
        pytest.fail(f"CI must have a Chromium at {CHROMIUM}")
    pytest.skip(f"no Chromium at {CHROMIUM}")


def moving_disc(
    count: int = 30, width: int = 320, height: int = 240
) -> Iterator[NDArray[np.uint8]]:
    """Yield RGB [H, W, 3]: an orange disc going round the LEFT half of a dark blue ground."""
    for i in range(count):
        turn = 2 * np.pi * i / count
        picture = np.full((height, width, 3), (20, 30, 70), np.uint8)
        centre = (int(width * 0.27 + 25 * np.cos(turn)), int(height / 2 + 50 * np.sin(turn)))
        yield np.asarray(cv2.circle(picture, centre, 34, (240, 150, 30), -1), np.uint8)


def write_y4m(path: Path, pictures: Iterable[NDArray[np.uint8]] | None = None) -> Path:
    """Write RGB pictures (the disc) as the file a Chromium takes for its camera, 30 fps."""
    with path.open("wb") as file:
        for i, rgb in enumerate(pictures or moving_disc()):
            if i == 0:
                height, width = rgb.shape[:2]
                file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
            file.write(b"FRAME\n" + cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def write_movie(path: Path) -> Path:
    """Write the same as a small WebM, in green."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libvpx", rate=30, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for rgb in moving_disc():
            green = np.ascontiguousarray(rgb[..., [1, 0, 2]])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(green, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The real server in its own process; it can be killed and started again.

    command: what starts it, before the port; a small test model when left out.
    """

    def __init__(self, *command: str) -> None:
        self.port = free_port()
        self._command = command or (sys.executable, str(SERVER))
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, patience_s: float = 30) -> None:
        """Start the process. Raises AssertionError if it does not answer in time."""
        self._process = subprocess.Popen(
            [*self._command, str(self.port)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the server ended while starting"
            try:
                urllib.request.urlopen(f"{self.url}/api/health", timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not answer in time")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


@contextmanager
def chromium(camera: Path) -> Iterator[Any]:
    """Launch a headless Chromium; only contexts with the "camera" permission get the camera."""
    from playwright.sync_api import sync_playwright

    flags = [
        *FLAGS,
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_or_skip(), args=flags)
        try:
            yield browser
        finally:
            browser.close()
