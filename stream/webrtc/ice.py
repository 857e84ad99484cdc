"""Host candidates and remote names, so that a connection on one machine needs no network."""

import ipaddress
import logging
import re
import socket
from functools import cache

from aioice import ice as _ice

logger = logging.getLogger(__name__)

LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"
_gather = _ice.get_host_addresses
_MDNS = re.compile(r"^(a=candidate:\S+ \d+ \S+ \d+ )[a-zA-Z0-9-]{1,63}\.local( )", re.MULTILINE)


def _with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    addresses = _gather(use_ipv4, use_ipv6)
    own = _only_loopback(use_ipv4, use_ipv6)
    return [*addresses, *(address for address in own if address not in addresses)]


def _only_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return [LOOPBACK] * use_ipv4 + [LOOPBACK_6] * (use_ipv6 and _has_loopback_6())


@cache
def _has_loopback_6() -> bool:
    """Whether this machine speaks IPv6 to itself; many containers do not."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK_6, 0))
    except OSError:
        return False
    return True


def allow_loopback(*, only: bool = False) -> None:
    """Offer 127.0.0.1 and ::1 as host candidates too, which aioice leaves out (RFC 8445, 5.1.1.1).

    only: offer nothing else. Holds for every connection of this process.
    """
    _ice.get_host_addresses = _only_loopback if only else _with_loopback


def resolve_mdns(sdp: str, client: str | None) -> str:
    """Put the client's address in place of the names that browsers hide theirs behind.

    Without it each `.local` candidate costs a second of multicast (draft-ietf-mmusic-mdns-ice-
    candidates). A wrong address is harmless: the client's own checks tell the right one.
    """
    try:
        address = str(ipaddress.ip_address(client or LOOPBACK))
    except ValueError:
        address = LOOPBACK
    return _MDNS.sub(rf"\g<1>{address}\g<2>", sdp)
