"""Messages by a real webhook, mail server and command; and the whole way from a fault to a message."""

from __future__ import annotations

import hashlib
import hmac
import json
import socketserver
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from workers.cli.commands import alerts as command
from workers.control.drain import drain
from workers.ledger import identity
from workers.ledger.database import Ledger
from workers.monitoring import channels
from workers.monitoring.alarms import UNREACHABLE, Memory, Message, NotSent, Watch, Watcher
from workers.monitoring.channels import SIGNATURE, channels_of
from workers.monitoring.consumers import Consumers
from workers.runtime import Runtime
from workers.settings.alerts import AlertSettings, load_alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.place import Place

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
MESSAGE = Message("segsync", "crm held", "begun", "crm is held", NOW, NOW)


class Webhook(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    told: list[tuple[str, bytes]]
    status = 204
    location = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append((self.headers.get(SIGNATURE, ""), body))
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()

    def do_GET(self) -> None:
        """A page that knows of no message."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Mailbox(socketserver.StreamRequestHandler):
    """As much of a mail server as one mail needs."""

    told: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.told.append(mail.decode())
            elif word == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")


@pytest.fixture
def webhook() -> Iterator[type[Webhook]]:
    handler = type("Handler", (Webhook,), {"told": []})
    yield from served(HTTPServer(("127.0.0.1", 0), handler), handler)


@pytest.fixture
def mailbox() -> Iterator[type[Mailbox]]:
    handler = type("Handler", (Mailbox,), {"told": []})
    yield from served(socketserver.TCPServer(("127.0.0.1", 0), handler), handler)


def served(server: Any, handler: Any) -> Iterator[Any]:
    thread = Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    handler.port = server.server_address[1]
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_json_that_is_signed(webhook: Any) -> None:
    (channel,) = channels_of(AlertSettings(webhook=f"http://127.0.0.1:{webhook.port}/x", webhook_secret="s3cret"))
    channel.send(MESSAGE)
    ((signed, body),) = webhook.told
    assert json.loads(body)["topic"] == "crm held"
    at, _, mark = signed.removeprefix("t=").partition(",v1=")
    assert mark == hmac.new(b"s3cret", at.encode() + b"." + body, hashlib.sha256).hexdigest()


def test_a_webhook_that_refuses_is_said_without_its_url(webhook: Any) -> None:
    webhook.status = 500
    (channel,) = channels_of(AlertSettings(webhook=f"http://127.0.0.1:{webhook.port}/token"))
    with pytest.raises(NotSent, match=r"^it answered 500$"):
        channel.send(MESSAGE)
    (channel,) = channels_of(AlertSettings(webhook="http://127.0.0.1:1/token"))
    with pytest.raises(NotSent, match=r"^it is out of reach \(URLError\)$"):
        channel.send(MESSAGE)


def test_a_webhook_that_redirects_was_not_told(webhook: Any) -> None:
    webhook.status, webhook.location = 302, f"http://127.0.0.1:{webhook.port}/login"
    (channel,) = channels_of(AlertSettings(webhook=f"http://127.0.0.1:{webhook.port}/hook"))
    with pytest.raises(NotSent, match=r"^it answered 302$"):
        channel.send(MESSAGE)
    assert len(webhook.told) == 1


def test_a_webhook_that_speaks_no_http_is_a_channel_that_failed(mailbox: Any) -> None:
    (channel,) = channels_of(AlertSettings(webhook=f"http://127.0.0.1:{mailbox.port}/"))
    with pytest.raises(NotSent, match=r"^it is out of reach \(BadStatusLine\)$"):
        channel.send(MESSAGE)


def test_a_mail_has_the_topic_and_the_sentence(mailbox: Any) -> None:
    (channel,) = channels_of(
        AlertSettings(smtp=f"smtp://127.0.0.1:{mailbox.port}", sender="segsync@x.example", to=("ops@x.example",))
    )
    channel.send(MESSAGE)
    (mail,) = mailbox.told
    assert "Subject: [segsync] crm held: begun" in mail
    assert "crm is held" in mail


@pytest.mark.parametrize(
    "wrong", [{"smtp_password": "pässwort"}, {"sender": "a@x.example\nBcc: b@x.example"}, {"to": ("o\nps@x.example",)}]
)
def test_what_no_mail_can_carry_is_a_channel_that_failed(mailbox: Any, wrong: dict[str, Any]) -> None:
    """And no end of the process that tells the others, which would tell them once more at each start."""
    usual = {"smtp_password": "p", "sender": "segsync@x.example", "to": ("ops@x.example",)}
    (channel,) = channels_of(AlertSettings(smtp=f"smtp://u@127.0.0.1:{mailbox.port}", **(usual | wrong)))
    with pytest.raises(NotSent, match="expected ASCII") as caught:
        channel.send(MESSAGE)
    assert "pässwort" not in str(caught.value)


def test_a_command_that_no_system_can_start_is_a_channel_that_failed() -> None:
    (channel,) = channels_of(AlertSettings(command=("sh\0",)))
    with pytest.raises(NotSent, match="ValueError"):
        channel.send(MESSAGE)


def test_a_command_gets_it_on_its_standard_input(tmp_path: Path) -> None:
    (channel,) = channels_of(AlertSettings(command=("sh", "-c", f"cat > {tmp_path}/told; exit $1", "sh", "0")))
    channel.send(MESSAGE)
    assert json.loads((tmp_path / "told").read_text())["state"] == "begun"
    (broken,) = channels_of(AlertSettings(command=("sh", "-c", "exit 3")))
    with pytest.raises(NotSent, match="sh ended with 3"):
        broken.send(MESSAGE)


SERVED = {"route": 1, "upkeep": 1, "deliver.db": 1}


def test_a_hold_is_told_once_and_its_end_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `--once` is a process of its own as far as its memory goes."""
    told = place.folder / "told"
    alerts = f'[alerts]\ncommand = ["sh", "-c", "cat >> {told}; echo >> {told}"]\n'
    runtime = place.publish(integration(table="missing"), alerts)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, SERVED))

    def look() -> list[str]:
        runtime.looked("pulse")
        runtime.looked("beat")
        place.redis.delete(place.keys.alarms_turn)  # its process has ended
        assert command.run(once=True, test=False) == 0
        lines = told.read_text().splitlines() if told.exists() else []
        return [f"{each['topic']} {each['state']}" for each in map(json.loads, lines)]

    place.add("7", 10)
    runtime.route("token", 5)
    assert look() == []
    drain(runtime)
    assert look() == look() == ["crm held begun"]
    place.publish(integration(), alerts)
    drain(runtime)
    assert look() == ["crm held begun"]
    assert look() == look() == ["crm held begun", "crm held over"]


