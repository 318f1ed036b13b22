"""`segsync doctor` on a real installation."""

from __future__ import annotations

import json
import socketserver
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Self

import pytest

from tests.integration.place import integration
from workers import doctor
from workers.cli.commands import doctor as command
from workers.control.drain import drain
from workers.ledger import health
from workers.ledger.errors import LedgerError
from workers.monitoring import checkup
from workers.monitoring.consumers import Consumers
from workers.preflight import certificates
from workers.settings import load
from workers.settings.urls import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Call, Place


def test_what_is_wrong_is_named_and_what_is_fine_is_said(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, {"route": 1}, ("a@one",)))
    place.publish(integration(), integration("late", table="missing"))
    place.redis.xadd(place.keys.events.replace(":events", ":0:events"), {"event": "{}"})
    done = call("doctor", "--json")
    found = json.loads(done.stdout)
    told = {(step["name"], step["mark"]) for step in found["steps"]}
    assert (done.returncode, found["ok"]) == (1, False)
    assert told >= {
        ("eviction", "fine"),
        ("rights", "fine"),
        ("applied", "fine"),
        ("queues", "mistake"),
        ("stray streams", "warning"),
        ("connector db", "mistake"),
    }
    assert any("missing" in step["what"] for step in found["steps"] if step["name"] == "connector db")


def test_a_ledger_that_is_gone_is_a_mistake_and_none_is_made(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> tuple[str, str]:
        steps = json.loads(call("doctor", "--json").stdout)["steps"]
        return next((step["mark"], step["what"]) for step in steps if step["name"] == "ledger")

    monkeypatch.setattr(command, "ask", lambda: Consumers(1, {"route": 1}, ("a@one",)))
    runtime, file = place.publish(integration()), place.folder / "ledger.db"
    assert told() == ("fine", f"sqlite '{file}': none is made yet; a worker or a command makes it")
    place.add("7")
    drain(runtime)
    assert told() == ("fine", f"sqlite '{file}'")
    file.unlink()
    mark, what = told()
    assert (mark, "its disk is not mounted" in what, file.exists()) == ("mistake", True, False)


def test_a_ledger_that_nobody_can_write_to_is_a_mistake(place: Place) -> None:
    """A full disk is read from as ever, and it was called fine."""
    settings = place.write(integration())
    runtime = place.publish(integration())
    assert runtime.ledger
    health.failed(place.redis, place.keys, LedgerError(runtime.ledger.place, "its disk is full (SQLITE_FULL)"))
    (step,) = doctor._ledger(place.redis, place.keys, settings)
    assert (step.mark, step.what.startswith("cannot be written to since "), "its disk is full" in step.what) == (
        "mistake",
        True,
        True,
    )
    health.worked(place.redis, place.keys)
    assert [step.mark for step in doctor._ledger(place.redis, place.keys, settings)] == ["fine"]


def test_what_is_wrong_with_the_ledger_is_told_beside_what_writers_met(place: Place) -> None:
    """Of one host's full disk nobody learned that another host looks at another ledger."""
    settings = place.write(integration())
    runtime = place.publish(integration())
    place.add("7")
    drain(runtime)
    health.failed(place.redis, place.keys, LedgerError(runtime.ledger.place, "its disk is full (SQLITE_FULL)"))
    (place.folder / "ledger.db").unlink()
    met, found = doctor._ledger(place.redis, place.keys, settings)
    assert ("its disk is full" in met.what, "its disk is not mounted" in found.what) == (True, True)
    assert (met.mark, found.mark) == ("mistake", "mistake")
    health.worked(place.redis, place.keys)
    health.failed(place.redis, place.keys, LedgerError("", found.what))
    (both,) = doctor._ledger(place.redis, place.keys, settings)
    assert both.what.count("its disk is not mounted") == 1, "what both meet is told once"


def test_a_private_key_that_others_may_read_is_told(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    key = place.folder / "client.key"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(0o644)
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, {"route": 1}, ("a@one",)))
    monkeypatch.setattr(doctor, "_urls", lambda _: [("connector crm", split(f"mysql://db/crm?ssl_key={key}"))])
    monkeypatch.setattr(certificates, "of_urls", lambda _: ())
    place.publish(integration())
    told = [step["what"] for step in json.loads(call("doctor", "--json").stdout)["steps"] if step["name"] == "files"]
    assert f"{key} can be read or written by others; chmod 600 {key}" in told


