"""`segsync up`: real processes on a file that names no Redis."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import redis

from tests.integration.place import Place, integration
from tests.leftovers import processes_of, wait_until_gone
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Up:
    """One `segsync up`, and what it says."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.environ = {name: value for name, value in os.environ.items() if name != "SEGSYNC_REDIS_URL"}
        self.output = place.folder / "up.out"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "--config", str(place.file), "up"],
                cwd="/",
                env=self.environ,
                stdout=out,
                stderr=out,
            )

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Until it has said something like it."""

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.output.read_text()
            return re.search(pattern, self.output.read_text())

        match = until(found, lambda: f"{pattern}\n{self.output.read_text()}")
        assert match
        return match


@pytest.fixture
def up(place: Place) -> Iterator[Up]:
    place.write(integration())
    text = place.file.read_text()
    place.file.write_text(re.sub(r'\[redis\]\nurl = ".*"\n', "", text))
    running = Up(place)
    try:
        running.place.url = running.wait_for(r"this one is ours, at (redis://\S+),")[1]
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        assert wait_until_gone(place.folder) == []


def logs(place: Place) -> dict[str, str]:
    """What its children wrote, by the name of the log."""
    return {log.name: log.read_text() for log in (place.folder / ".segsync").rglob("*.log")}


def wait_for_rows(place: Place, count: int) -> None:
    until(lambda: len(place.rows()) >= count, lambda: [log[-2000:] for log in logs(place).values()])


def test_it_delivers_starts_again_what_dies_follows_apply_and_ends_in_good_order(up: Up) -> None:
    place = up.place
    place.add("7", 10)
    wait_for_rows(place, 10)

    second = subprocess.run(
        [sys.executable, "-m", "workers.cli", "--config", str(place.file), "up"],
        env=up.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert second.returncode == 1
    assert "another `segsync up` works in" in second.stderr

    victim = int(up.wait_for(r"started deliver worker \(pid (\d+)\)")[1])
    os.kill(victim, signal.SIGKILL)
    up.wait_for(r"deliver worker died \(SIGKILL\), starts again in 1 s")
    place.add("8", 10)
    wait_for_rows(place, 20)

    place.file.write_text(
        place.file.read_text()
        + '[connectors.two]\nurl = "sqlite:///target.db"\n'
        + integration("late", connector="two")
    )
    assert place.run("apply", SEGSYNC_REDIS_URL=place.url).returncode == 0
    up.wait_for("the connectors are now db, two")
    place.add("9", 10)
    wait_for_rows(place, 30)

    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(PATIENCE) == 0
    ended = {name: log for name, log in logs(place).items() if "worker" in name}
    assert ended
    assert all("Warm shutdown" in log for log in ended.values()), "told to end, and not only killed"
    assert wait_until_gone(place.folder) == []


def test_what_was_accepted_is_there_after_the_next_start_and_a_kill_leaves_nothing_behind(up: Up) -> None:
    place = up.place
    up.wait_for("Ctrl-C ends it all")
    with redis.Redis.from_url(place.url) as client:
        client.set("kept", "1")
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 0

    again = Up(place)
    try:
        place.url = again.wait_for(r"this one is ours, at (redis://\S+),")[1]
        with redis.Redis.from_url(place.url) as client:
            assert client.get("kept") == b"1"
        again.wait_for("revision 1 is applied, as before")
        place.add("7", 10)
        wait_for_rows(place, 10)
        assert len(processes_of(place.folder)) >= 8
    finally:
        again.process.kill()
        again.process.wait()
    assert wait_until_gone(place.folder) == []


class Flood:
    """Raw XADDs, which know no limit; what Redis accepted of them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sent = 0
        self.rows: set[tuple[str, str]] = set()

    def go_on(self, enough: Callable[[], bool]) -> None:
        """Goes on and on, whether or not it is refused."""
        with redis.Redis.from_url(self._place.url) as client:

            def pushed_enough() -> bool:
                self._push(client)
                return enough()

            until(pushed_enough, "enough of a flood")

    def _push(self, client: redis.Redis) -> bool:
        events = range(self._sent, self._sent + 50)
        self._sent += 50
        with client.pipeline(transaction=False) as pipe:
            for n in events:
                profiles = [{"_id": f"{n}-{i}", "id": f"{n}-{i}", "note": "x" * 1000} for i in range(5)]
                text = {"type": "add", "segment": {"id": n % 20}, "profiles": profiles}
                pipe.xadd(self._place.keys.events, {"event": json.dumps(text)})
            answers = pipe.execute(raise_on_error=False)
        assert all(isinstance(answer, bytes | redis.OutOfMemoryError) for answer in answers)
        accepted = [n for n, answer in zip(events, answers, strict=True) if isinstance(answer, bytes)]
        self.rows |= {(f"{n % 20}", f"{n}-{i}") for n in accepted for i in range(5)}
        return len(accepted) == len(events)


@pytest.mark.long
def test_a_redis_that_is_full_is_drained_without_anybody(up: Up) -> None:
    """Celery shares it and cannot even take a message any more: its workers die, and none can start (rule 32)."""
    place = up.place
    place.add("99", 10)
    wait_for_rows(place, 10)
    up.wait_for("Ctrl-C ends it all")
    with redis.Redis.from_url(place.url) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 6_000_000)
    flood = Flood(place)
    flood.go_on(lambda: "Redis is full, and workers" in up.output.read_text())

    wait_for_rows(place, len(flood.rows) + 10)
    assert {row for row in place.rows() if row[0] != "99"} == flood.rows
    place.add("99", 10, start=10)
    wait_for_rows(place, len(flood.rows) + 20)


def test_a_named_redis_that_is_away_is_status_3_and_starts_nothing(place: Place) -> None:
    place.url = "redis://127.0.0.1:1/0"
    place.write(integration())
    done = place.run("up")
    assert done.returncode == 3
    assert "Redis is out of reach" in done.stderr
    assert done.stdout == ""
    assert processes_of(place.folder) == []


def test_without_a_redis_server_it_says_what_helps(place: Place, tmp_path: Path) -> None:
    """Beside our Python, or on PATH: neither has one."""
    place.write(integration())
    place.file.write_text(re.sub(r'\[redis\]\nurl = ".*"\n', "", place.file.read_text()))
    text = "from workers.cli.local import embedded_redis; embedded_redis.sys.executable = '/nowhere/python'; "
    text += "import sys; sys.argv = ['segsync', 'up']; from workers.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={"PATH": str(tmp_path), "SEGSYNC_CONFIG": str(place.file), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'segsync[embedded]'" in done.stderr
