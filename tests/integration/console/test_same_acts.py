"""Every act of the console and of the API is a command of the same name, and leaves the same traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from starlette.testclient import TestClient

from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.place import caller, integration
from workers.cli.app import app as commands
from workers.console.api.all_routes import ALL
from workers.console.pages import ACTS
from workers.ledger.acts import list_acts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Call, Place

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
