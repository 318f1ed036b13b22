"""A configuration of a test's own, tried on its target in this process; whatever is tried must change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers.preflight.targets import examine_all
from workers.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets import TargetDatabase
    from workers.preflight.examination import Examination
    from workers.preflight.findings import Finding

_SCHEMA = {
    "mysql": "SELECT table_name, column_name, column_type, collation_name, column_key FROM information_schema.columns"
    " WHERE table_schema = DATABASE() ORDER BY 1, ordinal_position",
    "postgresql": "SELECT table_name, column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, ordinal_position",
    "clickhouse": "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"
    " ORDER BY 1, position",
    "sqlite": "SELECT tbl_name, sql, type FROM sqlite_master ORDER BY name",
}


@dataclass
class Place:
    """A file, and one database that belongs to it."""

    folder: Path
    database: TargetDatabase

    def check(self, *text: str, namespace: str = "checking") -> list[Examination]:
        """Every connector's examination, by key. The database is the same before and after."""
        file = self.folder / "segsync.toml"
        file.write_text(f'namespace = "{namespace}"\n' + "\n".join(text))
        settings = load(file)
        before = self.contents()
        found = examine_all(settings)
        assert self.contents() == before
        return found

    def findings(self, **more: Any) -> list[Finding]:
        """What is found of the usual integration; `more` changes it, as in `TargetDatabase.integration`."""
        (found,) = self.check(self.database.connector(), self.database.integration(**more))
        assert [step.what for step in found.steps if step.mark == "mistake"] == []
        assert found.unread == []
        return found.findings

    def contents(self) -> Any:
        """Columns and rows of everything; of SQLite the file, too."""
        schema = self.database.run(_SCHEMA[self.database.dialect])
        tables = sorted({row[0] for row in schema if not row[0].startswith("sqlite_")})
        rows = {table: sorted(map(repr, self.database.run(f"SELECT * FROM {table}"))) for table in tables}
        path = self.folder / "target.db"
        return schema, rows, path.read_bytes() if path.exists() else b""


def marked(findings: list[Finding]) -> list[tuple[str, str]]:
    """Level and last part of the key path."""
    return [(each.level, each.where.rpartition(".")[2]) for each in findings]
