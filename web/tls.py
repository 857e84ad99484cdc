"""HTTPS: browsers give the camera to pages of this machine, or over TLS, and to no others."""

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aioice.ice import get_host_addresses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..model.cache import cache_folder
from ..model.errors import InputError

VALID = timedelta(days=365)
RENEWED = timedelta(days=30)
"""Before its end a certificate is made anew."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files of a certificate (chain) and its key."""

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"{self.certificate} and {self.key} are no certificate with its key in PEM: {error}"
            ) from error


def self_signed(folder: Path | None = None) -> Tls:
    """Make, or find again, a certificate for this machine's names; browsers will warn of it.

    It is made anew when it nears its end or the machine has another address.
    """
    folder = folder or cache_folder() / "tls"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = _own_names()
    if not (key.is_file() and _still_good(certificate, names)):
        _make(certificate, key, names)
    return Tls(certificate=certificate, key=key)


def _own_names() -> list[x509.GeneralName]:
    addresses = {"127.0.0.1", "::1", *get_host_addresses(use_ipv4=True, use_ipv6=True)}
    own = sorted(address.partition("%")[0] for address in addresses)
    return [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in own)]


def _still_good(path: Path, names: list[x509.GeneralName]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return set(names) <= set(known) and found.not_valid_after_utc > datetime.now(UTC) + RENEWED


def _make(certificate: Path, key: Path, names: list[x509.GeneralName]) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rotolive on this machine")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(secret, hashes.SHA256())
    )
    encoded = secret.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate.parent.mkdir(parents=True, exist_ok=True)
    key.unlink(missing_ok=True)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(encoded)
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
