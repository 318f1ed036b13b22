"""A name that is none is an error with the nearest one, and a command that throws away asks first."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration

if TYPE_CHECKING:
    from tests.integration.place import Call, Place

OF_ONE = (
    ["stats"],
    ["errors"],
    ["quarantine", "list"],
    ["quarantine", "retry"],
    ["quarantine", "drop", "--yes"],
    ["quarantine", "export", "-"],
)


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", OF_ONE, ids=" ".join)
def test_an_unknown_integration_is_named_with_the_nearest(place: Place, call: Call, command: list[str]) -> None:
    place.publish(integration("crm"), integration("warehouse"))
    done = call(*command, "--integration", "warehuose")
    assert ("did you mean 'warehouse'?" in done.stderr, done.returncode) == (True, 2), done.stdout
    assert call(*command, "--integration", "warehouse").returncode == 0


def test_what_is_left_of_one_that_is_gone_is_still_shown(place: Place, call: Call) -> None:
    refuse_one(place)
    place.publish(integration("warehouse"))
    place.redis.srem(place.keys.integrations, "crm")
    assert json.loads(call("quarantine", "list", "--integration", "crm", "--json").stdout)["open"] == 1


def refuse_one(place: Place) -> None:
    """An entry in the quarantine of crm."""
    runtime = place.publish(integration("crm"))
    place.redis.xadd(place.keys.events, {"event": '{"type":"add","segment":{"id":7},"profiles":[{"_id":"1"}]}'})
    runtime.route("token", 5)
    place.let_timeouts_pass()
    runtime.deliver("db", "token", 5)
    runtime.drain_outcomes(5)


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (["quarantine", "drop", "--integration", "crm"], "Give up 1 entry?"),
        (["quarantine", "purge", "--older-than", "1s"], "Delete what was resolved before"),
    ],
)
def test_throwing_away_is_asked_about_on_a_terminal(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch, command: list[str], asked: str
) -> None:
    refuse_one(place)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    done = call(*command)
    assert (asked in done.stdout + done.stderr, done.returncode) == (True, 1)
    assert json.loads(call("quarantine", "list", "--json").stdout)["open"] == 1
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert call(*command, "--yes").returncode == 0


def test_dropping_an_integration_is_asked_about_with_what_it_owes(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = place.publish(integration("crm"), integration("erp"))
    place.add("7", 1)
    runtime.route("token", 5)
    place.write(integration("erp"))
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    done = call("apply", "--drop", "crm")
    assert ("Throw away 1 operation, and publish this?" in done.stdout, done.returncode) == (True, 1)
    assert place.redis.hget(place.keys.config, "revision") == b"1"
