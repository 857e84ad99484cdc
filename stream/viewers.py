"""Many viewers of one session: what they cost the server.

Run as a program it is the viewers: for each number read from standard input it is that many, and
says how many pictures each of them has got, as a JSON list on one line.
"""

import argparse
import asyncio
import contextlib
import json
import queue
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection

from ..model.errors import InputError
from .bench import Result, cpu_seconds
from .sources import moving_texture
from .webrtc.client import CAMERA_ENCODING, Camera, add_camera, offer
from .webrtc.ice import allow_loopback
from .webrtc.send import set_encoder

MANY = 20
SIZE = (256, 256)
SETTLE_S = 0.5
FIRST_PICTURE_S = 20.0


class PictureCounter(queue.Queue[Any]):
    """Stands where a receiver has its decoder's queue: counts pictures, decodes none."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            super().put(None)
        else:
            self.pictures += 1


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def publish(url: str, camera: Camera) -> RTCPeerConnection:
    """Send a camera, as VP8, to a WHIP endpoint; nothing comes back."""
    pc = _connection()
    video = add_camera(pc, camera, "sendonly", "VP8")
    set_encoder(video.sender, "VP8", CAMERA_ENCODING)
    await offer(pc, url)
    return pc


async def play(url: str) -> tuple[RTCPeerConnection, PictureCounter]:
    """Watch a WHEP endpoint: packets are received, acknowledged and counted, as by any player."""
    pc, counter = _connection(), PictureCounter()
    video = pc.addTransceiver("video", direction="recvonly")
    video.receiver._RTCRtpReceiver__decoder_queue = counter  # type: ignore[attr-defined]
    await offer(pc, url)
    return pc, counter


async def bench_viewers(url: str, pid: int, until: float, many: int = MANY) -> Result:
    """Measure the CPU seconds per second of process `pid`, the server, with one viewer and many.

    until: monotonic time to be done at. The pictures of the session come from here, the viewers
    are a process of their own; viewers_fps_min is the least that any of the many got.
    """
    allow_loopback(only=True)
    publisher = await publish(f"{url}/whip/identity?session=crowd", Camera(moving_texture(*SIZE)))
    try:
        async with _crowd(f"{url}/whep/crowd") as crowd:
            await _count(crowd, 1)
            one, _ = await _load(crowd, pid, 1, (until - time.monotonic()) / 3)
            await _count(crowd, many)
            all_, fps = await _load(crowd, pid, many, until - time.monotonic() - SETTLE_S)
    finally:
        await publisher.close()
    return {
        "viewers_1_cpu": round(one, 3),
        f"viewers_{many}_cpu": round(all_, 3),
        "viewers_cpu_ratio": round(all_ / one, 2) if one else 0.0,
        "viewers_fps_min": round(min(fps), 2),
    }


async def _load(
    crowd: asyncio.subprocess.Process, pid: int, viewers: int, seconds: float
) -> tuple[float, list[float]]:
    """Return the process's CPU seconds per second, and each viewer's pictures per second."""
    await asyncio.sleep(SETTLE_S)
    before = await _count(crowd, viewers)
    cpu, start = cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(max(1.0, seconds - SETTLE_S))
    cpu, elapsed = cpu_seconds(pid) - cpu, time.perf_counter() - start
    after = await _count(crowd, viewers)
    return cpu / elapsed, [(b - a) / elapsed for a, b in zip(before, after, strict=True)]


@contextlib.asynccontextmanager
async def _crowd(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run this file as a program while the block runs."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, url, stdin=pipe, stdout=pipe
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _count(crowd: asyncio.subprocess.Process, viewers: int) -> list[int]:
    """Have that many viewers, all with a picture; return how many each has got so far."""
    assert crowd.stdin and crowd.stdout
    crowd.stdin.write(f"{viewers}\n".encode())
    line = await crowd.stdout.readline()
    if not line:
        raise InputError("the viewers ended; see what they said")
    return json.loads(line)


async def _watch(url: str) -> None:
    """Be the viewers, until standard input ends."""
    viewers: list[tuple[RTCPeerConnection, PictureCounter]] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        missing = int(line) - len(viewers)
        viewers += await asyncio.gather(*(play(url) for _ in range(missing)))
        await _all_see([counter for _, counter in viewers])
        print([counter.pictures for _, counter in viewers], flush=True)


async def _all_see(counters: list[PictureCounter]) -> None:
    deadline = time.monotonic() + FIRST_PICTURE_S
    while blind := sum(not counter.pictures for counter in counters):
        if time.monotonic() > deadline:
            raise InputError(f"{blind} of {len(counters)} viewers have got no picture")
        await asyncio.sleep(0.02)


def main() -> None:
    """Watch a WHEP endpoint with as many viewers as standard input says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    allow_loopback(only=True)
    asyncio.run(_watch(parser.parse_args().url))


if __name__ == "__main__":
    main()