def test_from_how_many_entries_on_somebody_is_told_says_the_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told = place.folder / "told"
    alerts = f'[alerts]\nquarantine = 1\ncommand = ["sh", "-c", "cat >> {told}; echo >> {told}"]\n'
    runtime = place.publish(integration(), alerts)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, SERVED))
    place.redis.xadd(place.keys.events, {"event": '{"type":"add","segment":{"id":7},"profiles":[{"_id":"1"}]}'})
    runtime.route("token", 5)
    place.let_timeouts_pass()
    drain(runtime)
    runtime.looked("pulse")
    runtime.looked("beat")
    assert command.run(once=True, test=False) == 0
    assert [json.loads(line)["topic"] for line in told.read_text().splitlines()] == ["crm quarantine"]


def test_another_ledger_that_is_applied_is_looked_at(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, SERVED))
    runtime = place.publish(integration(), ledger="one.db")
    command._found(runtime, 1)
    assert "one.db" in runtime.ledger.place
    place.publish(integration(), ledger="two.db")
    command._found(runtime, 1)
    assert "two.db" in runtime.ledger.place
    place.redis.hset(place.keys.config, mapping={"revision": 3, "text": '{"format": 99}'})
    assert "nothing applied" not in command._found(runtime, 1), "a configuration of a newer version ends nothing"


def test_another_ledger_is_looked_at_where_one_was_written_to(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that Redis knows answers all that a look asks: what is applied was asked by nobody, and never left."""
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, SERVED))
    writing = place.publish(integration(), ledger="one.db")
    place.add("7")
    drain(writing)
    assert identity.is_claimed(place.redis, place.keys)
    watching = Runtime(writing.local)
    command._found(watching, 1)
    assert "one.db" in watching.ledger.place
    moved = place.publish(integration(), ledger="two.db")
    identity.accept(place.redis, place.keys, Ledger(moved.applied.settings.ledger_url))
    assert "ledger" not in command._found(watching, 1)
    assert "two.db" in watching.ledger.place


def test_two_that_look_tell_once(place: Place) -> None:
    place.publish(integration())
    first, second = Memory(place.redis, place.keys), Memory(place.redis, place.keys)
    assert [first.is_ours(), second.is_ours(), first.is_ours()] == [True, False, True]


def test_a_redis_out_of_reach_is_told_and_ends_nothing_else(place: Place) -> None:
    dead = place.redis.from_url("redis://127.0.0.1:1/0")
    sent: list[Message] = []

    class Keeping:
        name = "keeping"

        def send(self, message: Message) -> None:
            sent.append(message)

    watch = Watch("n", [Keeping()])
    found = {"crm held": "crm is held"}
    list(Watcher(watch, Memory(place.redis, place.keys), lambda: found).turn())
    away = Watcher(watch, Memory(dead, place.keys), lambda: found)
    for _ in range(4):
        list(away.turn())
    assert [(each.topic, each.state) for each in sent] == [("crm held", "begun"), (UNREACHABLE, "begun")]


def test_what_nobody_would_be_told_by_is_a_mistake(place: Place) -> None:
    place.write(integration())
    with pytest.raises(Exception, match="alerts: names nobody to tell; expected webhook, command or smtp"):
        load_alerts(place.file)


def test_a_full_redis_is_told_as_well(full_place: Place) -> None:
    full_place.publish(integration())
    full_place.redis.config_set("maxmemory", 1)
    sent: list[str] = []

    class Keeping:
        name = "keeping"

        def send(self, message: Message) -> None:
            sent.append(f"{message.topic} {message.state}")

    watcher = Watcher(Watch("n", [Keeping()]), Memory(full_place.redis, full_place.keys), lambda: {"redis memory": "x"})
    for _ in range(3):
        assert list(watcher.turn()) == []
    assert sent == ["redis memory begun"]
    assert full_place.redis.hkeys(full_place.keys.alarms) == [b"redis memory"]


class Dripping(socketserver.StreamRequestHandler):
    """Sends a byte of its answer's headers now and then, for as long as somebody listens."""

    ended: threading.Event

    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.ended.wait(0.05):
            self.wfile.write(b"x")


def test_an_answer_that_drips_is_given_up_and_holds_up_nobody() -> None:
    Dripping.ended = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            hook = channels.Webhook(f"http://127.0.0.1:{server.server_address[1]}/", None)
            channel = channels.InTime(hook, seconds=0.5)
            with pytest.raises(NotSent, match="it came to no end within"):
                channel.send(MESSAGE)
            with pytest.raises(NotSent, match="the message before this one is still on its way"):
                channel.send(MESSAGE)
        finally:
            Dripping.ended.set()
            server.shutdown()
    assert all(isinstance(each, channels.InTime) for each in channels_of(AlertSettings(webhook="http://127.0.0.1/")))
