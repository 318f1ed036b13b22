"""Every command as a process: what it prints, and its exit status (0 fine, 1 someone, 2 wrong, 3 out of reach)."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.integration.place import Call, Place

WRONG_FILE = '[redis]\nurl = "redis://localhost:1/0"\nfoo = 1\n[connectors.a]\nurl = "mysq://x"\n'


def one_line(text: str) -> str:
    return " ".join(text.split())


READING = (["status"], ["stats"], ["errors"], ["quarantine", "list"], ["quarantine", "show", "1"])
ALL = (*READING, ["apply"], ["pause", "crm"], ["resume", "crm"], ["drain"], ["push", "events.jsonl"])


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_a_dead_redis_is_a_message_and_status_3(place: Place, command: list[str], call: Call) -> None:
    place.url = "redis://127.0.0.1:1/0"
    place.write(integration())
    (place.folder / "events.jsonl").write_text('{"type":"clear","segment":{"id":7}}\n')
    done = call(*command)
    assert ("Redis" in done.stderr, done.returncode) == (True, 3), done.stderr


@pytest.mark.parametrize("command", [*ALL, ["check"], ["up"]], ids=" ".join)
def test_a_wrong_file_is_a_message_and_status_2(place: Place, command: list[str], call: Call) -> None:
    place.file.write_text(WRONG_FILE)
    done = call(*command)
    assert ("redis.foo: unknown key" in done.stderr, done.returncode) == (True, 2), done.stderr


@pytest.mark.parametrize("command", [["status"], ["apply"], ["check"]], ids=" ".join)
def test_no_expected_failure_shows_a_traceback(place: Place, command: list[str]) -> None:
    place.file.write_text(WRONG_FILE)
    done = place.run(*command)
    assert done.returncode == 2
    assert done.stderr.startswith("segsync: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["stats"], ["errors"], ["quarantine", "list"], ["quarantine", "show", "1"]])
def test_a_dead_ledger_is_a_message_and_status_3(place: Place, command: list[str], call: Call) -> None:
    (place.folder / "ledger").mkdir()
    place.publish(integration(), ledger="ledger")
    done = call(*command)
    assert (done.stderr.startswith("segsync: ledger sqlite"), done.returncode) == (True, 3), done.stderr


def test_a_dead_ledger_does_not_stop_status_which_says_so(place: Place) -> None:
    (place.folder / "ledger").mkdir()
    place.publish(integration(), ledger="ledger")
    done = place.run("status", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 3
    assert (found["quarantine"], found["backlog"]) == (0, 0), "both are counted in Redis"
    assert "ledger" in found["unread"][0]


def test_the_file_may_be_named_by_an_option(place: Place) -> None:
    place.write(integration())
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", "--config", "segsync.toml", "check"],
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert f"{place.file}: fine" in done.stdout


def test_check_says_how_the_file_is_understood(place: Place, call: Call) -> None:
    place.write(integration(), integration("late", active=False, segments="[7]"))
    done = call("check")
    assert done.returncode == 0
    assert "mode       batches of 10 or 100ms\n" in done.stdout
    assert "order      removes before adds, if the table's unique keys allow it\n" in done.stdout
    assert "row's key  id\n" in done.stdout
    assert "scope      segments 7\n" in done.stdout
    assert "100ms, paused" in done.stdout


def test_check_shows_what_people_call_it(place: Place, call: Call) -> None:
    named = 'key = "id"\nname = "CRM segments"\ndescription = "Keeps member up to date"'
    place.write(integration().replace('key = "id"', named))
    told = call("check").stdout
    assert "name       CRM segments\n" in told
    assert "what for   Keeps member up to date\n" in told


def test_check_gives_programs_the_same(place: Place, call: Call) -> None:
    place.write(integration())
    found = json.loads(call("check", "--json").stdout)
    assert found["ok"] is True
    (one,) = found["integrations"]
    assert one == {
        "key": "crm",
        "connector": "db",
        "dialect": "sqlite",
        "active": True,
        "mode": "batch",
        "ordering": "catalog",
        "size": 10,
        "timeout_s": 0.1,
        "key_fields": ["id"],
        "scope": "main: all segments",
        "queries": ["add", "remove", "clear"],
        "fields": [],
        "name": "crm",
        "description": "",
    }


def test_check_gives_programs_all_mistakes(place: Place, call: Call) -> None:
    place.file.write_text(WRONG_FILE)
    done = call("check", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (2, False)
    assert {"redis.foo"} <= {mistake["where"] for mistake in found["mistakes"]}


def test_apply_shows_the_difference_and_publishes(place: Place, call: Call) -> None:
    place.write(integration())
    assert "revision 1 is applied" in call("apply").stdout
    place.write(integration(timeout="5s"))
    second = call("apply")
    assert second.returncode == 0
    changed = ["~ integrations.crm.batch.timeout", '    -"100ms"', '    +"5s"', "revision 2 is applied"]
    assert second.stdout.splitlines() == changed
    assert call("apply").stdout == "revision 2: no change\n"


def test_a_wrong_file_leaves_what_is_applied(place: Place, call: Call) -> None:
    place.publish(integration())
    place.file.write_text(place.file.read_text().replace("size = 10", "size = 0").replace('key = "id"', "key = 7"))
    done = call("apply")
    assert done.returncode == 2
    assert "integrations.crm.batch.size" in done.stderr
    assert "integrations.crm.key" in done.stderr
    assert place.redis.hget(place.keys.config, "revision") == b"1"


def test_apply_refuses_to_leave_a_backlog_behind_and_drops_it_when_told(place: Place, call: Call) -> None:
    runtime = place.publish(integration(), integration("erp"))
    place.add("7", 10)
    runtime.route("t", 5)
    place.write(integration("erp"))

    refused = call("apply")
    assert refused.returncode == 1
    assert "--drain crm" in refused.stderr
    assert place.redis.hget(place.keys.config, "revision") == b"1"

    dropped = call("apply", "--drop", "crm")
    assert dropped.returncode == 0
    assert "dropped 10 operations in 1 lane of crm" in dropped.stdout
    assert call("apply", "--drop", "erq").returncode == 2


def test_push_takes_files_and_pipes(place: Place, call: Call) -> None:
    place.publish(integration())
    lines = '{"type":"clear","segment":{"id":7}}\n\n{"type":"clear","segment":{"id":8}}\n'
    file = place.folder / "events.jsonl"
    file.write_text(lines)
    assert call("push", str(file)).stdout == "2 events accepted, from 3 lines\n"
    assert place.run("push", "-", stdin=lines).returncode == 0
    assert place.redis.xlen(place.keys.events) == 4


def test_push_stops_at_the_first_line_that_is_no_event(place: Place, call: Call) -> None:
    place.publish(integration())
    file = place.folder / "events.jsonl"
    file.write_text('{"type":"clear","segment":{"id":7}}\nno json\n')
    done = call("push", str(file))
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert place.redis.xlen(place.keys.events) == 1
    assert call("push", str(place.folder / "nothing")).returncode == 2
    assert call("push", str(place.folder)).returncode == 2


def test_push_into_a_full_intake_needs_someone(place: Place, call: Call) -> None:
    place.publish(integration())
    place.redis.hset(f"{place.keys.namespace}:limits", "intake", 0)
    file = place.folder / "events.jsonl"
    file.write_text('{"type":"clear","segment":{"id":7}}\n')
    done = call("push", str(file))
    assert done.returncode == 1
    assert "full" in done.stderr


def test_pause_and_resume(place: Place, call: Call) -> None:
    place.publish(integration())
    assert call("pause", "crm", "--reason", "new table").returncode == 0
    shown = place.run("status")
    assert shown.returncode == 1, "nobody looks yet"
    assert "crm is paused" in shown.stdout
    assert "new table" in shown.stdout
    assert call("resume", "crm").stdout == "crm goes on\n"
    assert call("resume", "crm").stdout == "crm was not paused\n"
    unknown = call("pause", "crn")
    assert unknown.returncode == 2
    assert "did you mean 'crm'?" in unknown.stderr


def test_stats_errors_and_runs_in_other_forms(place: Place, call: Call) -> None:
    place.publish(integration(), integration("bad", table="missing", segments="[8]"))
    place.add("7", 10)
    place.add("8", 10)
    place.run("drain")

    days = json.loads(call("stats", "--by", "day", "--json").stdout)["stats"]
    assert sum(row["queries"] for row in days) == 2
    plot = one_line(call("stats", "--plot", "--by", "total").stdout)
    assert ("\u2588" in plot, plot[-10:]) == (True, "2 1 failed")
    told = list(csv.DictReader(io.StringIO(call("stats", "--csv", "--by", "total").stdout)))
    assert {(row["integration"], row["event_type"], row["queries"]) for row in told} >= {("crm", "add", "2")}
    done = call("stats", "--csv", "--json")
    assert (one_line(done.stderr)[-41:], done.returncode) == ("three ways to print; expected one of them", 2)
    assert "--by 'week' is none of hour, day, total" in one_line(call("stats", "--by", "week").stderr)
    assert len(list(csv.DictReader(io.StringIO(call("runs", "--csv").stdout)))) == 3
    assert json.loads(call("runs", "--since", "2h", "--until", "1h", "--json").stdout)["runs"] == []
    assert json.loads(call("errors", "--since", "2h", "--until", "1h", "--json").stdout)["errors"] == []
    (failed,) = csv.DictReader(io.StringIO(call("errors", "--csv").stdout))
    assert (failed["event_type"], failed["count"]) == ("add", "1")
    by_hour = call("errors", "--by", "hour", "--event-type", "add").stdout
    assert by_hour.splitlines()[0] == failed["last_seen"][:13].replace("T", " ") + ":00 UTC"
    assert "    add: 1 held; last " in by_hour
    assert "nothing has failed since" in call("errors", "--event-type", "remove").stdout
    wrong = call("errors", "--event-type", "ad")
    assert ("'ad' is no event type" in one_line(wrong.stderr), wrong.returncode) == (True, 2)


def test_drain_then_stats_errors_and_quarantine(place: Place, call: Call) -> None:
    place.write(integration(), integration("bad", table="missing", segments="[8]"))
    assert "revision 1" in call("apply").stdout
    place.add("7", 10)
    place.add("8", 10)
    place.redis.xadd(place.keys.events, {"event": "no \x1b[31mjson"})
    done = place.run("drain")
    assert done.returncode == 1
    assert "! bad/8: sqlite" in done.stderr
    assert "3 events routed" in done.stdout

    stats = json.loads(call("stats", "--json").stdout)["stats"]
    assert {(row["integration"], row["event_type"], row["queries"]) for row in stats} >= {("crm", "add", 2)}
    assert "2 successful queries" in one_line(call("stats").stdout)
    assert json.loads(call("stats", "--since", "2d", "--until", "1d", "--json").stdout)["stats"] == []
    assert call("stats", "--since", "1h", "--until", "2h").returncode == 2

    errors = json.loads(call("errors", "--json").stdout)["errors"]
    assert {row["integration"] for row in errors} == {"bad", None}
    assert "bad: sqlite" in call("errors").stdout
    assert json.loads(call("errors", "--integration", "crm", "--json").stdout)["errors"] == []

    listed = json.loads(call("quarantine", "list", "--json").stdout)
    assert listed["open"] == 1
    (entry,) = listed["entries"]
    shown = json.loads(call("quarantine", "show", str(entry["id"]), "--json").stdout)
    assert (shown["payload"], shown["payload_base64"], shown["state"]) == ("no \x1b[31mjson", None, "open")
    text = call("quarantine", "show", str(entry["id"])).stdout
    assert "no \\x1b[31mjson" in text
    assert "\x1b" not in text
    assert "(intake)" in call("quarantine", "list").stdout
    assert call("quarantine", "show", "999").returncode == 2

    held = place.run("status")
    assert held.returncode == 1
    assert "! bad " in held.stdout, held.stdout.splitlines()


def test_drain_applies_the_own_file_where_nothing_is_applied(place: Place) -> None:
    place.write(integration())
    place.add("7", 10)
    assert place.run("drain").returncode == 0
    assert len(place.rows()) == 10


def test_before_anything_happened_every_reading_command_says_so(place: Place, call: Call) -> None:
    place.publish(integration())
    for done in (call("stats"), call("errors"), call("quarantine", "list")):
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert done.stderr == ""
    status = place.run("status")
    assert (status.returncode, status.stderr) == (1, "")
    assert "the pulse looked never" in status.stdout


def test_a_reader_that_goes_away_is_no_failure_to_talk_about(place: Place) -> None:
    place.publish(integration())
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m workers.cli --config {place.file} status --json | true"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""


def test_texts_that_the_terminal_cannot_show_end_no_command(place: Place) -> None:
    place.publish(integration())
    place.run("pause", "crm", "--reason", "移動")
    done = place.run("status", PYTHONIOENCODING="latin-1")
    assert done.stderr == ""
    assert "\\u79fb\\u52d5" in done.stdout


def test_nothing_is_wider_than_80_columns(place: Place, call: Call) -> None:
    runtime = place.publish(integration(), integration("x" * 63))
    place.add("7", 10)
    runtime.route("t", 5)
    place.run("drain")
    place.let_timeouts_pass()
    for command in (["stats"], ["errors"], ["quarantine", "list"]):
        assert all(len(line) <= 80 for line in call(*command).stdout.splitlines()), command
    table = place.run("status").stdout.partition("integration  ")[2].partition("\n\n")[0]
    assert all(len(line) <= 80 for line in table.splitlines())


def test_a_verification_of_no_segment_is_no_good_news(place: Place, call: Call) -> None:
    """After a Redis that was emptied, say: nothing was printed, and the status was that of all being equal."""
    members = "members = \"SELECT client_id FROM member WHERE segment_id = '{segment_id}'\"\nclear = "
    source = '[sources.main]\nurl = "sqlite:///target.db"\nmembers = "SELECT {segment_id} AS _id"\n'
    place.publish(integration().replace("clear = ", members), source)
    done = call("verify", "crm", "--all")
    assert ("nothing was compared: no segment is known" in done.stderr, done.returncode) == (True, 1)
    done = call("verify", "crm", "--needed", "--json")
    assert (done.stdout.strip(), "no segment that needs it is known" in done.stderr) == ("[]", True)
    assert done.returncode == 0
