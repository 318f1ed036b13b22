"""Every act of the console and of the API is a command of the same name, and leaves the same traces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import typer
from starlette.testclient import TestClient

from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.place import caller, integration
from tests.repository import ROOT
from workers.cli.app import app as commands
from workers.console.api.all_routes import ALL
from workers.console.pages import ACTS
from workers.ledger.past_acts import list_acts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Call, Place

LOOKED_AT = {
    "status",
    "why",
    "stats",
    "errors",
    "runs",
    "fields",
    "audit",
    "doctor",
    "diff",
    "revisions",
    "audiences",
    "quarantine list",
}
"""Commands that only look: the API shows the same under their names."""
OF_THE_HOST = {
    "demo": "makes an installation of its own",
    "up": "starts processes",
    "init": "writes a file",
    "check": "reads a file; of what is applied everything is checked as it is published",
    "preview": "reads files",
    "config pull": "writes the file",
    "drain": "is a process that routes and delivers",
    "push": "is POST /api/events, whose own test is test_events_door.py",
    "metrics": "is GET /metrics",
    "alerts": "is a process that watches",
    "console password": "prints what goes into the file",
    "console token": "prints what goes into the file",
}
"""Commands without an act of their name, and why."""
OF_COMMANDS_ALONE = {"connect --move", "audiences --accept"}
"""What commands write down and no act is: it gives up what nobody can bring back; the account's page says it."""
UNWRITTEN = {"preview --try", "check --connect", "doctor"}
"""What the console writes down, since it is the console that does it, and commands do not."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "apply": ("--yes",),
    "connect": ("ya", "--code", "1"),
    "erase": ("--profile", "1", "--yes"),
    "pause": ("crm",),
    "resume": ("crm",),
    "retry": ("crm",),
    "rollback": ("1", "--yes"),
    "resync": ("crm", "--all"),
    "verify": ("crm", "--all"),
    "resync --confirm": ("1",),
    "resync --cancel": ("1",),
    "quarantine show": ("1",),
    "quarantine retry": ("--all",),
    "quarantine drop": ("--integration", "crm", "--yes"),
    "quarantine export": ("-",),
    "quarantine purge": ("--older-than", "30d", "--yes"),
    "audiences --resend": ("ya",),
    "audiences --replace": ("ya",),
}
"""Each act as somebody types it, with what it takes to be begun."""
ACCOUNT = """
[connectors.ya]
platform = "yandex-audiences"
url = "http://127.0.0.1:1"
client_id = "a"
client_secret = "${YA_SECRET}"
"""
LOOKS = {"difference": "diff"}
"""Acts of forms, which change nothing, and the command that shows the same."""
OF_FORMS_ALONE = {
    "preview --try": "tries the queries that a form holds, which a program has in files of its own",
    "quarantine export": "a download, which programs get entry by entry",
}
"""Acts of the console that no route of the API does, and why."""


def options() -> dict[str, set[str]]:
    """Every command with its options, as somebody types them."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, name: str) -> None:
        if name:
            found[name] = {each for parameter in command.params for each in parameter.opts}
        for sub, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {sub}".strip())

    walk(typer.main.get_command(commands), "")
    return found


def is_command(name: str) -> bool:
    """Whether it can be typed behind `segsync`."""
    words, _, option = LOOKS.get(name, name).partition(" --")
    return words in (known := options()) and (not option or f"--{option}" in known[words])


def test_every_act_of_console_and_api_is_a_command() -> None:
    assert [act.name for act in ACTS if not is_command(act.name)] == []
    assert [route.name for route in ALL if not is_command(route.name)] == []


def test_what_the_console_does_programs_can_have_done_and_the_other_way_round() -> None:
    pages, programs = {act.name for act in ACTS if act.kept}, {route.name for route in ALL if route.kept}
    assert pages - programs == OF_FORMS_ALONE.keys()
    assert programs - pages == {"doctor"}  # which a page shows, and writes down as it does


def test_no_command_is_without_an_act_of_its_name_or_a_reason() -> None:
    known = options()
    leaves = {name for name in known if not any(other.startswith(f"{name} ") for other in known)}
    of_acts = {name.partition(" --")[0] for name in COMMANDS}
    assert leaves == of_acts | LOOKED_AT | OF_THE_HOST.keys()
    assert LOOKED_AT - {route.name for route in ALL if not route.kept or route.method == "GET"} == set()


def of_program_bodies() -> dict[str, dict[str, Any]]:
    """What each act of the API needs so that it is begun."""
    found = {}
    for route in (each for each in ALL if each.kept):
        fields = msgspec.structs.fields(route.body) if route.body else ()
        found[f"{route.method} {route.path}"] = {each.name: "crm" for each in fields if each.required}
    return found


def filled(path: str) -> str:
    """A path with something in its places."""
    return re.sub(r"{(\w+)}", lambda each: "crm" if each[1] == "key" else "1", path)


