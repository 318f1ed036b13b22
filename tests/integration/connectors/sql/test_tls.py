"""TLS to a target: whom a connector trusts, and what it does where it cannot."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.servers.certificates import Authority
from tests.servers.mariadb import MariadbServer
from tests.servers.tls_front import TlsFront
from workers.connectors import connect
from workers.connectors.sql.inspecting import open_examined
from workers.connectors.sql.mysql.connection import open_connection
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workers.connectors.contract import Target


@dataclass
class Rig:
    """A server behind a certificate that a test may replace.

    speak     takes a new certificate for these names
    trusting  what a URL says to verify all
    demanding what it says to have TLS, whoever it is
    shown     what it says to show a certificate, with the places of two files: it, and its key
    """

    target: Target
    plain: Target
    speak: Callable[..., object]
    trusting: str
    demanding: str
    shown: str
    front: TlsFront | None = None

    def error(self, options: str, *, plain: bool = False) -> TargetError | None:
        """What comes of connecting; the step of `check --connect` says the same."""
        target = self.plain if plain else self.target
        target = replace(target, url=f"{target.url}?{options}")
        connector = connect(target)
        found: TargetError | None = None
        try:
            connector.open().close()
        except TargetError as error:
            found = error
        finally:
            connector.dispose()
        opened = open_examined(target)
        if opened.session is not None:
            opened.session.close()
        step = next(step for step in opened.steps if step.name == "session")
        assert step.mark == ("mistake" if found else "fine")
        assert found is None or found.reason in step.what or "hung up" in found.reason + step.what
        return found

    def refused(self, options: str, *, plain: bool = False) -> str:
        """The reason; a target that cannot be trusted holds the connector."""
        error = self.error(options, plain=plain)
        assert error is not None
        assert (error.error_class, error.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
        assert error.phase is Phase.CONNECT
        return error.reason


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    return Authority(folder)


@pytest.fixture(scope="module")
def tls_mariadb(authority: Authority) -> Iterator[MariadbServer]:
    authority.server("127.0.0.1")
    server = MariadbServer(certificate=authority.file.parent / "server.pem", authority=authority.file)
    try:
        server.start()
        server.create_database("test_tls")
        yield server
    finally:
        server.remove()


@pytest.fixture
def mariadb(tls_mariadb: MariadbServer, mariadb_target: Target, authority: Authority) -> Rig:
    def speak(*names: str, days: int = 30) -> None:
        authority.server(*names, days=days)
        tls_mariadb.run("FLUSH SSL")

    trusting = f"ssl_ca={authority.file}&ssl_verify_identity=true"
    target = replace(mariadb_target, url=tls_mariadb.url("test_tls"), password=tls_mariadb.password)
    return Rig(target, mariadb_target, speak, trusting, f"ssl_ca={authority.file}", "ssl_cert={}&ssl_key={}")


def behind(
    target: Target, authority: Authority, trusting: str, demanding: str, shown: str, *, asks: bool
) -> Iterator[Rig]:
    place, _, port_and_path = target.url.rpartition(":")
    port, _, path = port_and_path.partition("/")
    with TlsFront(int(port), authority.server("127.0.0.1"), asks=asks) as front:

        def speak(*names: str, days: int = 30) -> None:
            front.context = authority.server(*names, days=days)

        rig = Rig(replace(target, url=f"{place}:{front.port}/{path}"), target, speak, trusting, demanding, shown, front)
        yield rig


@pytest.fixture
def postgresql(postgresql_target: Target, authority: Authority) -> Iterator[Rig]:
    trusting = f"sslmode=verify-full&sslrootcert={authority.file}"
    shown = "sslcert={}&sslkey={}"
    yield from behind(postgresql_target, authority, trusting, "sslmode=require", shown, asks=True)


@pytest.fixture
def clickhouse(clickhouse_target: Target, authority: Authority) -> Iterator[Rig]:
    trusting = f"secure=true&ca_cert={authority.file}"
    shown = "client_cert={}&client_cert_key={}"
    yield from behind(clickhouse_target, authority, trusting, trusting, shown, asks=False)


@pytest.fixture(params=["postgresql", "mariadb", "clickhouse"])
def rig(request: pytest.FixtureRequest) -> Rig:
    found: Rig = request.getfixturevalue(request.param)
    return found


def test_a_server_whose_certificate_is_right_is_trusted(rig: Rig) -> None:
    rig.speak("127.0.0.1")
    assert rig.error(rig.trusting) is None


def test_another_name_is_another_server(rig: Rig) -> None:
    rig.speak("db.example.com")
    assert "TLS" in rig.refused(rig.trusting)


def test_a_certificate_that_has_expired_is_refused(rig: Rig) -> None:
    rig.speak("127.0.0.1", days=-1)
    assert "TLS" in rig.refused(rig.trusting)


def test_another_authority_is_not_trusted(rig: Rig, tmp_path: Path, authority: Authority) -> None:
    rig.speak("127.0.0.1")
    other = Authority(tmp_path, "other")
    assert "TLS" in rig.refused(rig.trusting.replace(str(authority.file), str(other.file)))


def test_plain_text_is_refused_where_tls_is_demanded(rig: Rig) -> None:
    assert "TLS" in rig.refused(rig.demanding, plain=True)


def test_a_file_that_is_not_there_is_told(rig: Rig, authority: Authority, tmp_path: Path) -> None:
    reason = rig.refused(rig.trusting.replace(str(authority.file), str(tmp_path / "nowhere.pem")))
    assert "TLS" in reason


def test_the_option_whose_file_is_not_there_is_named(mariadb: Rig, authority: Authority, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pem"
    assert f"ssl_ca '{nowhere}': No such file" in mariadb.refused(f"ssl_ca={nowhere}")
    assert f"ssl_cert '{nowhere}': No such file" in mariadb.refused(f"ssl_ca={authority.file}&ssl_cert={nowhere}")
    key = f"ssl_ca={authority.file}&ssl_cert={authority.file}&ssl_key={nowhere}"
    assert f"ssl_key '{nowhere}': No such file" in mariadb.refused(key)


@pytest.mark.parametrize("options", ["ssl_ca={}", "ssl_ca={}&ssl_verify_cert=true"])
def test_an_authority_that_is_named_is_asked(mariadb: Rig, authority: Authority, tmp_path: Path, options: str) -> None:
    """Some versions of the driver verify nothing with `ssl_ca` alone."""
    mariadb.speak("db.example.com")
    assert mariadb.error(options.format(authority.file)) is None  # the name is not asked for
    assert "TLS" in mariadb.refused(options.format(Authority(tmp_path, "other").file))


def test_a_name_is_looked_at_without_an_authority_of_ones_own(mariadb: Rig) -> None:
    mariadb.speak("127.0.0.1")
    assert "TLS" in mariadb.refused("ssl_verify_identity=true")  # none of the system's has signed it


def test_a_mode_in_the_words_of_mysqls_client_means_the_same(mariadb: Rig, authority: Authority) -> None:
    mariadb.speak("db.example.com")
    assert mariadb.error("ssl-mode=REQUIRED") is None
    assert "TLS" in mariadb.refused("ssl-mode=REQUIRED", plain=True)
    assert "TLS" in mariadb.refused("ssl-mode=VERIFY_CA")
    assert "TLS" in mariadb.refused(f"ssl-mode=VERIFY_IDENTITY&ssl_ca={authority.file}")
    assert mariadb.error(f"ssl-mode=VERIFY_CA&ssl_ca={authority.file}") is None
    assert mariadb.error("ssl-mode=PREFERRED", plain=True) is None


@pytest.mark.parametrize("options", ["", "?ssl-mode=REQUIRED"])
def test_where_nobody_is_verified_it_is_encrypted_and_no_authorities_are_read(
    mariadb: Rig, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """The driver reads the system's for each connection, which takes longer than all the rest of connecting."""
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", read.append)
    connection = open_connection(replace(mariadb.target, url=mariadb.target.url + options))
    try:
        name, cipher = connection.row("SHOW STATUS LIKE 'Ssl_cipher'")
    finally:
        connection.close()
    assert (name, bool(cipher), read) == ("Ssl_cipher", True, [])


