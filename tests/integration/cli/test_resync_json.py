"""`segsync resync … --json`: what is asked for, agreed to and stopped, for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.integration.place import integration
from workers.cli.commands import resync as command
from workers.control import resync as control

if TYPE_CHECKING:
    import pytest

    from tests.integration.place import Call, Place
    from workers.resync.run import ResyncRun

SOURCE = """
[sources.main]
url = "sqlite:///target.db"
members = "SELECT client_id AS _id, client_id AS id FROM member WHERE segment_id = '{segment_id}'"
"""


def test_a_program_is_told_which_runs_it_has_asked_for(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words for people were printed, and the option taken."""
    runtime = place.publish(integration(), SOURCE)

    def told(*words: str) -> Any:
        done = call("resync", *words, "--json")
        assert (done.returncode, done.stderr) == (0, ""), done
        return json.loads(done.stdout)

    asked = told("crm", "--segment", "7", "--segment", "8")
    assert [(each["id"], each["segment"], each["state"]) for each in asked] == [
        ("1", "7", "waiting"),
        ("2", "8", "waiting"),
    ]
    assert [each["id"] for each in told("crm", "--segment", "7")] == ["1"]
    assert told("--cancel", "1") == {"run": "1", "was_open": True}
    assert told("crm", "--needed") == []

    place.redis.hset(place.keys.run("2"), mapping={"state": "ended", "outcome": "needs confirmation"})
    place.redis.hdel(f"{place.keys.runs}:of", "crm:8")
    assert [each["id"] for each in told("--confirm", "2", "--accept", "removals=1")] == ["3"]

    def ended(_: object, name: str, *, quiet: bool) -> ResyncRun:
        assert quiet, "nothing but JSON is printed"
        return replace(control.find(runtime, name), state="ended", outcome="failed", why="the source is away")

    monkeypatch.setattr(command, "_ended", ended)
    done = call("resync", "crm", "--segment", "9", "--watch", "--json")
    (run,) = json.loads(done.stdout)
    assert (done.returncode, run["outcome"], run["why"]) == (1, "failed", "the source is away")
