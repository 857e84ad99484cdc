"""STUN, TURN, port ranges and outer addresses, with a real coturn where there is one."""

import base64
import contextlib
import hashlib
import hmac
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from bad_wire import inside, two_ends
from serving import serving, until
from test_whip import ask, camera, post

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.stream.bench import free_port
from rotolive.stream.transport import Advancing
from rotolive.stream.webrtc.client import Client
from rotolive.stream.webrtc.ice import _has_loopback_6, allow_loopback
from rotolive.stream.webrtc.network import CREDENTIAL_S, Network, parse_ports
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.app import create_app

SECRET = "north"
CANDIDATE = "a=candidate:f 1 udp 2130706431 {} 50001 typ host\r\n"


def test_passing_credentials_are_those_coturn_computes() -> None:
    network = Network(turn="turn:turn.example.org:3478", turn_secret=SECRET)
    (server,) = network.ice_servers(now=1_000_000)
    assert server.username == f"{1_000_000 + CREDENTIAL_S}:rotolive"
    mac = hmac.new(SECRET.encode(), server.username.encode(), hashlib.sha1).digest()
    assert server.credential == base64.b64encode(mac).decode()
    (link,) = network.links()
    assert link.startswith('<turn:turn.example.org:3478>; rel="ice-server"; username="')
    assert SECRET not in link


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"stun": "https://example.org"}, "stun:host:port"),
        ({"turn": "stun:example.org", "turn_secret": "x"}, "turns:host:port"),
        ({"turn": "turn:example.org"}, "--turn-secret"),
        ({"turn": "turn:example.org", "turn_user": "a"}, "--turn-password"),
        ({"ports": (50000, 50001)}, "50000 to 50001"),
        ({"ports": (50100, 50000)}, "50100 to 50000"),
        ({"ports": (65000, 70000)}, "70000"),
        ({"address": "fe80::1"}, "no IPv4"),
        ({"address": "example.org"}, "example.org"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Network(**settings)


def test_a_range_of_ports_is_read() -> None:
    assert parse_ports("50000-50100") == (50000, 50100)
    for text in ("50000", "a-b", "1-2-3", ""):
        with pytest.raises(InputError, match="50000-50100"):
            parse_ports(text)


def test_the_outer_address_stands_beside_the_inner_ones() -> None:
    network = Network(address="203.0.113.9")
    answer = "v=0\r\n" + CANDIDATE.format("10.0.0.5") + CANDIDATE.format("127.0.0.1") + "a=x\r\n"
    lines = network.advertise(answer).split("\r\n")
    outer = [line for line in lines if "203.0.113.9" in line]
    assert outer == ["a=candidate:fx 1 udp 2130706430 203.0.113.9 50001 typ host"]
    assert [line for line in lines if line not in outer] == answer.split("\r\n")
    assert Network().advertise(answer) == answer


async def test_the_video_keeps_to_its_ports() -> None:
    first = 42_000
    allow_loopback(only=True)
    app = create_app(IdentityModel(2), Settings(network=Network(ports=(first, first + 20))))
    with contextlib.ExitStack() as stack:
        for port in range(first, first + 19):  # all but two are in use
            busy = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                busy.bind(("", port))
        port = stack.enter_context(serving(app))
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver(camera(), "sendonly")
        await pc.setLocalDescription(await pc.createOffer())
        status, _, answer = await post(
            f"http://127.0.0.1:{port}/whip/identity", pc.localDescription.sdp
        )
        assert status == 201
        used = {int(p) for p in re.findall(r"candidate:\S+ 1 udp \d+ \d+\.\S+ (\d+)", answer)}
        assert used and used <= {first + 19, first + 20}
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: pc.connectionState == "connected")
        await pc.close()


