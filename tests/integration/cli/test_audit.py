"""`segsync audit`: every command that changes anything has left its trace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.place import integration
from workers.cli.people import somebody
from workers.control.drain import drain

if TYPE_CHECKING:
    from tests.integration.place import Call, Place


def test_commands_leave_their_traces(place: Place, call: Call) -> None:
    place.write(integration())
    assert call("apply").returncode == 0
    place.redis.xadd(place.keys.events, {"event": b"{"})
    for command in (
        ("pause", "crm", "--reason", "the table is moved"),
        ("resume", "crm"),
        ("resume", "crn"),
        ("retry", "crm"),
        ("rollback", "1"),
        ("resync", "crm", "--all"),
        ("quarantine", "retry", "--all"),
        ("quarantine", "drop", "--integration", "crm"),
        ("quarantine", "export", "-", "--state", "all"),
        ("quarantine", "purge", "--older-than", "1h"),
    ):
        call(*command)

    found = json.loads(call("audit", "--json").stdout)
    told = [(each["act"], each["target"], each["reason"], bool(each["failed"])) for each in reversed(found)]

    assert told[:6] == [
        ("apply", "", "", False),
        ("pause", "crm", "the table is moved", False),
        ("resume", "crm", "", False),
        ("resume", "crn", "", False),
        ("resume", "crn", "", True),
        ("retry", "crm", "", False),
    ]
    assert told[6:9] == [
        ("rollback", "", "rollback to 1", False),
        ("resync", "crm, 0 segments", "", False),
        ("quarantine retry", "open", "", False),
    ]
    assert [each[0] for each in told[9:]] == ["quarantine drop", "quarantine export", "quarantine purge"]
    assert {(each["who"], each["via"], each["address"]) for each in found} == {(somebody(), "command", "")}


def test_it_is_read_by_people_and_by_what_it_was_done_to(place: Place, call: Call) -> None:
    runtime = place.publish(integration())
    assert "nobody has had anything done since" in call("audit").stdout
    call("pause", "crm", "--reason", "the table is moved")
    call("retry", "db")
    drain(runtime, 0)
    said = call("audit", "--of", "crm").stdout
    assert "the table is moved" in said
    assert "retry" not in said


def test_who_looks_at_peoples_data_is_written_down(place: Place, call: Call) -> None:
    runtime = place.publish(integration())
    place.redis.xadd(place.keys.events, {"event": b"{"})
    drain(runtime)
    shown = call("quarantine", "show", "1")
    assert shown.returncode == 0, shown.stderr
    (found,) = json.loads(call("audit", "--json").stdout)
    assert (found["act"], found["target"]) == ("quarantine show", "1")
    call("quarantine", "show", "999")
    told = [(each["target"], bool(each["failed"])) for each in json.loads(call("audit", "--json").stdout)]
    assert told == [("999", True), ("999", False), ("1", False)]


def test_bytes_that_are_no_text_end_no_command_in_a_traceback(place: Place, call: Call) -> None:
    place.write(integration())
    assert call("apply").returncode == 0
    reason = call("pause", "crm", "--reason", "caf\udce9")
    assert (reason.returncode, reason.stderr) == (2, "segsync: 'caf\\udce9': bytes that are no text; expected UTF-8\n")
    assert call("resume", "cr\udce9n").returncode == 2
    found = [(each["act"], each["target"], each["reason"]) for each in json.loads(call("audit", "--json").stdout)]
    assert set(found) == {("apply", "", ""), ("pause", "crm", "caf?"), ("resume", "cr?n", "")}
