"""Random statements with a list that comes out empty: one that is left away for it would have changed nothing.

SQLite is the judge, which reads `IN ()` as a list of nothing.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tests.proof import draws, seeded
from tests.unit.templates.rendering import SEGMENT, compiled, rows
from workers.templates import BadRows

if TYPE_CHECKING:
    import random

STATEMENTS = draws(150, 40_000)

LIST = "({for $x = lead.l}{$x}{autocomma}{end})"
ROWS = "(VALUES {for $x = lead.l}({$x}){autocomma}{end})"
NONE = {LIST: "()", ROWS: "(SELECT 1 AS column1 WHERE 0)"}
"""What each is to SQLite when nothing is in it."""

ITEMS = [
    *("5", "5", "m.a", "count(*)", "(count(*))", '"count"(*)', "1 + (max(m.a))", "(SELECT count(*) FROM u)", "-(5)"),
    *("m.a IS NOT DISTINCT FROM 1", "m.a IS DISTINCT FROM 1, (count(*))", "count(*) OVER ()", "lower('a')"),
]
TABLES = [
    *("m", "m", "m, u", "m JOIN u ON (u.a = m.a)", "m LEFT JOIN u ON u.a = m.a", f"m JOIN {ROWS} v ON v.column1 = m.a"),
    *(f"m LEFT JOIN {ROWS} v ON v.column1 = m.a", f"{ROWS} v, m", f"m, {ROWS} v", f"(SELECT 1 FROM {ROWS}) v, m"),
    *("(SELECT 1) v JOIN m ON true", f"(SELECT count(*) FROM {ROWS}) v, m"),
]
CONDITIONS = [
    *(f"m.a IN {LIST}", f"m.a IN {LIST}", f"m.b IN {LIST}", f"NOT m.a IN {LIST}", f"m.a NOT IN {LIST}"),
    *(f"(m.a IN {LIST})", f"m.a IN {LIST} IS NOT TRUE", f"0 = m.a IN {LIST}", f"m.b BETWEEN 0 AND m.a IN {LIST}"),
    *("m.b = 1", "m.b = 1", "m.b BETWEEN 0 AND 9", "NOT m.b = 9", "m.b IS NOT NULL", "(m.b = 1 OR m.b = 2)", "1"),
    *(f"CASE WHEN m.a IN {LIST} THEN 0 ELSE 1 END", f"EXISTS (SELECT 1 FROM u WHERE u.a IN {LIST})"),
    f"NOT EXISTS (SELECT 1 FROM u WHERE u.a IN {LIST})",
]
GROUPS = ["", "", "", " GROUP BY m.a", " GROUP BY m.a, (m.b)", " HAVING 1", " GROUP BY m.b HAVING count(*) >= 0"]
TAILS = [
    "",
    "",
    " ORDER BY m.a",
    " ORDER BY count(*)",
    " ORDER BY (count(*))",
    " LIMIT 1",
    " LIMIT (SELECT count(*) FROM u)",
]
OTHERS = ["", "", "", "", " UNION ALL SELECT 7", " EXCEPT SELECT 7"]
CONFLICTS = ["", "", "", " ON CONFLICT (a) DO NOTHING", f" ON CONFLICT (a) DO UPDATE SET b = 1 WHERE g.a IN {LIST}"]
ALWAYS = [
    f"DELETE FROM m WHERE m.a IN {LIST} OR m.b = 1",
    f"INSERT INTO g (a) SELECT count(*) FROM m WHERE m.a IN {LIST}",
    f"INSERT INTO g (a) SELECT DISTINCT 5 FROM m LEFT JOIN {ROWS} v ON v.column1 = m.a",
]
"""Of each thing that gives rows to a statement with an empty list one: the dice, of few statements, may throw none."""


def condition(dice: random.Random) -> str:
    found = dice.choice(CONDITIONS)
    while dice.random() < 0.4:
        found += dice.choice([" AND ", " AND ", " AND ", " OR "]) + dice.choice(CONDITIONS)
    return found


def select(dice: random.Random) -> str:
    item, tables = dice.choice(ITEMS), dice.choice(TABLES)
    found = f"SELECT {dice.choice(['', '', 'DISTINCT '])}{item} FROM {tables}"
    if dice.random() < 0.9:
        found += f" WHERE {condition(dice)}"
    return found + dice.choice(GROUPS) + dice.choice(OTHERS) + dice.choice(TAILS)


def statement(dice: random.Random) -> str:
    """One that writes; SQLite can mostly run it."""
    match dice.randrange(5):
        case 0:
            return f"DELETE FROM m WHERE {condition(dice)}"
        case 1:
            return f"UPDATE m SET b = {dice.choice(['3', f'm.a IN {LIST}'])} WHERE {condition(dice)}"
        case 2:
            return f"WITH w AS ({select(dice)}) DELETE FROM m WHERE {condition(dice)}"
        case _:
            return f"INSERT INTO g (a) {select(dice)}{dice.choice(CONFLICTS)}"


def changed(database: sqlite3.Connection, source: str) -> bool:
    """Whether it does anything to the tables, with nothing in its lists; sqlite3.Error where it is no SQL."""
    for what, nothing in NONE.items():
        source = source.replace(what, nothing)
    before = database.total_changes
    try:
        database.execute(source)
        return database.total_changes > before
    finally:
        database.rollback()


def test_what_is_left_away_for_an_empty_list_would_have_changed_nothing() -> None:
    (dice, seed), away = seeded(3), 0
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE m (a int, b int); CREATE TABLE u (a int); CREATE TABLE g (a int UNIQUE, b int);"
        "INSERT INTO m VALUES (1, 1), (2, 2), (3, NULL); INSERT INTO u VALUES (1), (5); INSERT INTO g VALUES (9, 9)"
    )
    for source in (*ALWAYS, *(statement(dice) for _ in range(STATEMENTS))):
        try:
            sent = compiled(source, "postgresql", batch=False).render(rows({"l": []}), SEGMENT)
        except BadRows:
            continue
        if sent:
            continue
        try:
            away += 1
            assert not changed(database, source), (seed, source)
        except sqlite3.Error:
            away -= 1

    assert away > STATEMENTS / 50, "too few were left away to show anything"
