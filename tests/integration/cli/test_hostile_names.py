"""What people name things neither begins a line of its own nor steers a terminal, whichever command prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.integration.place import integration
from workers.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Call, Place

HOSTILE = "a\nFORGED\x1b[31m\u202egnp\x9b2J\r"
"""A line end and a carriage return; red; from right to left; an empty terminal, in one byte."""
TOML = '"a\\nFORGED\\u001b[31m\\u202egnp\\u009b2J\\r"'

ID = "a FORGED \u202egnp"
"""As much of it as an id may be."""

COMMANDS = {
    "status": [["status"], ["status", "crm"], ["status", "--check"], ["status", "--json"]],
    "why": [["why", "crm", "--segment", ID], ["why", "crm", "--segment", ID, "--profile", ID]],
    "stats": [["stats"], ["stats", "--plot"], ["stats", "--json"]],
    "errors": [["errors"], ["errors", "--json"]],
    "runs": [["runs"], ["runs", "--failed"], ["runs", "--json"]],
    "audit": [["audit"], ["audit", "--json"]],
    "check": [["check"], ["check", "--connect"], ["check", "--json"]],
    "fields": [["fields"], ["fields", "--json"]],
    "revisions": [["revisions"], ["revisions", "--json"]],
    "diff": [["diff"]],
    "resync": [["resync", "--list"], ["resync", "crm", "--segment", ID]],
    "verify": [["verify", "crm", "--segment", ID]],
    "pause": [["pause", "crm", "--reason", HOSTILE], ["pause", HOSTILE]],
    "retry": [["retry", HOSTILE], ["retry", "crm"]],
    "push": [["push", "event.json"], ["push", HOSTILE]],
    "quarantine": [["quarantine", "list"], ["quarantine", "show", "1"], ["quarantine", "list", "--json"]],
    "apply": [["apply"]],
    "drain": [["drain"]],
    "resume": [["resume", "crm"], ["resume", HOSTILE]],
    "rollback": [["rollback", "1"]],
    "audiences": [["audiences", HOSTILE]],
    "connect": [["connect", HOSTILE]],
    "config": [["config", "pull"]],
    "init": [["init", "--dialect", HOSTILE]],
    "erase": [["erase", "--profile", ID, "--yes"], ["erase", "--profile", HOSTILE]],
}
"""In this order: later ones change what earlier ones show."""
ELSEWHERE = {
    "preview": "SQL as it would run, for files and comparisons; on a terminal written out",
    "demo": "names of its own, which tests/acceptance/test_demo.py reads",
    "up": "prints nobody's names",
    "doctor": "prints what `check --connect` finds, by the same function",
    "metrics": "no names, but keys",
    "alerts": "tells channels, not a terminal; its complaints are printed by the same function",
    "console": "a browser's",
}


@pytest.fixture
def named(place: Place) -> Iterator[Place]:
    """Everything that people may name has such a name, and something waits, has failed, and is refused."""
    more = f'name = {TOML}\ndescription = {TOML}\nconnector = "db"'
    text = integration("crm", segments="[]").replace('connector = "db"', more, 1)
    runtime = place.publish(text.replace("segments = []", f"groups = [{json.dumps(ID)}]"))
    event = {"type": "add", "segment": {"id": ID}, "profiles": [{"_id": ID, "id": HOSTILE}]}
    (place.folder / "event.json").write_text(json.dumps(event))
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.segment_upsert(ID, name=HOSTILE, database="main", groups=[ID])
        producer.add(ID, [{"_id": ID}, {"_id": "1", "id": HOSTILE}])
        producer.add("other", [{"_id": "1", "id": HOSTILE}])
    runtime.route("token", 5)
    place.let_timeouts_pass()
    for _ in range(3):
        runtime.deliver("db", "token", 5)
    runtime.drain_outcomes(5)
    event["profiles"] = [{"_id": ID, "id": "later"}]
    with Producer(place.url, namespace=place.keys.namespace) as producer:
        producer.push([event])
    runtime.route("token", 5)
    with place.served("route", "upkeep", "resync", "deliver.db"):
        yield place


@pytest.mark.usefixtures("named")
def test_no_command_obeys_a_name(call: Call) -> None:
    seen = ""
    for command in (each for commands in COMMANDS.values() for each in commands):
        done = call(*command)
        for text in (done.stdout, done.stderr):
            assert "Traceback" not in text, command
            assert [c for c in text if not (c.isprintable() or c == "\n")] == [], (command, text)
            assert [line for line in text.splitlines() if line.lstrip().startswith("FORGED")] == [], (command, text)
        seen += done.stdout + done.stderr
    assert seen.count("FORGED") > 30, "most of them show it"


def test_every_command_is_walked_or_excused() -> None:
    names = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
    names |= {each.name for each in app.registered_groups if isinstance(each.name, str)}
    assert names == {*COMMANDS, *ELSEWHERE}
