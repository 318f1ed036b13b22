"""`ordering`: written by the user, or told by the queries; the default is right without anyone's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import CONNECTOR, SCOPE, integration, loaded, mistakes
from workers.integrations import Ordering

if TYPE_CHECKING:
    from pathlib import Path

REMOVE = """DELETE FROM t WHERE s = {segment_id} AND k IN ({batch_in "K"})"""
KEY_ALONE = "INSERT INTO t (s, k) VALUES {for $l = $batch}({segment_id}, '{$l.K}'){autocomma}{end}"
MORE = "INSERT INTO t (s, k, mail) VALUES {for $l = $batch}({segment_id}, '{$l.K}', '{$l.mail}'){autocomma}{end}"
UPDATED = """UPDATE t SET member = 1 WHERE s = {segment_id} AND k IN ({batch_in "K"})"""
COMPUTED = (
    'INSERT INTO t (s, k) VALUES {for $l = $batch}({segment_id}, \'{jsonpath $l.K "$.id" "item"}\'){autocomma}{end}'
)
HASHED = "INSERT INTO t (s, k) VALUES {for $l = $batch}({segment_id}, '{sha256 (lower (trim $l.K))}'){autocomma}{end}"
SELECTED = "INSERT INTO t (k, m) SELECT * FROM (VALUES {for $l = $batch}('{$l.K}', '{$l.m}'){autocomma}{end}) v (k, m)"
BY_MAIL = "DELETE FROM t WHERE {for $l = $batch}(k = '{$l.K}' AND mail = '{$l.mail}') OR {end} FALSE"


def ordering(folder: Path, add: str, remove: str, *lines: str) -> Ordering:
    text = integration('key = "K"', "batch = { size = 100 }", *lines, queries={"add": add, "remove": remove})
    return loaded(folder, CONNECTOR, text).integrations["vip"].ordering


@pytest.mark.parametrize(
    ("add", "remove", "expected"),
    [
        (KEY_ALONE, REMOVE, Ordering.CATALOG),
        (UPDATED, REMOVE, Ordering.STRICT),
        (MORE, REMOVE, Ordering.CATALOG),
        (HASHED, REMOVE, Ordering.CATALOG),
        (COMPUTED, REMOVE, Ordering.STRICT),
        (SELECTED, REMOVE, Ordering.STRICT),
        (KEY_ALONE, BY_MAIL, Ordering.STRICT),
    ],
    ids=["key alone", "updated", "other fields", "hashed", "computed", "no plain insert", "removed by another field"],
)
def test_left_out_the_queries_tell(tmp_path: Path, add: str, remove: str, expected: Ordering) -> None:
    assert ordering(tmp_path, add, remove) is expected


@pytest.mark.parametrize("word", ["exact", "strict"])
def test_the_users_word_counts(tmp_path: Path, word: str) -> None:
    assert ordering(tmp_path, COMPUTED, BY_MAIL, f'ordering = "{word}"') is Ordering(word)


def test_another_word_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, CONNECTOR, integration('ordering = "folded"', scope=SCOPE))
    assert "ordering" in mistake
    assert "'exact', 'strict'" in mistake
