"""Whatever a collation of MySQL or MariaDB takes for one row folds alike: the servers are asked."""

from __future__ import annotations

import string
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from workers.delivery.key_folding import fold_columns_far, fold_key_far

if TYPE_CHECKING:
    from tests.servers.mariadb import MariadbServer

LETTERS = [chr(code) for code in range(0x21, 0x590) if chr(code).isalnum()]
"""Latin, Greek, Cyrillic and Armenian: beyond them letters are left out of a fold."""
PAIRS = [one + other for one in string.ascii_lowercase for other in string.ascii_lowercase]
"""Some collations take two letters for one."""
DIGITS = [chr(code) for code in range(0x300, 0x10000) if 0 <= unicodedata.numeric(chr(code), -1) <= 9]
"""Of all scripts: Arabic and Indian ones stand in telephone numbers."""
NUMBERS = [f"x{digit}" for digit in [*DIGITS, *string.digits]]
TEXTS = [
    *LETTERS,
    *PAIRS,
    *NUMBERS,
    *(f"x{pair}{last}" for pair in ("ss", "aa", "ch", "ae", "oe", "ue") for last in "sahex"),
]


@pytest.fixture(params=["mariadb_server", pytest.param("mysql_server", marks=[pytest.mark.proof, pytest.mark.fetched])])
def server(request: pytest.FixtureRequest) -> MariadbServer:
    found: MariadbServer = request.getfixturevalue(request.param)
    return found


def test_what_a_collation_takes_for_one_folds_alike(server: MariadbServer) -> None:
    connection = server.admin()
    apart = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT collation_name FROM information_schema.collations"
            " WHERE collation_name LIKE 'utf8mb4%' AND collation_name NOT LIKE '%bin'"
        )
        collations = [name for (name,) in cursor.fetchall()]
        texts = " UNION ALL ".join(f"SELECT _utf8mb4 0x{text.encode().hex()} AS t" for text in TEXTS)
        for collation in collations:
            cursor.execute(
                f"SELECT CONVERT(t USING utf8mb4), HEX(WEIGHT_STRING(t COLLATE {collation})) FROM ({texts}) x"
            )
            alike = defaultdict(set)
            for text, weight in cursor.fetchall():
                alike[weight].add(fold_key_far((text,)))
            apart |= {(collation, *sorted(folds)) for folds in alike.values() if len(folds) > 1}
    connection.close()
    assert len(collations) > 20
    assert apart == set()


def test_many_at_once_fold_as_each_by_itself() -> None:
    assert fold_columns_far([(text,) for text in PAIRS]) == [fold_key_far((text,)) for text in PAIRS]
