"""What `segsync init` writes: it loads as it stands, and never over a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.cli import presets
from workers.cli.commands import init
from workers.connectors.sql.positions import CREATE
from workers.errors import WrongUsage
from workers.settings import load
from workers.templates import QueryKind

if TYPE_CHECKING:
    from pathlib import Path

DIALECTS = sorted(presets.PRESETS)


POSITION = {dialect: (create,) for dialect, create in CREATE.items()}
"""Of those that can have it."""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_loads_with_nothing_in_the_environment_and_without_a_warning(dialect: str, tmp_path: Path) -> None:
    file = tmp_path / "segsync.toml"
    assert init.run(dialect, file, only_sql=False) == 0
    settings = load(file, {})

    assert settings.warnings == []
    assert settings.connectors["crm"].dialect == dialect
    integration = settings.integrations["crm-segments"]
    assert set(integration.queries) == set(QueryKind)
    assert (integration.members is None) == (dialect == "mssql"), "which must allow snapshots first"
    assert (integration.key_fields, integration.batch_size, integration.timeout_ms) == (("CustomID",), 1000, 60_000)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_file_holds_the_same_tables_as_comments(dialect: str) -> None:
    written = presets.toml(dialect).replace("\n# ", "\n").replace("\n#\n", "\n\n")
    preset = presets.PRESETS[dialect]
    for text in (preset.members, preset.segments, *POSITION.get(dialect, ())):
        assert f"{text};" in written


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sql_leaves_out_what_only_exactly_once_needs(dialect: str) -> None:
    lines = [line for line in presets.sql(dialect).splitlines() if not line.startswith("--")]
    assert sum(line.startswith("CREATE TABLE") for line in lines) == 2
    for text in POSITION.get(dialect, ()):
        assert f"-- {text};" in presets.sql(dialect)
    assert ("segsync_position" in presets.sql(dialect)) == (dialect in POSITION)


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text("mine")
    with pytest.raises(WrongUsage, match="is there already, and stays"):
        init.run("sqlite", file, only_sql=False)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["", "nowhere/segsync.toml", "a\0b"])
def test_a_file_that_cannot_be_made_is_a_message(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match="--output"):
        init.run("sqlite", tmp_path / name, only_sql=False)


@pytest.mark.parametrize("dialect", ["", "mariadb", "MySQL", "db2"])
def test_another_dialect_is_refused_with_those_there_are(dialect: str) -> None:
    with pytest.raises(WrongUsage, match="expected one of mysql, postgresql, sqlite"):
        init.run(dialect, None, only_sql=False)