class Answers(BaseHTTPRequestHandler):
    """A Flower that lets anybody in, or asks for a login."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    found = HTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=found.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setenv("FLOWER_PORT", str(found.server_port))
    yield found
    found.shutdown()
    found.server_close()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("status", "mark"), [(200, "mistake"), (401, "fine"), (403, "fine"), (404, "skipped"), (302, "skipped")]
)
def test_a_flower_that_lets_anybody_in_is_a_mistake(status: int, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "status", status)
    monkeypatch.setattr(doctor, "_address", lambda: "localhost")
    assert doctor._flower().mark == mark


@pytest.mark.parametrize("port", ["a stranger's", "none"])
def test_what_is_no_flower_ends_no_diagnosis(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv("FLOWER_PORT", str(server.server_address[1]) if port != "none" else port)
        monkeypatch.setattr(doctor, "_address", lambda: "localhost")
        assert doctor._flower().mark == "skipped"
        server.shutdown()


class Stranger(socketserver.StreamRequestHandler):
    """Speaks first, and no HTTP."""

    def handle(self) -> None:
        self.wfile.write(b"hello\r\n")
        self.rfile.readline()


def test_a_name_that_is_loopback_hides_no_address_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian writes 127.0.1.1 beside the host's name, and nothing was looked at there."""

    class Outwards:
        def __init__(self, *_: object) -> None:
            self.peer: object = None

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

        def connect(self, peer: object) -> None:
            self.peer = peer

        def getsockname(self) -> tuple[str, int]:
            assert self.peer == ("192.0.2.1", 9)
            return "10.0.0.7", 40_000

    monkeypatch.setattr("workers.doctor.socket.gethostbyname", lambda _: "127.0.1.1")
    monkeypatch.setattr("workers.doctor.socket.socket", Outwards)
    assert doctor._address() == "10.0.0.7"


def test_every_file_of_the_configuration_and_of_secrets_is_looked_at(place: Place) -> None:
    """An included file and a query's decide as much as the main one."""
    place.write()
    clear = "\"DELETE FROM member WHERE segment_id = '{segment_id}'\""
    (place.folder / "more.toml").write_text(integration().replace(clear, '{ file = "c.sql" }'))
    (place.folder / "c.sql").write_text(clear.strip('"'))
    (place.folder / "hook").write_text("s")
    alerts = '[alerts]\nwebhook = "https://x.example"\nwebhook_secret_file = "hook"\n'
    place.file.write_text('include = ["more.toml"]\n' + place.file.read_text() + alerts)
    found = load(place.file)
    assert [path.name for path in found.files] == ["segsync.toml", "more.toml", "c.sql"]
    assert place.folder / "hook" in list(doctor._secret_files(found))
    (place.folder / "c.sql").chmod(0o666)
    (step,) = checkup.of_files((), found.files)
    assert (step.mark, "c.sql can be written by others" in step.what) == ("warning", True)


def test_a_source_s_password_file_is_a_secret(place: Place) -> None:
    place.write(integration())
    source = '[sources.main]\nurl = "mysql://u@db/crm"\npassword_file = "source.txt"\n'
    source += 'members = "SELECT {segment_id} AS _id"\n'
    (place.folder / "source.txt").write_text("s")
    place.file.write_text(place.file.read_text() + source)
    assert place.folder / "source.txt" in list(doctor._secret_files(load(place.file)))
