"""Two network namespaces, and a wire between them that loses, delays and shuffles packets.

Done with TUN devices, as the kernel's netem is not everywhere where namespaces are.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET = 4096


class BadWire:
    """Carries packets between two TUN devices both ways, on a thread, until it is closed.

    loss: the share that never arrives. delay_s: the others take a random time up to this.
    """

    def __init__(self, ends: tuple[int, int], seed: int = 0) -> None:
        self.loss = 0.0
        self.delay_s = 0.0
        self.packets = self.lost = 0
        self._other = {ends[0]: ends[1], ends[1]: ends[0]}
        self._rng = random.Random(seed)
        self._due: list[tuple[float, int, int, bytes]] = []
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._open = False
        self._thread.join()

    def _run(self) -> None:
        while self._open:
            wait = self._due[0][0] - time.monotonic() if self._due else 0.05
            readable, _, _ = select.select(list(self._other), [], [], min(0.05, max(0.0, wait)))
            for end in readable:
                self._take(os.read(end, PACKET), self._other[end])
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(self._due)
                with suppress(OSError):
                    os.write(end, packet)

    def _take(self, packet: bytes, to: int) -> None:
        self.packets += 1
        if self._rng.random() < self.loss:
            self.lost += 1
            return
        at = time.monotonic() + self._rng.uniform(0, self.delay_s)
        heapq.heappush(self._due, (at, self.packets, to, packet))


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run this thread, and those that it starts, in a network namespace while the block runs."""
    with open("/proc/thread-self/ns/net") as own, open(f"/var/run/netns/{namespace}") as other:
        _set_namespace(other.fileno())
        try:
            yield
        finally:
            _set_namespace(own.fileno())


@contextmanager
def two_ends() -> Iterator[tuple[BadWire, tuple[str, str], tuple[str, str]]]:
    """Make the wire; give it, and name and address of either end. Skips where that is forbidden."""
    if shutil.which("ip") is None or not os.path.exists("/dev/net/tun"):
        pytest.skip("no ip command, or no TUN devices")
    names = tuple(f"wire{os.getpid()}{end}" for end in "ab")
    with ExitStack() as stack:
        devices = []
        for i, name in enumerate(names):
            if _ip("netns", "add", name):
                pytest.skip("network namespaces are not permitted here")
            stack.callback(_ip, "netns", "delete", name)
            try:
                with inside(name):
                    devices.append(_tun())
            except OSError as error:
                pytest.skip(f"TUN devices are not permitted here: {error}")
            stack.callback(os.close, devices[-1])
            for command in (
                ("address", "add", f"10.77.0.{i + 1}/24", "dev", "wire0"),
                ("link", "set", "wire0", "up"),
                ("link", "set", "lo", "up"),
            ):
                assert not _ip("-n", name, *command)
        wire = BadWire((devices[0], devices[1]))
        stack.callback(wire.close)
        yield wire, (names[0], "10.77.0.1"), (names[1], "10.77.0.2")


def _set_namespace(file: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, 0):
        raise OSError(ctypes.get_errno(), "setns failed")


def _tun() -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"wire0", IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(device)
        raise
    return device


def _ip(*arguments: str) -> int:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode
