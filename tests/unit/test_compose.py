"""docker-compose.yml and the Dockerfile name only what exists: files, commands, queues and variables.

No image was built and no container started by any test: there is no Docker engine where these run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.connectors.sql.vendors import VENDORS
from workers.settings import load

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OPTIONAL = ("alerts", "cli", "console")
TARGETS = {name: each for name, each in COMPOSE["services"].items() if "profiles" in each and name not in OPTIONAL}
"""Databases to try a connector on, started only where asked for."""
SERVICES: dict[str, Any] = {name: each for name, each in COMPOSE["services"].items() if name not in TARGETS}
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "segsync"}
EXAMPLE = ROOT / "examples" / "compose" / "segsync.toml"


def example_environ() -> dict[str, str]:
    """The variables of our services, with compose's own defaults filled in."""
    common = list(OURS["route"]["environment"])
    (environ,) = {tuple((name, service["environment"][name]) for name in common) for service in OURS.values()}
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in environ}


def test_everything_that_was_asked_for_is_there() -> None:
    always = {"redis", "postgres", "route", "upkeep", "deliver", "beat", "metrics", "flower"}
    assert set(SERVICES) == always | set(OPTIONAL)
    assert all(SERVICES[name]["profiles"] == [name] for name in OPTIONAL)
    assert "container_name" not in SERVICES["deliver"], "a named container cannot be scaled"
    assert "ports" not in SERVICES["deliver"], "a published port cannot be scaled"


def test_a_database_to_try_starts_only_where_it_is_asked_for_and_is_reached_from_here_alone() -> None:
    assert set(TARGETS) == {"mysql", "mssql", "oracle", "clickhouse"}
    assert set(TARGETS) <= set(VENDORS)
    for name, service in TARGETS.items():
        assert service["profiles"] == [name]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_redis_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_example_configuration_is_right_in_the_containers_environment() -> None:
    settings = load(EXAMPLE, example_environ())
    assert settings.local.redis.url == "redis://redis:6379/0"
    assert settings.ledger_url.startswith("postgresql://")
    assert settings.check_secrets(example_environ()) == []


def test_the_workers_serve_every_queue() -> None:
    served: set[str] = set()
    for service in OURS.values():
        words = shlex.split(service["command"])
        if "-Q" in words:
            served |= set(words[words.index("-Q") + 1].split(","))
    connectors = load(EXAMPLE, example_environ()).connectors
    assert served == {"route", "upkeep", "resync", *(f"deliver.{key}" for key in connectors)}


def test_the_commands_are_celerys_own() -> None:
    for name, service in OURS.items():
        words = shlex.split(service["command"])
        if name == "cli":
            assert service["entrypoint"] == ["segsync"]
            assert service["profiles"] == ["cli"], "it must not start with the others"
            continue
        if name in ("metrics", "alerts", "console"):
            assert words[:2] == ["segsync", name]
            continue
        assert words[:3] == ["celery", "-A", "workers"]
        assert words[3] in {"worker", "beat", "flower"}


@pytest.mark.parametrize("service", [name for name, service in SERVICES.items() if "volumes" in service])
def test_mounted_files_exist(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_the_image_copies_what_the_package_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied >= {"pyproject.toml", "segsync.py", "celeryconfig.py", "workers", "tasks"}
    for name in copied:
        assert (ROOT / name).exists(), name


def test_the_console_is_there_for_whoever_has_named_its_users() -> None:
    assert OURS["console"]["profiles"] == ["console"]
    assert OURS["console"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "ARG EXTRAS=console\n" in (ROOT / "Dockerfile").read_text()


def test_extras_are_installed_where_they_are_asked_for() -> None:
    """Whoever builds names them, and what nobody names is not there but the console."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    declared, used = lines.index("ARG EXTRAS=console"), lines.index('RUN pip install --no-cache-dir ".[${EXTRAS}]"')
    assert declared < used, "an argument is known from its line on"
    assert {str(each["build"]) for each in OURS.values()} == {
        str({"context": ".", "args": {"EXTRAS": "${SEGSYNC_EXTRAS:-console}"}})
    }
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(
        r"EXTRAS=([\w,]+)", (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    )
    assert {name for each in named for name in each.split(",")} <= set(extras)


def test_no_log_grows_for_ever() -> None:
    assert {
        name for name, service in (SERVICES | TARGETS).items() if "max-size" not in str(service.get("logging"))
    } == set()


def test_no_login_stands_in_a_command() -> None:
    """`ps` shows those to everybody on the host."""
    assert not [name for name, service in SERVICES.items() if "basic_auth" in str(service.get("command"))]
    assert OURS["flower"]["environment"]["FLOWER_BASIC_AUTH"] == "${FLOWER_LOGIN:-segsync:segsync}"


def test_compose_itself_reads_the_file() -> None:
    """Where there is a `docker-compose` or `docker compose`; elsewhere the tests above are what was shown."""
    found = next((c for c in (["docker-compose"], ["docker", "compose"]) if _runs(c)), None)
    if found is None:
        assert COMPOSE["services"]
        return
    done = subprocess.run([*found, "config"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _runs(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