async def test_video_comes_over_ipv6() -> None:
    if not _has_loopback_6():
        pytest.skip("this machine speaks no IPv6")
    allow_loopback(only=True)
    app = create_app(IdentityModel(1))
    with serving(app, host="::1") as port:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pc.addTransceiver(camera(), "sendonly")
        await pc.setLocalDescription(await pc.createOffer())
        endpoint = f"http://[::1]:{port}/whip/identity"
        status, _, answer = await post(endpoint, only_ipv6(pc.localDescription.sdp))
        assert status == 201
        answer = only_ipv6(answer)
        assert " ::1 " in answer and "127.0.0.1" not in answer
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        (peer,) = app.state.peers._peers.values()
        await until(lambda: peer.session.stats.frames_in > 10, 15)
        await pc.close()


def only_ipv6(sdp: str) -> str:
    lines = sdp.splitlines(keepends=True)
    return "".join(x for x in lines if not x.startswith("a=candidate") or ":" in x.split()[4])


@pytest.fixture
def turn_port() -> Iterator[int]:
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("coturn is not installed")
    port = free_port()
    command = [program, "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"]
    command += ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"]
    command += ["--realm=rotolive", "--use-auth-secret", f"--static-auth-secret={SECRET}"]
    command += ["--allow-loopback-peers", "--pidfile="]
    coturn = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield port
    coturn.kill()
    coturn.wait()


async def test_video_passes_a_relay_with_the_credentials_handed_out(turn_port: int) -> None:
    """A client that may use relayed candidates only, as behind a strict firewall."""
    allow_loopback(only=True)
    network = Network(turn=f"turn:127.0.0.1:{turn_port}", turn_secret=SECRET)
    app = create_app(IdentityModel(1), Settings(network=network))
    with serving(app) as port:
        endpoint = f"http://127.0.0.1:{port}/whip/identity"
        status, headers, _ = await ask("OPTIONS", endpoint)
        assert status == 204
        found = re.fullmatch(
            r'<(.+)>; rel="ice-server"; username="(.+)"; credential="(.+)"; '
            r'credential-type="password"',
            headers["link"],
        )
        assert found
        server = RTCIceServer(urls=found[1], username=found[2], credential=found[3])
        relay = RTCIceTransportPolicy.RELAY
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[server], iceTransportPolicy=relay))
        pc.addTransceiver(camera(), "sendonly")
        await _offer_until_relayed(pc)
        status, headers, answer = await post(endpoint, pc.localDescription.sdp)
        assert status == 201 and "ice-server" in headers["link"]
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        (peer,) = app.state.peers._peers.values()
        await until(lambda: peer.session.stats.frames_in > 20, 15)
        kinds = {line.split(" typ ")[1].split()[0] for line in _candidates(pc)}
        assert kinds == {"relay"}
        await pc.close()


async def _offer_until_relayed(pc: RTCPeerConnection) -> None:
    await pc.setLocalDescription(await pc.createOffer())
    await until(lambda: bool(_candidates(pc)))


def _candidates(pc: RTCPeerConnection) -> list[str]:
    lines = pc.localDescription.sdp.splitlines()
    return [line for line in lines if line.startswith("a=candidate")]


async def test_a_session_lives_on_a_bad_wire_between_two_hosts() -> None:
    """5% of the packets lost, the others up to 50 ms late and out of order, HTTP's as well."""
    app = create_app(IdentityModel(1), Settings(marker=True))
    with two_ends() as (wire, (there, address), (here, _)), contextlib.ExitStack() as stack:
        with inside(there):
            port = stack.enter_context(serving(app, host=address))
        stack.enter_context(inside(here))
        allow_loopback()
        seen = Advancing(camera())
        client = Client(f"http://{address}:{port}", seen.camera, seen.arrived)
        wire.loss, wire.delay_s = 0.05, 0.05
        await client.connect(mirror=False)
        await until(lambda: len(seen.arrivals) > 45, 30)
        assert 0 < wire.lost < wire.packets
        await until(lambda: client.channel.readyState == "open", 30)
        client.say(type="ping", t=1.5)
        await until(lambda: {"type": "pong", "t": 1.5} in client.notices, 15)
        wire.loss = wire.delay_s = 0.0
        calm = seen.newest
        await until(lambda: seen.newest > calm + 20, 15)
        await client.close()
