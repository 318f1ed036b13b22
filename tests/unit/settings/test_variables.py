"""`${…}` in string values."""

from __future__ import annotations

import pytest

from workers.settings.variables import VariableError, fill, literal, sketch

ENVIRON = {"HOST": "db", "EMPTY": "", "DOLLAR": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${HOST}", "db"),
        ("x${HOST}y${HOST}", "xdbydb"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:-b?c}", "a:-b?c"),
        ("${MISSING:-mysql://u@h:1/d}", "mysql://u@h:1/d"),
        ("${HOST:-other}", "db"),
        ("${HOST:?say}", "db"),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$db"),
        ("$HOST costs $5 or 5$", "$HOST costs $5 or 5$"),
        ("${DOLLAR}", "${HOST}"),
        ("${MISSING:-two\nlines}", "two\nlines"),
    ],
)
def test_variables_are_filled_in_once(text: str, filled: str) -> None:
    assert fill(text, ENVIRON) == filled


@pytest.mark.parametrize("text", ["${}", "${HOST", "${1X}", "${HOST-x}", "${HOST:x}", "${A B}", "${A:-${HOST}}", "${"])
def test_a_reference_that_cannot_be_read_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(VariableError, match=r"expected \$\{NAME\}, \$\{NAME:-default\} or \$\{NAME:\?why\}"):
        fill(text, ENVIRON)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${MISSING}", "the environment variable MISSING is not set"),
        ("${MISSING:?ask ops}", "the environment variable MISSING is not set: ask ops"),
        ("${EMPTY:?ask ops}", "the environment variable EMPTY is not set: ask ops"),
        ("${MISSING:?}", "the environment variable MISSING is not set"),
    ],
)
def test_a_missing_variable_is_named_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(VariableError) as caught:
        fill(text, ENVIRON)

    assert str(caught.value) == message


def test_what_stands_in_the_file_is_told_apart_from_what_the_environment_adds() -> None:
    assert literal("${A}${B:-}") == ""
    assert literal("x${A}") == "x"
    assert literal("${A:-dev}") == "dev"
    assert sketch("mysql://${A}@${B:-db}:${C:-}/x", "1") == "mysql://1@db:1/x"
