"""Child processes: watched, started again, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from workers.cli.local.children import Child, Children, Program

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRON = {"PATH": os.environ["PATH"]}


def script(text: str, **more: object) -> Program:
    return Program("script", ["/bin/sh", "-c", text], **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has died and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or before it is read
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def children(said: list[str]) -> Iterator[Children]:
    some = Children(said.append)
    yield some
    some.stop(grace=0)


def test_its_output_goes_to_its_log_and_its_working_directory_is_the_folder(tmp_path: Path) -> None:
    child = Child(script("pwd; echo wrong >&2; echo $WHO"), tmp_path, ENVIRON | {"WHO": "me"})
    child.start()
    until(lambda: child.ended() is not None)
    assert child.log == tmp_path / "logs" / "script.log"
    assert child.log.read_text() == f"{tmp_path}\nwrong\nme\n"
    assert child.last_words() == "me"


def test_of_a_large_log_the_end_alone_is_read(tmp_path: Path) -> None:
    child = Child(script("true"), tmp_path, ENVIRON)
    assert child.last_words() == ""
    child.log.parent.mkdir()
    with child.log.open("wb") as log:
        log.truncate(32 * 2**20)
        log.seek(0, os.SEEK_END)
        log.write("\nKöln\n\n".encode())
    tracemalloc.start()
    try:
        assert child.last_words() == "Köln"
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_dies_is_told_and_started_again_after_a_pause_that_grows(
    tmp_path: Path, children: Children, said: list[str]
) -> None:
    child = Child(script("echo no luck; exit 3"), tmp_path, ENVIRON)
    children.start(child)
    until(lambda: children.look() == [child])
    assert said[-1] == "script died (exit status 3), starts again in 1 s: no luck"
    assert children.look() == []

    until(lambda: children.look() == [child])
    assert said[-2].startswith("restarted script (pid ")
    assert said[-1] == "script died (exit status 3), starts again in 2 s: no luck"


def test_what_has_run_for_long_is_started_again_soon(tmp_path: Path) -> None:
    child = Child(script("sleep 60"), tmp_path, ENVIRON, deaths=5, started=time.monotonic() - 61)
    assert child.pause_before_restart() == 1.0
    assert [child.pause_before_restart() for _ in range(2)] == [1.0, 1.0]


@pytest.mark.parametrize("deaths", [10, 100_000])
def test_the_pause_has_an_end(tmp_path: Path, deaths: int) -> None:
    child = Child(script("exit 1"), tmp_path, ENVIRON, deaths=deaths, started=time.monotonic())
    assert child.pause_before_restart() == 30.0


def test_what_is_to_run_once_is_not_started_again(tmp_path: Path, children: Children, said: list[str]) -> None:
    child = Child(script("exit 0", stays=False), tmp_path, ENVIRON)
    children.start(child)
    until(lambda: children.look() == [child])
    assert said[-1] == "script ended (exit status 0)"
    assert child.again is None


def test_what_is_renewed_starts_again_at_once_as_the_new_program(
    tmp_path: Path, children: Children, said: list[str]
) -> None:
    child = Child(script("exec sleep 60"), tmp_path, ENVIRON)
    children.start(child)
    child.renew(script("echo new; exec sleep 60"))
    until(lambda: children.look() or said[-1].startswith("restarted"))
    until(lambda: child.last_words() == "new")
    assert not any("died" in line for line in said)


def test_stopping_waits_for_good_order(tmp_path: Path, children: Children, said: list[str]) -> None:
    child = Child(script("trap 'echo done; exit 0' TERM; echo up; while :; do sleep 0.05; done"), tmp_path, ENVIRON)
    children.start(child)
    until(lambda: child.last_words() == "up")
    children.stop()
    assert child.last_words() == "done"
    assert not any("killed" in line for line in said)


def test_what_does_not_end_by_itself_is_killed_with_all_that_it_started(
    tmp_path: Path, children: Children, said: list[str]
) -> None:
    child = Child(script("trap '' TERM; sleep 60 & echo $!; while :; do sleep 0.05; done"), tmp_path, ENVIRON)
    children.start(child)
    until(child.last_words)
    grandchild = int(child.last_words())
    children.stop(grace=0.2)
    until(lambda: not alive(grandchild))
    assert said[-1] == "killed script, which did not end by itself"


def test_whoever_is_in_a_hurry_does_not_wait(tmp_path: Path, children: Children) -> None:
    child = Child(script("trap '' TERM; echo up; while :; do sleep 0.05; done"), tmp_path, ENVIRON)
    children.start(child)
    until(child.last_words)
    children.stop(hurry=lambda: True, grace=3600)


def test_what_others_need_ends_after_them(tmp_path: Path, children: Children) -> None:
    def ends(name: str, **more: object) -> Child:
        text = f"trap 'sleep 0.2; echo {name} >> {tmp_path}/order; exit 0' TERM; echo up; while :; do sleep 0.05; done"
        return Child(Program(name, ["/bin/sh", "-c", text], **more), tmp_path, ENVIRON)  # type: ignore[arg-type]

    some = [ends("redis", last=True), ends("worker")]
    for child in some:
        children.start(child)
    until(lambda: all(child.last_words() == "up" for child in some))
    children.stop()
    assert (tmp_path / "order").read_text().split() == ["worker", "redis"]


@pytest.mark.parametrize("orphan", [signal.SIGKILL, signal.SIGTERM])
def test_when_we_are_killed_nothing_is_left_behind(tmp_path: Path, orphan: signal.Signals) -> None:
    text = f"""
import signal, sys, time
from pathlib import Path
from workers.cli.local.children import Child, Program
child = Child(Program("c", ["/bin/sleep", "60"], orphan=signal.Signals({int(orphan)})), Path({str(tmp_path)!r}), {{}})
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid))