# --- Certificates of the client's own ---------------------------------------------------------------------------------


OPTION = {"mysql": "ssl_cert", "postgresql": "sslcert", "clickhouse": "client_cert"}


@pytest.fixture
def wary(rig: Rig, authority: Authority, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A server that lets nobody in whose certificate its own authority has not signed."""
    rig.speak("127.0.0.1")
    if rig.front is not None:
        rig.front.context.load_verify_locations(authority.file)
        rig.front.context.verify_mode = ssl.CERT_REQUIRED
        yield rig
        return
    server: MariadbServer = request.getfixturevalue("tls_mariadb")
    server.run("ALTER USER segsync@'%' REQUIRE X509")
    yield rig
    server.run("ALTER USER segsync@'%' REQUIRE NONE")


def shown(rig: Rig, certificate: Path, key: Path | None = None) -> str:
    for path in (certificate, key or certificate):
        path.chmod(0o600)  # libpq reads no key that others may read
    return f"{rig.trusting}&{rig.shown.format(certificate, key or certificate)}"


def test_a_client_who_shows_its_certificate_is_let_in(wary: Rig, authority: Authority) -> None:
    assert wary.error(shown(wary, authority.client("segsync"))) is None


def turned_away(rig: Rig, options: str) -> str:
    """The reason; from TLS 1.3 on the refusal comes after the client's first words, and may be lost with the link."""
    error = rig.error(options)
    assert error is not None
    assert (error.error_class, error.level, error.phase) == (
        (ErrorClass.RETRY, HoldLevel.CONNECTOR, Phase.CONNECT)
        if "hung up" in error.reason and rig.front
        else (ErrorClass.HOLD, HoldLevel.CONNECTOR, Phase.CONNECT)
    )
    return error.reason


def test_a_client_who_shows_none_is_told(wary: Rig) -> None:
    assert OPTION[wary.target.dialect] in turned_away(wary, wary.trusting)


def test_a_certificate_of_another_authority_is_told(wary: Rig, tmp_path: Path) -> None:
    reason = turned_away(wary, shown(wary, Authority(tmp_path, "other").client("segsync")))
    assert OPTION[wary.target.dialect] in reason


def test_a_key_that_is_another_certificates_is_told(wary: Rig, authority: Authority, tmp_path: Path) -> None:
    mine, others = authority.client("segsync"), Authority(tmp_path, "other").client("segsync")
    others.write_bytes(others.read_bytes().partition(b"-----BEGIN CERT")[0])
    reason = wary.refused(shown(wary, mine, others))
    assert "TLS" in reason, reason
