"""Certificates that end soon are told, of servers and of files."""

from __future__ import annotations

import socket
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from tests.servers.certificates import Authority
from tests.servers.tls_front import TlsFront
from tests.waiting import PATIENCE
from workers.connectors.certificates import ends_in
from workers.preflight import certificates
from workers.settings.urls import split

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def told(url: str) -> list[tuple[str, str]]:
    return [(step.mark, step.what) for step in certificates.of_urls([("redis", split(url))])]


def test_the_end_is_the_one_that_another_reader_finds(authority: Authority, tmp_path: Path) -> None:
    for days in (3, 9_000, 40_000):  # the last: a year that two digits cannot hold
        authority.server("localhost", days=days)
        for path in (authority.file, tmp_path / "server.pem"):
            assert ends_in(path) == [x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc]


@pytest.mark.parametrize(("scheme", "asks"), [("rediss", False), ("postgresql", True)])
@pytest.mark.parametrize(
    ("days", "mark", "said"),
    [
        (3, "warning", "the server's certificate ends on"),
        (-2, "mistake", "has ended on"),
        (29, "fine", "1 certificate"),
    ],
)
def test_a_server_s_certificate_that_ends_soon_is_told(
    authority: Authority, scheme: str, asks: bool, days: int, mark: str, said: str
) -> None:
    with TlsFront(1, authority.server("127.0.0.1", days=days), asks=asks) as front:
        ((found, what),) = told(f"{scheme}://u@127.0.0.1:{front.port}/d")
    assert (found, said in what) == (mark, True), what


class MySql:
    """What a MySQL server says until TLS begins."""

    def __init__(self, context: ssl.SSLContext, flags: int) -> None:
        self._context, self._flags = context, flags
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        link, _ = self._server.accept()
        greeting = b"\x0a8.4.0\0" + bytes(4) + b"12345678" + b"\0" + self._flags.to_bytes(2, "little") + bytes(30)
        with link:
            link.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
            wish = link.recv(36)
            if wish:
                assert wish[:4] == b"\x20\0\0\x01"
                self._context.wrap_socket(link, server_side=True).close()

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._server.close()


@pytest.mark.parametrize(("flags", "mark"), [(1 << 11, "warning"), (0, "fine")])
def test_mysql_is_asked_for_tls_in_its_own_words(authority: Authority, flags: int, mark: str) -> None:
    with closing(MySql(authority.server("127.0.0.1", days=3), flags)) as server:
        ((found, what),) = told(f"mysql://u@127.0.0.1:{server.port}/d")
    assert (found, "none is used" in what) == (mark, not flags)


def test_files_that_a_url_names_are_looked_at(authority: Authority, tmp_path: Path) -> None:
    authority.server("x", days=3)
    own = tmp_path / "server.pem"
    url = f"rediss://127.0.0.1:1/0?ssl_ca_certs={authority.file}&ssl_certfile={own}"
    (away, late) = told(url)
    assert away == ("skipped", "redis: its certificate cannot be looked at: Connection refused")
    assert late[0] == "warning"
    assert late[1].startswith(f"redis: our certificate in {own} (ssl_certfile) ends on")
    authority.file.write_text("nothing")
    assert ("skipped", "redis: its certificate cannot be looked at: holds no certificate in PEM") in told(url)


def test_of_an_authority_s_old_and_new_certificate_the_new_one_counts(authority: Authority, tmp_path: Path) -> None:
    authority.server("x", days=-3)
    authority.file.write_text((tmp_path / "server.pem").read_text() + authority.file.read_text())
    assert [mark for mark, _ in told(f"mysql://u@/d?unix_socket=/run/m&ssl_ca={authority.file}")] == ["fine"]


def test_what_is_no_tls_has_no_certificate() -> None:
    for url in ("redis://127.0.0.1:1/0", "sqlite:////tmp/x.db", "postgresql://u@127.0.0.1:1/d?sslmode=disable"):
        marks = [mark for mark, what in told(url) if "refused" not in what]
        assert marks == ["fine"]


def test_files_that_hold_a_private_key_are_found(tmp_path: Path) -> None:
    both, alone = tmp_path / "both.pem", tmp_path / "alone.pem"
    both.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n")
    alone.write_text("-----BEGIN CERTIFICATE-----\n")
    for own, key in (*certificates.OWN.items(), ("cert_file", "key_file")):
        url = split(f"mysql://db/crm?{own}={alone}&{key}=/k/client.key")
        assert [str(path) for path in certificates.key_files([("connector crm", url)])] == ["/k/client.key"]
        assert list(certificates.key_files([("connector crm", split(f"mysql://db/crm?{own}={both}"))])) == [both]
        assert list(certificates.key_files([("connector crm", split(f"mysql://db/crm?{own}={alone}"))])) == []