def test_every_act_is_written_down_whichever_way_it_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever comes of it: it is written down before it is done."""
    monkeypatch.setenv("YA_SECRET", "a secret")
    monkeypatch.setenv("SEGSYNC_SECRET", "a secret of this installation's own")
    runtime = place.publish(integration("crm"), ACCOUNT)
    call = caller(place, monkeypatch, capsys)
    for name, arguments in COMMANDS.items():
        call(*name.split(), *arguments)
    app = console_of(place, users(ann="editor") + token_table("ann", "ann-text", "operate", "edit"))
    person = Person(app)
    person.sign_in("ann")
    token = person.token("/find")
    for act in (each for each in ACTS if each.kept):
        assert person.client.post(filled(act.path), data={"token": token}).status_code < 500, act.path
    program = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer ann-text"})
    for at, body in of_program_bodies().items():
        method, _, path = at.partition(" ")
        answer = program.post(filled(path), json=body) if method == "POST" else program.get(filled(path))
        assert answer.status_code < 500, at
    runtime.drain_outcomes(10)
    told = {
        via: {act.act for act in list_acts(runtime.ledger) if act.via == via} for via in ("command", "console", "api")
    }
    pages, programs = {act.name for act in ACTS if act.kept}, {route.name for route in ALL if route.kept}
    assert told["console"] - {"sign in"} == pages
    assert told["api"] == programs
    assert told["command"] == (pages | programs) - UNWRITTEN == COMMANDS.keys()


def test_what_commands_write_down_is_an_act_or_is_theirs_alone() -> None:
    """Read from their code: the names with which they write down what they do."""
    found = set()
    for file in (ROOT / "workers").glob("c*/**/*.py"):
        if "console" not in file.parts:
            found |= set(re.findall(r"record(?:ed)?\([^\n]*?, \"([a-z -]+)\"[,)]", file.read_text()))
    assert {"pause", "retry", "erase", "quarantine purge"} <= found
    assert found - COMMANDS.keys() == OF_COMMANDS_ALONE - {"connect --move"}


def of_console(place: Place, _: Call) -> Callable[[str, dict[str, str]], None]:
    """Acts of somebody who has signed in."""
    person = Person(console_of(place, users(ann="operator")))
    person.sign_in("ann")

    def do(name: str, said: dict[str, str]) -> None:
        (path,) = (act.path for act in ACTS if act.name == name)
        token = person.token("/integrations/crm")
        done = person.client.post(path.format(key="crm"), data={"token": token, **said})
        assert done.status_code in (200, 303), done.text

    return do


def of_program(place: Place, _: Call) -> Callable[[str, dict[str, str]], None]:
    """Calls with a token."""
    app = console_of(place, token_table("ann", "ann-text", "operate"))
    client = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer ann-text"})

    def do(name: str, said: dict[str, str]) -> None:
        (path,) = (route.path for route in ALL if route.name == name and route.kept)
        done = client.post(path.format(key="crm"), json={"name": "crm"} if name == "retry" else said)
        assert done.status_code == 200, done.text

    return do


def of_command(_: Place, call: Call) -> Callable[[str, dict[str, str]], None]:
    """Commands, as somebody types them."""

    def do(name: str, said: dict[str, str]) -> None:
        more = ["--reason", said["reason"]] if said else []
        assert call(*name.split(), "crm", *more).returncode == 0

    return do


def test_the_audit_log_has_the_same_of_what_is_done_whichever_way_it_comes(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no one field names it: entries that are chosen by what they have in common, and a time."""
    runtime = place.publish(integration("crm"))
    call = caller(place, monkeypatch, capsys)
    call("quarantine", "drop", "--integration", "crm", "--segment", "7", "--yes")
    call("quarantine", "retry", "--code", "x")
    call("quarantine", "purge", "--older-than", "2026-01-02", "--yes")
    app = console_of(place, users(ann="operator") + token_table("ann", "ann-text", "operate"))
    person = Person(app)
    person.sign_in("ann")
    sealed = {"token": person.token("/find"), "which": "fitting"}
    program = TestClient(app, base_url="http://127.0.0.1", headers={"authorization": "Bearer ann-text"})
    for name, said in (
        ("drop", {"integration": "crm", "segment": "7"}),
        ("retry", {"code": "x"}),
        ("purge", {"older_than": "2026-01-02"}),
    ):
        assert person.client.post(f"/quarantine/{name}", data=sealed | said).status_code == 303
        assert program.post(f"/api/quarantine/{name}", json=said).status_code == 200
    runtime.drain_outcomes(5)
    told = {
        via: [(act.act, act.target) for act in list_acts(runtime.ledger) if act.via == via and act.act != "sign in"]
        for via in ("command", "console", "api")
    }
    assert told["command"] == [
        ("quarantine purge", "before 2026-01-02 00:00:00"),
        ("quarantine retry", "code x, open"),
        ("quarantine drop", "crm, segment 7, open"),
    ]
    assert told["console"] == told["api"] == told["command"]


@pytest.mark.parametrize("way", [of_command, of_console, of_program])
def test_an_act_leaves_the_same_traces_whichever_way_it_comes(
    way: Callable[[Place, Call], Callable[[str, dict[str, str]], None]],
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the audit log, in Redis and in what `status` says."""
    runtime = place.publish(integration("crm"))
    do = way(place, caller(place, monkeypatch, capsys))
    crm = place.keys.integration("crm")
    do("pause", {"reason": "stocktaking"})
    kept: Any = place.redis.hmget(crm, "paused_reason", "paused_by")
    assert (place.redis.hexists(crm, "paused"), b"stocktaking" in (kept[0] or b"")) == (True, True), kept
    do("resume", {})
    assert not place.redis.hexists(crm, "paused")
    do("retry", {})
    runtime.drain_outcomes(5)
    told = [(act.act, act.target, act.reason, act.failed) for act in reversed(list_acts(runtime.ledger))]
    assert [each for each in told if each[0] != "sign in"] == [
        ("pause", "crm", "stocktaking", ""),
        ("resume", "crm", "", ""),
        ("retry", "crm", "", ""),
    ]
