"""What a query tells its target: read from its text, before any data is there."""

from __future__ import annotations

import pytest

from workers.templates import QueryKind, compile_query
from workers.templates.transmitted import SentAs, Transmitted

PLAIN, SHA256, MD5, DECIDES = SentAs.PLAIN, SentAs.SHA256, SentAs.MD5, SentAs.DECIDES


def told(values: str) -> list[tuple[str, str, SentAs]]:
    text = f"INSERT INTO m (a) VALUES {{for $i, $lead = $batch}}({values}){{autocomma}}{{end}}"
    return [
        (one.name, one.of, one.manner)
        for one in compile_query(text, dialect="postgresql", kind=QueryKind.ADD, batch=True).told
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("'{$lead.a}'", [("a", "profile", PLAIN)]),
        ("'{$lead.a}', '{lower $lead.a}'", [("a", "profile", PLAIN)]),
        ("'{$lead.a.b[0]}'", [("a.b[0]", "profile", PLAIN)]),
        ("'{sha256 $lead.a}'", [("a", "profile", SHA256)]),
        ("'{sha256 (lower (trim $lead.a))}'", [("a", "profile", SHA256)]),
        ("'{lower (md5 $lead.a)}'", [("a", "profile", MD5)]),
        ("'{md5 (sha256 $lead.a)}'", [("a", "profile", MD5)]),
        ("'{md5 $lead.a}', '{$lead.a}'", [("a", "profile", MD5), ("a", "profile", PLAIN)]),
        ("'{default (md5 $lead.a) $lead.b}'", [("a", "profile", MD5), ("b", "profile", PLAIN)]),
        ("'{json $lead}'", [("", "profile", PLAIN)]),
        ("{segment_id}, '{segment_name}'", [("segment_id", "segment", PLAIN), ("segment_name", "segment", PLAIN)]),
        ("{$lead._event_time}, {$lead._sequence}", [("event_time", "event", PLAIN), ("sequence", "event", PLAIN)]),
        ("'{$lead.a = $lead.b}'", [("a", "profile", PLAIN), ("b", "profile", PLAIN)]),
        ("'{md5 segment_name}'", [("segment_name", "segment", MD5)]),
    ],
)
def test_what_stands_in_a_statement_is_told(values: str, expected: list[tuple[str, str, SentAs]]) -> None:
    assert told(values) == expected


def test_what_is_only_asked_for_is_not_sent() -> None:
    assert told("'{if $lead.ok and $lead.age > 17}{$lead.a}{elseif not $lead.b}x{else}{$lead.c}{end}'") == [
        ("ok", "profile", DECIDES),
        ("age", "profile", DECIDES),
        ("a", "profile", PLAIN),
        ("b", "profile", DECIDES),
        ("c", "profile", PLAIN),
    ]


def test_a_loop_s_variable_is_what_it_goes_over() -> None:
    loops = "{for $k, $p = $lead.phones}{$p.number}{md5 $p.owner}{for $t = $p.tags}{$t}{end}{if $p.ok}{$k}{end}{end}"
    assert told(f"'{loops}'") == [
        ("phones", "profile", DECIDES),
        ("phones[*].number", "profile", PLAIN),
        ("phones[*].owner", "profile", MD5),
        ("phones[*].tags", "profile", DECIDES),
        ("phones[*].tags[*]", "profile", PLAIN),
        ("phones[*].ok", "profile", DECIDES),
        ("phones[*]", "profile", PLAIN),
    ]


def test_a_variable_means_its_own_loop_alone() -> None:
    loops = "{for $p = $lead.a}{for $p = $p.x}{$p}{end}{$p.y}{end}{for $p = $lead.b}{$p[0]}{end}"
    assert told(f"'{loops}'") == [
        ("a", "profile", DECIDES),
        ("a[*].x", "profile", DECIDES),
        ("a[*].x[*]", "profile", PLAIN),
        ("a[*].y", "profile", PLAIN),
        ("b", "profile", DECIDES),
        ("b[*][0]", "profile", PLAIN),
    ]


def test_a_list_of_the_batch_is_told_as_it_is() -> None:
    text = 'DELETE FROM m WHERE s = {segment_id} AND a IN ({batch_in "ids.crm"})'
    query = compile_query(text, dialect="mysql", kind=QueryKind.REMOVE, batch=True)
    assert query.told == (Transmitted("segment_id", "segment", PLAIN), Transmitted("ids.crm", "profile", PLAIN))


def test_all_fields_that_a_query_uses_are_told() -> None:
    """`identifying` is what the compiler itself reads of profiles."""
    text = "INSERT INTO m (a) VALUES ('{if lead.a = lead.b}{md5 lead.c}{for $x = lead.d.e}{$x}{lead.f}{end}{end}')"
    query = compile_query(text, dialect="sqlite", kind=QueryKind.ADD, batch=False)
    assert {one.name for one in query.told if "*" not in one.name} == set(query.identifying)
