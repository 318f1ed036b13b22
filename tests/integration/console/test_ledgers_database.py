"""A ledger in a server's database: who may read it there is asked of the server, and no editor leads anything there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.integration.console.browser import text_of
from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.console.test_api import Program
from tests.integration.place import HEAD, caller, integration
from tests.servers.postgresql import PASSWORD, PASSWORD_USER
from workers.control import entrusting
from workers.settings import revision
from workers.settings.own_databases import names_of

if TYPE_CHECKING:
    from tests.integration.place import Place

CONSOLE = users(ann="editor") + token_table("changer", "changer-text", "edit", "read", "operate")


def written(place: Place, ledger: str, **connectors: str) -> str:
    """A file with its ledger on a server."""
    head = HEAD.format(namespace=place.keys.namespace, redis=place.url, ledger="x", wait="10s")
    tables = "".join(f'[connectors.{key}]\nurl = "{url}"\n' for key, url in connectors.items())
    return head.replace("sqlite:///x", ledger) + tables + integration()


def named(url: str, host: str, user: str = "other") -> str:
    """The same database by another name of its host, for another user."""
    place = url.partition("@")[2]
    return f"postgresql://{user}@{place.replace('127.0.0.1', host)}"


def applied(place: Place) -> int:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    return found.revision


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "one.example", "0", "[::]"])
def test_no_editor_leads_a_connector_to_the_ledgers_database(
    place: Place, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def asked(name: str) -> frozenset[str]:
        return names_of("127.0.0.1" if name == "one.example" else name)

    monkeypatch.setattr(entrusting, "addresses_of", asked)
    place.publish_text(written(place, postgresql_url))
    app = console_of(place, CONSOLE)
    program, ann = Program(app, "changer-text"), Person(app)
    ann.sign_in("ann")
    url = named(postgresql_url, host)
    given = program.get("/api/configuration")["configuration"]
    given["connectors"]["mine"] = {"url": url}
    for dry in (True, False):
        told = program.post("/api/apply", 400, configuration=given, dry_run=dry)
        assert [each["where"] for each in told["mistakes"]] == ["connectors.mine.url"]
        assert "leads to the ledger's database; expected another, or this one in segsync.toml" in told["error"]
    form = {"key": "mine", "url": url, "password": "none", "basis": "1", "token": ann.token("/create-connector")}
    answer = ann.client.post("/create-connector/apply", data=form)
    assert (answer.status_code, "leads to the ledger" in text_of(answer.text)) == (400, True)
    given["connectors"]["mine"] = {"url": url.replace(place.keys.namespace, "another")}
    assert program.post("/api/apply", configuration=given)["revision"] == 2


def test_what_the_file_has_led_there_is_edited_there(place: Place, postgresql_url: str) -> None:
    url = named(postgresql_url, "localhost")
    place.publish_text(written(place, postgresql_url))
    place.publish_text(written(place, postgresql_url, crm=url))
    program = Program(console_of(place, CONSOLE), "changer-text")
    given: dict[str, Any] = program.get("/api/configuration")["configuration"]
    given["connectors"]["crm"]["parallelism"] = 3
    assert program.post("/api/apply", configuration=given)["revision"] == 3
    del given["connectors"]["crm"]
    assert program.post("/api/apply", configuration=given)["revision"] == 4
    assert "leads to the ledger" in program.post("/api/revisions/3/rollback", 400)["error"]
    assert applied(place) == 4


def test_the_server_is_asked_whoever_logs_in_and_by_whatever_name(
    place: Place, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `check --connect`, by `doctor`, and by the console's check of a connector."""
    monkeypatch.setenv("OTHER_PASSWORD", PASSWORD)
    other = named(postgresql_url, "localhost", PASSWORD_USER)
    guarded = f'[connectors.other]\nurl = "{other}"\npassword = "${{OTHER_PASSWORD}}"\n'
    runtime = place.publish_text(written(place, postgresql_url, mine=postgresql_url) + guarded)
    runtime.ledger.upgrade()
    call = caller(place, monkeypatch, capsys)
    told = _findings(call("check", "--connect", "--json").stdout)
    assert told.keys() == {"connectors.mine.url"}
    assert "its user 'segsync' may read or change tables of the ledger" in told["connectors.mine.url"]
    with psycopg.connect(postgresql_url, autocommit=True) as session:
        session.execute(f"GRANT INSERT ON acts TO {PASSWORD_USER}")
    assert "(acts)" in _findings(call("check", "--connect", "--json").stdout)["connectors.other.url"]
    assert "connectors.other.url: its user" in " ".join(call("doctor").stdout.split())
    checked = Program(console_of(place, CONSOLE), "changer-text").post("/api/connectors/other/check")
    assert [each["mark"] for each in checked["steps"] if "may read or change" in each["what"]] == ["warning"]
    assert checked["wrong"] is False


def _findings(text: str) -> dict[str, str]:
    every = [finding for each in json.loads(text)["connectors"] for finding in each["findings"]]
    return {each["where"]: each["what"] for each in every if each["where"].startswith("connectors.")}
