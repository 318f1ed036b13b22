"""A Redis behind TLS that wants to know its clients: data, Celery's broker and the producers' client alike."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.installation import Installation
from tests.model import profiles
from tests.servers.certificates import Authority
from tests.servers.redis_tls import TlsRedis
from tests.servers.tls_front import TlsFront
from tests.targets import TargetDatabase
from tests.waiting import A_PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

NAME = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    made = Authority(folder)
    made.client("segsync")
    return made


@pytest.fixture(params=["in front", pytest.param("its own", marks=[pytest.mark.proof, pytest.mark.fetched])])
def tls_port(request: pytest.FixtureRequest, redis_server: RedisServer, authority: Authority) -> Iterator[int]:
    """Of a Redis that lets nobody in who has no certificate."""
    if request.param == "its own":
        redis = TlsRedis(authority, NAME)
        try:
            redis.server.start()
            yield redis.tls_port
        finally:
            redis.server.remove()
        return
    context = authority.server(NAME)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    with TlsFront(redis_server.port, context, asks=False) as front:
        yield front.port


@pytest.fixture
def installation(
    tmp_path: Path, namespace: str, tls_port: int, authority: Authority, sqlite_url: str
) -> Iterator[Installation]:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installed = Installation(tmp_path, url(tls_port, trusting(authority), known(authority)), namespace)
    installed.configure(target.connector() + target.integration())
    try:
        yield installed
    finally:
        installed.stop()


def url(port: int, *options: str) -> str:
    return f"rediss://{NAME}:{port}/0?{'&'.join(options)}"


def trusting(authority: Authority) -> str:
    return f"ssl_ca_certs={authority.file}"


def known(authority: Authority) -> str:
    pem = authority.file.parent / "client.pem"
    return f"ssl_certfile={pem}&ssl_keyfile={pem}"


def test_everything_goes_through_tls(installation: Installation, sqlite_url: str) -> None:
    assert installation.segsync("apply", "--yes").returncode == 0
    installation.worker()
    installation.beat()
    installation.ready()
    with Producer(installation.redis_url, namespace=installation.namespace) as producer:
        producer.add(7, profiles(*range(20)))
    installation.settle()
    assert TargetDatabase("sqlite", sqlite_url).members() == {("7", str(key)) for key in range(20)}
    installation.wait(lambda: not installation.segsync("status").returncode, "a quiet status", every=A_PROCESS)


def test_who_cannot_be_trusted_is_told_with_what_helps(
    installation: Installation, tls_port: int, authority: Authority
) -> None:
    right = installation.redis_url
    for wrong, said in {
        url(tls_port, known(authority)): "expected a certificate that ssl_ca_certs of the URL, or the system, vouches",
        right.replace(NAME, "localhost"): "Hostname mismatch, certificate is not valid for 'localhost'",
        url(tls_port, trusting(authority)): "does it want TLS (rediss://) or a certificate (ssl_certfile)?",
        right.replace("rediss", "redis").partition("?")[0]: "does it want TLS (rediss://) or a certificate",
    }.items():
        installation.file.write_text(installation.file.read_text().replace(right, wrong))
        done = installation.segsync("status")
        installation.file.write_text(installation.file.read_text().replace(wrong, right))
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
