"""HTTPS with a certificate of our own making, over a real socket."""

import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from serving import serving

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.web.app import create_app
from rotolive.web.tls import Tls, self_signed


def test_the_page_comes_over_https(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    files = {"ssl_certfile": tls.certificate, "ssl_keyfile": str(tls.key)}
    trusting = ssl.create_default_context(cafile=str(tls.certificate))
    with serving(create_app(IdentityModel(1)), **files) as port:
        for host in ("localhost", "127.0.0.1"):
            page = httpx.get(f"https://{host}:{port}/", verify=trusting, trust_env=False)
            assert page.is_success


def test_a_certificate_is_kept_until_it_no_longer_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = self_signed(tmp_path).certificate.read_bytes()
    assert self_signed(tmp_path).certificate.read_bytes() == first
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("rotolive.web.tls.get_host_addresses", lambda **_: ["192.0.2.9"])
    second = x509.load_pem_x509_certificate(self_signed(tmp_path).certificate.read_bytes())
    names = second.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "192.0.2.9" in map(str, names.get_values_for_type(x509.IPAddress))


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("hello")
    for name in ("no.pem", "missing.pem"):
        with pytest.raises(InputError, match=name):
            Tls(certificate=tmp_path / name, key=tmp_path / name)
