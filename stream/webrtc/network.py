"""How peers reach each other beyond one network: STUN, TURN, a range of ports, an outer address."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

from ...model.errors import InputError

CREDENTIAL_S = 12 * 3600
"""How long a TURN password made from the secret holds."""
LEAST_PORTS = 10
_HOST = re.compile(r"^a=candidate:(\S+) (\d+) udp (\d+) (\S+) (\d+) typ host(.*)$", re.M)


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is offered to peers besides this machine's own addresses.

    stun, turn: URLs (RFC 7064, RFC 7065). turn_user, turn_password: fixed ones; turn_secret: makes
    passing ones, as coturn's use-auth-secret takes them. ports: first and last UDP port to use.
    address: this machine's outer IPv4 address, where it is behind a one-to-one NAT.
    Raises InputError for what cannot work.
    """

    stun: str | None = None
    turn: str | None = None
    turn_user: str | None = None
    turn_password: str | None = None
    turn_secret: str | None = None
    ports: tuple[int, int] | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        _check_url("stun", self.stun, ("stun",))
        _check_url("turn", self.turn, ("turn", "turns"))
        fixed = self.turn_user is not None and self.turn_password is not None
        if self.turn and fixed == (self.turn_secret is not None):
            raise InputError(
                "a TURN server needs either --turn-user with --turn-password, or --turn-secret"
            )
        if self.ports and not 1 <= self.ports[0] <= self.ports[1] - LEAST_PORTS <= 65535:
            raise InputError(
                f"the ports {self.ports[0]} to {self.ports[1]} are no range of "
                f"{LEAST_PORTS} or more between 1 and 65535"
            )
        if self.address:
            _check_address(self.address)

    def ice_servers(self, now: float | None = None) -> list[RTCIceServer]:
        """Return the servers with credentials that hold from `now` [s] on."""
        servers = [RTCIceServer(urls=self.stun)] if self.stun else []
        if self.turn:
            user, password = self._credentials(time.time() if now is None else now)
            servers.append(RTCIceServer(urls=self.turn, username=user, credential=password))
        return servers

    def links(self) -> list[str]:
        """Return the servers as values of Link headers (RFC 9725, 4.6)."""
        return [_link(server) for server in self.ice_servers()]

    def advertise(self, sdp: str) -> str:
        """Give every host candidate of an answer a twin at the outer address."""
        address = self.address
        if address is None:
            return sdp

        def twin(match: re.Match[str]) -> str:
            foundation, component, priority, host, port, more = match.groups()
            if ":" in host or ipaddress.ip_address(host).is_loopback:
                return match[0]
            outer = f"{foundation}x {component} udp {int(priority) - 1} {address} {port}"
            return f"{match[0]}\r\na=candidate:{outer} typ host{more.rstrip()}"

        return _HOST.sub(twin, sdp.replace("\r\n", "\n")).replace("\r", "").replace("\n", "\r\n")

    def keep_to_ports(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let UDP sockets that this loop opens on any port take one of the range.

        aioice has no such setting. Raises OSError at the socket when all of them are in use.
        """
        if self.ports is None:
            return
        first, last = self.ports
        opened = loop.create_datagram_endpoint

        async def create(protocol: Callable[[], Any], *args: Any, **more: Any) -> Any:
            host, port = (more.get("local_addr") or (None, None))[:2]
            if port != 0:
                return await opened(protocol, *args, **more)
            for chosen in random.sample(range(first, last + 1), last + 1 - first):
                try:
                    return await opened(protocol, *args, **{**more, "local_addr": (host, chosen)})
                except OSError:
                    continue
            raise OSError(f"all UDP ports from {first} to {last} are in use on {host}")

        loop.create_datagram_endpoint = create  # type: ignore[method-assign]

    def _credentials(self, now: float) -> tuple[str, str]:
        """Fixed ones, or a passing user name and its HMAC-SHA1 (draft-uberti-behave-turn-rest)."""
        if self.turn_secret is None:
            return self.turn_user or "", self.turn_password or ""
        user = f"{int(now) + CREDENTIAL_S}:rotolive"
        digest = hmac.digest(self.turn_secret.encode(), user.encode(), hashlib.sha1)
        return user, base64.b64encode(digest).decode()


def parse_ports(text: str) -> tuple[int, int]:
    """Read "50000-50100". Raises InputError."""
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if match is None:
        raise InputError(f"the ports {text!r} are no range; give one such as 50000-50100")
    return int(match[1]), int(match[2])


def _link(server: RTCIceServer) -> str:
    link = f'<{server.urls}>; rel="ice-server"'
    if server.username:
        link += f'; username="{server.username}"; credential="{server.credential}"'
        link += '; credential-type="password"'
    return link


def _check_url(name: str, url: str | None, schemes: tuple[str, ...]) -> None:
    if url is None:
        return
    try:
        known = parse_stun_turn_uri(url)["scheme"] in schemes
    except ValueError:
        known = False
    if not known:
        accepted = " or ".join(f"{scheme}:host:port" for scheme in schemes)
        raise InputError(f"the {name.upper()} server {url!r} is no address like {accepted}")


def _check_address(address: str) -> None:
    try:
        ipaddress.IPv4Address(address)
    except ValueError as error:
        raise InputError(f"the outer address {address!r} is no IPv4 address") from error
