"""What Celery is not allowed to run, and what its workers tell of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from celery.concurrency import get_implementation

from tests.waiting import PATIENCE
from workers.celery_guards import NotStarted, check_flower, check_modules, check_pool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.redis import RedisServer

SENTINELS = """
[redis]
sentinels = ["a:1", "b:2"]
master = "m"
username = "planted-user"
password = "planted-1"
sentinel_password = "planted-2"
"""
BY_URL = """
[redis]
url = "redis://planted-user@localhost:1/0"
password = "planted-1"
"""
TELL = """
import sys
from kombu.utils.json import dumps
from workers.celery import app, local, runtime
link = app.connection_for_write()
print(dumps(link.info()), dumps(link.clone().info()), link.as_uri(), repr(link), repr(app), repr(local))
print(repr(app.conf.table(with_defaults=True, censored=False)), app.bugreport(), app.conf.humanize())
print(repr(runtime.redis), repr(runtime.redis.connection_pool.connection_kwargs), repr(local.redis.credentials()))
print(link.credential_provider.get_credentials() == ("planted-user", "planted-1"), file=sys.stderr)
"""


def run(folder: Path, command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """In this folder, as Celery is started: what lies there comes first."""
    (folder / "segsync.toml").write_text(text or '[redis]\nurl = "redis://localhost:1/0"\n')
    environ = {**os.environ, "SEGSYNC_CONFIG": str(folder / "segsync.toml")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("pool", ["threads", "custom", "some.module:Pool"])
def test_pools_that_share_a_process_are_refused(pool: str) -> None:
    with pytest.raises(NotStarted, match="expected prefork or solo"):
        check_pool({"pool": pool})


def test_a_pool_that_is_refused_is_named_as_it_was_asked_for() -> None:
    with pytest.raises(NotStarted, match="--pool threads is not supported"):
        check_pool({"pool": get_implementation("threads")})


@pytest.mark.parametrize("pool", ["prefork", "solo", "processes"])
def test_pools_that_fork_or_are_alone_are_taken(pool: str) -> None:
    check_pool({"pool": pool})
    check_pool({"pool": get_implementation(pool)})
    check_pool({}, pool)


def test_a_pool_as_celery_gives_it_is_refused() -> None:
    with pytest.raises(NotStarted, match="thread"):
        check_pool({"pool": get_implementation("threads"), "pool_cls": None})


@pytest.mark.parametrize(
    ("address", "unix_socket", "logins"),
    [("127.0.0.1", "", []), ("::1", "", []), ("localhost", "", []), ("", "/run/f.sock", []), ("", "", ["a:b"])],
)
def test_flower_is_taken_where_only_some_may_look(address: str, unix_socket: str, logins: list[str]) -> None:
    check_flower(address, unix_socket, logins)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "10.0.0.7", "example.org"])  # noqa: S104 - refused
def test_flower_is_refused_where_anybody_may_look(address: str) -> None:
    with pytest.raises(NotStarted, match=r"expected --address=127\.0\.0\.1, or a login"):
        check_flower(address, "", [None, ""])


def test_our_modules_are_ours() -> None:
    check_modules()


@pytest.mark.parametrize("name", ["tasks.py", "celeryconfig.py", "tasks/__init__.py"])
def test_another_project_s_module_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("broker_url = 'redis://elsewhere'")
    found = run(tmp_path, ["-m", "celery", "-A", "workers", "beat"])

    assert found.returncode == 2
    assert found.stderr.strip().count("\n") == 0
    assert f"{file} stands in the way of segsync's own" in found.stderr


def test_a_pool_of_threads_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    found = run(tmp_path, ["-m", "celery", "-A", "workers", "worker", "-P", "threads"])

    assert found.returncode == 2
    assert found.stderr.strip() == "segsync: --pool threads is not supported; expected prefork or solo"


def test_gevent_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    """Where it is installed, as something of its name is here: else Celery itself does not get that far."""
    (tmp_path / "gevent").mkdir()
    (tmp_path / "gevent" / "__init__.py").write_text("version_info = (24, 0)\n")
    (tmp_path / "gevent" / "signal.py").write_text("")
    (tmp_path / "gevent" / "monkey.py").write_text("def patch_all(**_): pass\n")
    found = run(tmp_path, ["-m", "celery", "-A", "workers", "worker", "-P", "gevent"])

    assert found.returncode == 2
    assert found.stderr.strip() == "segsync: --pool gevent is not supported; expected prefork or solo"


def test_an_open_flower_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    found = run(tmp_path, ["-m", "celery", "-A", "workers", "flower", "--address=0.0.0.0"])

    assert found.returncode == 2
    assert "Flower would listen on 0.0.0.0" in found.stderr


WAKE = """
import logging
logging.basicConfig(level=logging.INFO)
from workers.celery import app
app.loader.import_default_modules()
for task, arguments in (("flush", []), ("route", ["t"]), ("upkeep", ["t"]), ("deliver", ["crm", "t"])):
    print(app.tasks[f"segsync.{task}"].apply(arguments).state)
"""


def test_where_nothing_is_applied_each_task_tells_one_line(
    tmp_path: Path, redis_server: RedisServer, namespace: str
) -> None:
    """As between FLUSHALL and `apply`: what to do, and no traceback."""
    redis_server.start()
    text = f'namespace = "{namespace}"\n[redis]\nurl = "{redis_server.url}"\n'
    found = run(tmp_path, ["-c", WAKE], text)

    assert found.stdout.split() == ["FAILURE"] * 4
    lines = [line for line in found.stderr.splitlines() if "NothingApplied" in line]
    assert len(lines) == 4
    assert all("run `segsync apply`" in line for line in lines)
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("text", [SENTINELS, BY_URL])
def test_workers_tell_of_their_broker_and_name_no_secret(tmp_path: Path, text: str) -> None:
    found = run(tmp_path, ["-c", TELL], text)

    assert found.stderr.strip() == "True"
    assert "(hidden)" in found.stdout
    assert "planted-1" not in found.stdout
    assert "planted-2" not in found.stdout


CIRCLE = """
import gc
import weakref
from workers.celery import app
from workers.control.startup import collect_rarely
collect_rarely()
class Left: pass
left = []
@app.task
def leave():
    one = Left()
    one.itself = one
    left.append(weakref.ref(one))
gc.collect()
for _ in range(3):
    leave.apply()
leave()
print([each() for each in left])
"""


def test_what_a_task_leaves_in_circles_is_gone_when_it_ends(tmp_path: Path) -> None:
    """Else a worker grows for minutes until Python looks: its thresholds are high (control/startup.py)."""
    found = run(tmp_path, ["-c", CIRCLE])

    assert found.stdout.strip() == "[None, None, None, None]", found.stderr
