"""How long commands take to begin, in units of what a bare `import celery` takes, and what they load for it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Place

ROUNDS = 3
"""Of each, one after the other, and the quickest counts: a busy machine makes none of them quicker."""
MOST = {"--help": 7, "status": 22, "check": 32}
"""Processor time in units of `python -c 'import celery'`, of which a quiet machine takes 0.03 s: 0.2, 0.7 and 1 s."""
CELERY = [sys.executable, "-c", "import celery"]


@pytest.fixture
def fine(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where nothing needs a closer look: what is usual."""
    runtime = place.publish(integration())
    assert runtime.ledger.dialect == "sqlite"
    monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
    with place.served("route", "upkeep", "deliver.db"):
        yield place


def processor_seconds(command: list[str]) -> float:
    """What a process takes of the processor; its exit status is 0 or 1."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1), done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.usefixtures("fine")
def test_commands_begin_at_once() -> None:
    commands = {"celery": CELERY} | {name: [sys.executable, "-m", "workers.cli", name] for name in MOST}
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):
        for name, command in commands.items():
            least[name] = min(least[name], processor_seconds(command))
    ratios = {name: least[name] / least["celery"] for name in MOST}
    assert all(ratios[name] <= MOST[name] for name in MOST), ratios


def loaded(*arguments: str, **environ: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules that it has loaded by its end."""
    program = (
        f"import sys; sys.argv = ['segsync', *{arguments}]\n"
        "from workers.cli import main\n"
        "try:\n    main()\nfinally:\n    print('\\n', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ | environ
    )
    return done.stdout, set(done.stderr.split("\n")[-2].split())


@pytest.mark.usefixtures("fine")
def test_status_loads_neither_sqlalchemy_nor_celery_nor_the_compiler_where_all_is_well() -> None:
    told, modules = loaded("status")
    assert "deliver.db 1" in told
    assert "!" not in told
    assert modules & {"sqlalchemy", "celery", "kombu", "workers.templates.query", "workers.runtime"} == set()


@pytest.mark.usefixtures("fine")
def test_check_loads_neither_sqlalchemy_nor_celery() -> None:
    assert loaded("check")[1] & {"sqlalchemy", "celery", "kombu", "workers.runtime"} == set()


@pytest.mark.usefixtures("fine")
def test_the_shell_completes_names_without_loading_what_works() -> None:
    words = {"COMP_WORDS": "segsync pause c", "COMP_CWORD": "2", "_SEGSYNC_COMPLETE": "complete_bash"}
    told, modules = loaded(**words)
    assert told.split() == ["crm"]
    assert modules & {"sqlalchemy", "celery", "redis", "workers.templates.query", "workers.runtime"} == set()


def test_what_a_glance_cannot_tell_is_looked_at_closely(fine: Place) -> None:
    (fine.folder / "ledger.db").unlink()
    told, modules = loaded("status", "--check")
    assert told.startswith("OK")
    assert "sqlalchemy" in modules
    fine.file.write_text(fine.file.read_text().replace("batch = {", "batsh = {"))
    assert "4 mistakes; `segsync check` names them" in loaded("status")[0]
