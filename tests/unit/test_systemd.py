"""The unit files of examples/systemd run commands that there are; no systemd ran them, there is none here."""

from __future__ import annotations

import re
import shlex
from configparser import RawConfigParser

import pytest

from tests.repository import ROOT
from workers.cli.app import app

UNITS = sorted((ROOT / "examples" / "systemd").glob("*.service"))


def exec_start(name: str) -> list[str]:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    unit.read(ROOT / "examples" / "systemd" / name)
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert unit["Service"]["Restart"] == "always"
    return shlex.split(unit["Service"]["ExecStart"])


@pytest.mark.parametrize("name", [path.name for path in UNITS])
def test_each_unit_runs_a_command_that_there_is(name: str) -> None:
    words = exec_start(name)
    if words[0].endswith("/celery"):
        assert words[1:3] == ["-A", "workers"]
        assert words[3] in {"worker", "beat"}
    else:
        known = {info.callback.__name__ for info in app.registered_commands if info.callback}
        assert words[0].endswith("/segsync")
        assert words[1] in known


def test_a_worker_is_named_by_its_queue_and_host() -> None:
    words = exec_start("segsync-worker@.service")
    assert words[words.index("-n") + 1] == "%i@%%h", "systemd's own %h is a folder"
    assert words[words.index("-Q") + 1] == "%i"


def test_the_page_names_each() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert {path.stem for path in UNITS} == set(re.findall(r"`(segsync-[a-z]+@?)`", page))
