"""`status K`, `--watch` and `--check`; the shell completes names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from redis import ConnectionError as Unreachable

from tests.integration.place import Place, integration
from tests.servers.redis import RedisServer
from workers.cli.commands import status as command
from workers.cli.options import keys_beginning
from workers.control.drain import drain
from workers.monitoring import lane_list, streams
from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.place import Call


def test_one_integration_is_told_with_its_lanes(place: Place, call: Call) -> None:
    runtime = place.publish(integration(timeout="1h"))
    place.add("7", 3)
    place.add("8", 10)
    runtime.route("token", 5)
    done = call("status", "crm")
    assert done.returncode == 0, done.stderr
    assert "backlog     13 operations for 2 segments, the oldest for" in done.stdout
    lines = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
    assert ["8", "10", "now"] in lines
    assert any(line[:2] == ["7", "3"] for line in lines)
    found = json.loads(call("status", "crm", "--json").stdout)
    assert (found["scope"], found["connector"], found["lanes"][0]["segment"]) == ("main: all segments", "db", "8")
    assert "did you mean 'crm'?" in call("status", "crn").stderr


def test_one_that_is_held_needs_someone(place: Place, call: Call) -> None:
    runtime = place.publish(integration(table="missing"))
    place.add("7", 10)
    runtime.route("token", 5)
    drain(runtime)
    done = call("status", "crm")
    assert (done.returncode, "! crm is held since" in done.stdout) == (1, True)
    done = call("status", "crm", "--check")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert re.fullmatch(r"WARNING: crm is held since .* \| backlog=10\n", done.stdout)


def test_one_is_not_fine_where_redis_drops_events(tmp_path: Path, namespace: str) -> None:
    """Whichever integration is looked at."""
    server = RedisServer({"maxmemory-policy": "allkeys-lru"})
    server.start()
    try:
        with server.client() as client:
            there = Place(tmp_path, client, server.url, namespace)
            there.publish(integration())
            done = there.run("status", "crm", "--check")
        assert done.stdout.startswith("WARNING: Redis has maxmemory-policy allkeys-lru"), done.stdout
        assert done.returncode == 1
    finally:
        server.kill()


def test_one_with_too_many_entries_needs_someone(place: Place, call: Call) -> None:
    runtime = place.publish(integration())
    with place.producer() as producer:
        producer.add("7", [{"_id": "1"}])  # without its key
    runtime.route("token", 5)
    place.let_timeouts_pass()
    drain(runtime)
    assert call("status", "crm", "--check").returncode == 0
    done = call("status", "crm", "--check", "--quarantine", "1")
    assert (done.stdout.startswith("WARNING: crm has 1 entry in the quarantine"), done.returncode) == (True, 1)
    place.file.write_text(place.file.read_text() + "\n[alerts]\nquarantine = 1\n")
    assert call("status", "crm").returncode == 1


def test_one_that_differs_from_the_platform_needs_someone(place: Place, call: Call) -> None:
    place.publish(integration(), integration("other"))
    place.redis.hset(place.keys.runs_differing, "crm:7", "3")
    done = call("status", "crm")
    assert ("! crm differs from the platform: segment 7" in done.stdout, done.returncode) == (True, 1)
    assert call("status", "other").returncode == 0


def test_events_that_nobody_routes_are_told_of_each(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    place.publish(integration())
    place.add("7")
    monkeypatch.setattr(streams, "STUCK_SECONDS", -1.0)
    done = call("status", "crm")
    assert ("! events have waited for" in done.stdout, done.returncode) == (True, 1)


def test_a_monitor_gets_one_line_with_numbers(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = place.publish(integration())
    runtime.looked("pulse")
    runtime.looked("beat")
    served = {"route": 1, "upkeep": 1, "deliver.db": 1}
    monkeypatch.setattr(command, "ask", lambda: Consumers(1, served))
    done = call("status", "--check")
    assert (done.stdout, done.returncode) == (
        "OK: all is well | backlog=0 intake=0 quarantine=0 oldest=0s\n",
        0,
    )
    served["deliver.db"] = 0
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    done = call("status", "--check")
    assert (done.stdout.startswith("WARNING: no worker serves deliver.db;"), done.returncode) == (True, 1)


@pytest.mark.parametrize("key", [[], ["crm"]])
def test_a_monitor_gets_its_line_from_a_dead_redis_too(place: Place, call: Call, key: list[str]) -> None:
    place.url = "redis://127.0.0.1:1/0"
    place.write(integration())
    done = call("status", *key, "--check")
    assert (done.stdout.startswith("UNKNOWN: Redis is out of reach: "), done.returncode) == (True, 3)


def test_a_monitor_gets_its_line_of_a_wrong_file_and_a_wrong_name_too(place: Place, call: Call) -> None:
    """Without one it shows that nothing was told."""
    place.publish(integration())
    done = call("status", "crn", "--check")
    assert (done.stdout.startswith("UNKNOWN: no integration 'crn'"), done.returncode) == (True, 3), done.stdout
    place.file.write_text("namespace = 7")
    done = call("status", "--check")
    assert (done.stdout.count("\n"), done.returncode) == (1, 3)
    assert done.stdout.startswith(f"UNKNOWN: {place.file}: 1 mistake")


def test_a_monitor_takes_what_is_not_applied_yet_for_unknown(place: Place, call: Call) -> None:
    """By 1 it is a warning to it, and by 2 a critical state, whatever word stands before."""
    place.write(integration())
    done = call("status", "crm", "--check")
    assert (done.stdout.partition(":")[0], done.returncode) == ("UNKNOWN", 3), done.stdout


def test_no_bar_of_a_sentence_begins_a_monitor_s_numbers(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(integration())
    assert "no integration 'c/n'" in call("status", "c|n", "--check").stdout
    look = lane_list.read_near
    monkeypatch.setattr(lane_list, "read_near", lambda *_: replace(look(*_), needs=["operator || is not known"]))
    done = call("status", "crm", "--check")
    assert done.stdout == "WARNING: operator // is not known | backlog=0\n"


def test_a_redis_that_refuses_us_is_not_called_out_of_reach(own_redis: RedisServer, place: Place, call: Call) -> None:
    place.url = own_redis.url
    place.write(integration())
    with own_redis.client() as admin:
        admin.config_set("requirepass", "s3cret")
    done = call("status", "--check")
    assert done.stdout.startswith("UNKNOWN: Redis refused us: "), done.stdout
    assert ("see [redis] of the file" in done.stdout, done.returncode) == (True, 3)


def test_watching_goes_on_through_an_outage_and_ends_with_what_it_saw_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks: Iterator[int | str] = iter([0, "an outage", 1])
    rests: list[float] = []

    def look() -> int:
        found = next(looks)
        if isinstance(found, str):
            raise Unreachable("gone")
        return found

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            raise KeyboardInterrupt

    assert command.watched(look, rest) == 1
    assert "Redis is out of reach: gone" in capsys.readouterr().out


def test_watching_is_for_people(place: Place, call: Call) -> None:
    place.publish(integration())
    done = call("status", "--watch", "--json")
    assert ("--watch is for people" in done.stderr, done.returncode) == (True, 2)


def test_one_line_is_no_json(place: Place, call: Call) -> None:
    place.publish(integration())
    done = call("status", "--check", "--json")
    assert ("for programs: `segsync status --json`" in done.stderr, done.returncode) == (True, 2)


def test_the_shell_completes_integrations(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(integration("crm"), integration("warehouse"))
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    assert keys_beginning("w") == ["warehouse"]
    place.file.write_text("no = toml = at all")
    assert keys_beginning("w") == []


def test_how_many_entries_are_too_many_says_the_file(place: Place, call: Call) -> None:
    runtime = place.publish(integration())
    place.redis.xadd(place.keys.events, {"event": "no event"})
    runtime.route("token", 5)
    runtime.drain_outcomes(5)
    with place.served("route", "upkeep", "deliver.db"):
        assert call("status", "--check").returncode == 0
        assert call("status", "--check", "--quarantine", "1").returncode == 1
        place.file.write_text(place.file.read_text() + "\n[alerts]\nquarantine = 1\n")
        done = call("status", "--check")
        assert ("events could not be read" in done.stdout, done.returncode) == (True, 1), done.stdout
        assert call("status", "--check", "--quarantine", "2").returncode == 0
