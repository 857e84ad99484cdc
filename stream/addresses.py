"""Who can reach an address."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an interface, given by its IP address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
