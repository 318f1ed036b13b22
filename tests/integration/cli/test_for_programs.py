"""What commands that change something print for programs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from tests.integration.place import integration

if TYPE_CHECKING:
    import pytest

    from tests.integration.place import Call, Place


class Terminal(io.StringIO):
    """Where a person sits."""

    def isatty(self) -> bool:
        return True


def told(call: Call, *command: str, status: int = 0) -> Any:
    done = call(*command, "--json")
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def test_push_says_how_many(place: Place, call: Call) -> None:
    place.publish(integration())
    file = place.folder / "events.jsonl"
    file.write_text('{"type":"clear","segment":{"id":7}}\n\n{"type":"clear","segment":{"id":8}}\n')
    assert told(call, "push", str(file)) == {"accepted": 2, "lines": 3}


def test_pause_and_resume_say_whether_anything_has_changed(place: Place, call: Call) -> None:
    place.publish(integration())
    found = [told(call, *command) for command in (["pause", "crm"],) * 2 + (["resume", "crm"],) * 2]
    assert [(each["integration"], each["paused"], each["changed"]) for each in found] == [
        ("crm", True, True),
        ("crm", True, False),
        ("crm", False, True),
        ("crm", False, False),
    ]


def test_apply_says_what_differs_and_what_is_applied(place: Place, call: Call) -> None:
    place.write(integration())
    assert told(call, "apply", "--dry-run") == {
        "revision": None, "changed": False, "differences": [], "dropped": [], "left": {}}  # fmt: skip
    assert told(call, "apply")["revision"] == 1
    place.write(integration(timeout="2s"))
    found = told(call, "apply", "--dry-run")
    assert (found["revision"], found["changed"]) == (1, False)
    assert [(each["mark"], each["path"]) for each in found["differences"]] == [("~", "integrations.crm.batch.timeout")]
    found = told(call, "apply")
    assert (found["revision"], found["changed"], len(found["differences"])) == (2, True, 1)
    assert told(call, "apply")["changed"] is False


def test_what_is_thrown_away_is_told(place: Place, call: Call) -> None:
    runtime = place.publish(integration("crm"), integration("warehouse"))
    place.add("7", 3)
    runtime.route("token", 5)
    place.write(integration("crm"))
    found = told(call, "apply", "--drop", "warehouse")
    assert found["dropped"] == [{"key": "warehouse", "operations": 3, "lanes": 1}]


def test_on_a_terminal_it_asks_nobody_and_wants_a_yes(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(integration())
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    done = call("apply", "--json")
    assert (done.returncode, "expected --yes beside it" in done.stderr) == (2, True)
    assert told(call, "apply", "--yes")["revision"] == 1
