"""What PostgreSQL's catalogue says of a table: its columns, its unique keys, and what else its rows depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workers.connectors.inspection import ALIKE, NUMBER_SPELLING, TIME_SPELLING, Column, KeyPart, Table, grouped

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.inspection import Family, UniqueKey

Row = tuple[str | None, ...]

FAMILIES: dict[str | None, Family] = {"N": "number", "S": "text"}
SPELLINGS: dict[str, tuple[str, ...]] = {
    "citext": ("case",),
    "bpchar": ("trailing blanks",),
    "uuid": ("case, hyphens and braces",),
    "bytea": ("how bytes are written",),
    "jsonb": ("how JSON is written",),
    "macaddr": ("how an address is written",),
    "macaddr8": ("how an address is written",),
}
"""What types take for equal that have another text for the same value."""
OF_CATEGORIES: dict[str, tuple[str, ...]] = {
    "N": (NUMBER_SPELLING,),
    "D": (TIME_SPELLING,),
    "T": ("how a time is written",),
    "B": ("how true and false are written",),
    "I": ("how an address is written",),
    "R": ("how a range is written",),
    "V": ("how bits are written",),
}
"""The same by a type's category."""


class Tables:
    """The tables that a session sees.

    ask  a question of our own and its rows; TargetError
    """

    def __init__(self, ask: Callable[[str], list[Row]]) -> None:
        self._ask = ask

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        path = _identifier(name) if not schema else f"{_identifier(schema)}.{_identifier(name)}"
        oid = self._ask(f"SELECT to_regclass({_quoted(path)})::oid")[0][0]
        columns = self._columns(oid) if oid else {}
        if not oid or not columns:
            return None
        kind, triggers, following = self._ask(
            "SELECT relkind, EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
            f" AND (tgrelid = {oid} OR tgrelid IN (SELECT relid FROM pg_partition_tree({oid}))))"
            f" OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = {oid} AND rulename <> '_RETURN')"
            ", (SELECT string_agg(DISTINCT conrelid::regclass::text, chr(10)) FROM pg_constraint"
            f" WHERE confrelid = {oid} AND contype = 'f' AND confdeltype IN ('c', 'n', 'd'))"
            f" FROM pg_class WHERE oid = {oid}"
        )[0]
        return Table(
            name, columns, self._unique(oid), followers=tuple((following or "").splitlines()),
            is_view=kind in ("v", "m"), triggers=triggers == "t", barred=self._barred(oid),
        )  # fmt: skip

    def _columns(self, oid: str) -> dict[str, Column]:
        rows = self._ask(
            # A type of the user's own may be called as another one is: it is told with its schema.
            "SELECT a.attname, CASE WHEN s.nspname = 'pg_catalog' OR t.typname = 'citext' THEN"
            " format_type(a.atttypid, a.atttypmod) ELSE quote_ident(s.nspname) || '.' || quote_ident(t.typname) END,"
            " b.typname, b.typcategory,"
            " quote_ident(n.nspname) || '.' || quote_ident(l.collname), l.collisdeterministic,"
            " (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''"
            " AND t.typdefault IS NULL"
            # A trigger before the insert (1: each row, 2: before, 4: insert) may fill it in.
            " AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = a.attrelid AND g.tgtype & 7 = 7),"
            " CASE WHEN a.attgenerated <> '' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d"
            " WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace s ON s.oid = t.typnamespace"
            # A domain's values are its type's, however many domains are between.
            " JOIN pg_type b ON b.oid = (WITH RECURSIVE d (type, base) AS (SELECT t.oid, t.typbasetype UNION ALL"
            " SELECT n.oid, n.typbasetype FROM d JOIN pg_type n ON n.oid = d.base) SELECT type FROM d WHERE base = 0)"
            " LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace"
            f" WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        return {str(row[0]): self._column(row) for row in rows}

    def _column(self, row: Row) -> Column:
        name, spelled, kind, category, collation, exact, required, computed = row
        merges = SPELLINGS.get(str(kind)) or OF_CATEGORIES.get(str(category), ())
        if exact == "f":
            merges, spelled = self._collation(str(collation)), f"{spelled} collate {collation}"
        family, shown = FAMILIES.get(category, "other"), (collation or "").removeprefix("pg_catalog.")
        return Column(str(name), str(spelled), family, shown, merges, required == "t", computed or "")

    def _collation(self, collation: str) -> tuple[str, ...]:
        """What a collation that is not deterministic takes for equal: asked, since names do not tell."""
        asked = ", ".join(f"'{one}' COLLATE {collation} = '{other}'" for one, other in ALIKE.values())
        answers = self._ask(f"SELECT {asked}")[0]
        return tuple(what for what, same in zip(ALIKE, answers, strict=True) if same == "t")

    def _unique(self, oid: str) -> tuple[UniqueKey, ...]:
        rows = self._ask(
            "SELECT i.relname, a.attname,"
            # What no upsert can name, and yet refuses rows: counted as a key of some rows.
            " x.indpred IS NOT NULL OR x.indrelid <> p.relid OR NOT x.indisvalid OR NOT x.indisunique,"
            " pg_get_indexdef(x.indexrelid, k.place::int, true), x.indimmediate,"
            " EXISTS (SELECT FROM pg_collation c WHERE c.oid = x.indcollation[k.place::int - 1]"
            " AND NOT c.collisdeterministic AND c.oid IS DISTINCT FROM a.attcollation)"
            f" FROM (SELECT {oid}::oid relid) p JOIN pg_index x ON x.indrelid = p.relid"
            # A partition's own: those of the whole table stand there once more, as children of its index.
            " OR x.indrelid IN (SELECT relid FROM pg_partition_tree(p.relid))"
            " AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.indexrelid)"
            " JOIN pg_class i ON i.oid = x.indexrelid"
            " CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (number, place)"
            " LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number AND k.number > 0"
            " WHERE (x.indisunique OR x.indisexclusion) AND (x.indisvalid OR x.indisready) AND k.place <= x.indnkeyatts"
            " ORDER BY i.relname, k.place"
        )
        late = {name for name, _, _, _, at_once, _ in rows if at_once == "f"}
        found = grouped(
            (str(name), column or told or "", _part(column, partial, collated))
            for name, column, partial, told, _, collated in rows
        )
        return tuple(replace(key, deferrable=key.name in late) for key in found)

    def _barred(self, oid: str) -> dict[str, str]:
        """Columns with a default that takes a number of a sequence which this user has no right to."""
        rows = self._ask(
            "SELECT a.attname, s.oid::regclass FROM pg_attrdef d JOIN pg_depend n ON n.classid = 'pg_attrdef'::regclass"
            " AND n.objid = d.oid AND n.refclassid = 'pg_class'::regclass JOIN pg_class s ON s.oid = n.refobjid"
            f" JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {oid}"
            # In this order, for of what is no sequence nobody has a right to it.
            " AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END"
        )
        return {str(column): str(sequence) for column, sequence in rows}


def _part(column: str | None, partial: str | None, collated: str | None) -> KeyPart:
    if partial == "t":
        return KeyPart.SOME_ROWS
    if column is None:
        return KeyPart.EXPRESSION
    return KeyPart.COLLATED if collated == "t" else KeyPart.WHOLE


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
