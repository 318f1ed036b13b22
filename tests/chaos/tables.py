"""The customer's tables with the sequence of each row's last add in it, and a journal that triggers keep."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.events import COLUMN
from tests.targets import TargetDatabase
from workers.connectors.sql.positions import CREATE

CLEARED = "CREATE TABLE cleared (segment_id bigint)"
POSTGRESQL = (
    (
        f'CREATE TABLE member (segment_id bigint NOT NULL, client_id varchar({COLUMN}) COLLATE "C" NOT NULL,'
        " seq bigint NOT NULL, PRIMARY KEY (segment_id, client_id))"
    ),
    "CREATE TABLE segment (segment_id bigint PRIMARY KEY, name varchar(255))",
    "CREATE TABLE journal (id bigserial PRIMARY KEY, segment_id bigint, client_id text, seq bigint)",
    CLEARED,
    (
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF TG_OP = 'DELETE' THEN INSERT INTO journal (segment_id, client_id) VALUES (OLD.segment_id, OLD.client_id);"
        " ELSE INSERT INTO journal (segment_id, client_id, seq) VALUES (NEW.segment_id, NEW.client_id, NEW.seq);"
        " END IF; RETURN NULL; END $$"
    ),
    "CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON member FOR EACH ROW EXECUTE FUNCTION note()",
)
_NEW = "INSERT INTO journal (segment_id, client_id, seq) VALUES (NEW.segment_id, NEW.client_id, NEW.seq)"
MYSQL = (
    (
        f"CREATE TABLE member (segment_id bigint NOT NULL, client_id varchar({COLUMN}) CHARACTER SET utf8mb4"
        " COLLATE utf8mb4_nopad_bin NOT NULL, seq bigint NOT NULL, PRIMARY KEY (segment_id, client_id))"
    ),
    "CREATE TABLE segment (segment_id bigint PRIMARY KEY, name varchar(255) CHARACTER SET utf8mb4)",
    (
        "CREATE TABLE journal (id bigint AUTO_INCREMENT PRIMARY KEY, segment_id bigint,"
        f" client_id varchar({COLUMN}) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, seq bigint)"
    ),
    "CREATE PROCEDURE commits() COMMIT",
    CLEARED,
    f"CREATE TRIGGER noted_i AFTER INSERT ON member FOR EACH ROW {_NEW}",
    f"CREATE TRIGGER noted_u AFTER UPDATE ON member FOR EACH ROW {_NEW}",
    (
        "CREATE TRIGGER noted_d AFTER DELETE ON member FOR EACH ROW"
        " INSERT INTO journal (segment_id, client_id) VALUES (OLD.segment_id, OLD.client_id)"
    ),
)
UPSERT = {
    "mysql": "ON DUPLICATE KEY UPDATE seq = VALUES(seq)",
    "postgresql": "ON CONFLICT (segment_id, client_id) DO UPDATE SET seq = excluded.seq",
}


def literal(text: str, dialect: str) -> str:
    """A text for a statement of a test's own."""
    quoted = text.replace("'", "''")
    return "'" + (quoted.replace("\\", "\\\\") if dialect == "mysql" else quoted) + "'"


@dataclass(frozen=True)
class ChaosTarget(TargetDatabase):
    """One target of a chaos run."""

    def create(self) -> None:
        """Makes the tables and the triggers."""
        self.run(*(POSTGRESQL if self.dialect == "postgresql" else MYSQL), CREATE[self.dialect])

    def rows(self) -> dict[tuple[str, str], int]:
        """(segment, key) of every row, and the sequence of the add that wrote it."""
        return {(str(s), c): q for s, c, q in self.run("SELECT segment_id, client_id, seq FROM member")}

    def fill(self, table: str, rows: list[tuple[str, int, str]]) -> None:
        """Rows of segment, id and key, as they are."""
        values = [f"({segment}, {at}, {literal(name, self.dialect)})" for segment, at, name in rows]
        pages = [", ".join(values[at : at + 500]) for at in range(0, len(values), 500)]
        self.run(*(f"INSERT INTO {table} VALUES {page}" for page in pages))

    def journal(self, after: int) -> list[tuple[int, str, str, int | None]]:
        """What happened to rows since entry `after`: id, segment, key, sequence (None: deleted)."""
        sql = f"SELECT id, segment_id, client_id, seq FROM journal WHERE id > {after} ORDER BY id"
        return [(i, str(s), c, q) for i, s, c, q in self.run(sql)]

    def queries(self) -> dict[str, str]:
        """The five queries in this database's words."""
        return super().queries() | {
            "add": "INSERT INTO member (segment_id, client_id, seq) VALUES\n"
            "{for $index, $lead = $batch}\n({segment_id}, '{$lead.CustomID}', {$lead._sequence}){autocomma}\n{end}\n"
            + UPSERT[self.dialect],
        }

    def noted_clear(self) -> str:
        """A `clear` that is written down, too, in a table that may refuse it."""
        return f"INSERT INTO cleared (segment_id) VALUES ({{segment_id}});\n{self.queries()['clear']}"

    def single_queries(self) -> dict[str, str]:
        """`add` and `remove` for one profile at a time."""
        return {
            "add": "INSERT INTO member (segment_id, client_id, seq) VALUES\n"
            "({segment_id}, '{lead.CustomID}', {sequence})\n" + UPSERT[self.dialect],
            "remove": "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = '{lead.CustomID}'",
        }
