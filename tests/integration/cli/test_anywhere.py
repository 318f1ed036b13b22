"""`--config` and `--json` before the command and behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration

if TYPE_CHECKING:
    from tests.integration.place import Call, Place


@pytest.mark.parametrize("command", [["--config", "other.toml", "check"], ["check", "--config", "other.toml"]])
def test_the_file_may_be_named_before_and_behind(place: Place, call: Call, command: list[str]) -> None:
    place.write(integration())
    place.file.rename(place.folder / "other.toml")
    done = call(*command)
    assert (f"{place.folder}/other.toml: fine" in done.stdout, done.returncode) == (True, 0), done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["quarantine", "--config", "other.toml", "list"],
        ["--config", "other.toml", "quarantine", "list"],
        ["config", "--config", "other.toml", "pull", "--dry-run"],
    ],
    ids=" ".join,
)
def test_the_file_may_be_named_behind_a_group(place: Place, call: Call, command: list[str]) -> None:
    place.publish(integration())
    place.file.rename(place.folder / "other.toml")
    assert call(*command).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ["--json", "quarantine", "list"],
        ["quarantine", "--json", "list"],
        ["quarantine", "list", "--json"],
        ["quarantine", "list", "--json", "--config", "segsync.toml"],
    ],
    ids=" ".join,
)
def test_json_may_stand_before_and_behind(place: Place, call: Call, command: list[str]) -> None:
    place.publish(integration())
    assert json.loads(call(*command).stdout) == {"open": 0, "entries": []}


@pytest.mark.parametrize("command", ["drain", "quarantine purge", "config pull", "console", "console password"])
def test_json_of_a_command_without_it_is_refused(place: Place, call: Call, command: str) -> None:
    place.write(integration())
    done = call("--json", *command.split())
    assert (f"`segsync {command}` has no --json" in done.stderr, done.returncode) == (True, 2)


def test_the_version_names_the_libraries_that_decide(call: Call) -> None:
    done = call("--version")
    assert done.stdout.startswith("segsync ")
    assert "celery 5." in done.stdout
