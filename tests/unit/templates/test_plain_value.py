"""Values that are no SQL: paths, and templates whose text is taken as it is."""

from __future__ import annotations

import pytest

from workers.events.numerals import Numeral
from workers.templates import Row, RowProblem, TemplateErrors
from workers.templates.plain_value import PlainValue, compile_value
from workers.templates.transmitted import SentAs, Transmitted

PROFILE: dict[str, object] = {
    "email": " Ann@Example.com ",
    "phones": ["+7 999", "+7 888"],
    "address": {"city": "Mühl's \\ {x}"},
    "n": 79995551111,
    "f": Numeral("1.50"),
    "yes": True,
    "no": False,
    "nothing": None,
    "empty": "",
    "odd name": "x",
    "nul": "a\0b",
    "lone": "\ud800",
}


def of(text: str) -> str:
    return compile_value(text, "fields.email").of(Row(PROFILE, 0, 0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("email", " Ann@Example.com "),
        (" email ", " Ann@Example.com "),
        ("address.city", "Mühl's \\ {x}"),
        ("phones[1]", "+7 888"),
        ("odd name", "x"),
        ("n", "79995551111"),
        ("f", "1.50"),
        ("missing", ""),
        ("nothing", ""),
        ("empty", ""),
        ("address.city.deeper", ""),
        ("{lead.email}", " Ann@Example.com "),
        ("{lower (trim lead.email)}", "ann@example.com"),
        ("{lead.address.city}!", "Mühl's \\ {x}!"),
        ("'{lead.n}' -- ; \"", "'79995551111' -- ; \""),
        ("{if lead.yes}{lead.email}{end}", "Ann@Example.com"),
        ("{if lead.no}{lead.email}{end}", ""),
        ("{if lead.missing = 'x'}a{elseif lead.n > 5}{lead.n}{end}", "79995551111"),
        ("{default lead.missing lead.n}", "79995551111"),
        ("{for $p = lead.phones}{$p}{autocomma}{end}", "+7 999,+7 888"),
        ('{jsonpath lead.phones "$[0]" "item"}', "+7 999"),
        ('{date "2026-01-31" "%Y"}{lead.n}', "202679995551111"),
    ],
)
def test_a_value_is_the_text_as_it_is(text: str, value: str) -> None:
    assert of(text) == value


@pytest.mark.parametrize("text", ["phones", "address", "yes", "no", "{lead.phones}", "{lead.yes}", "{lead.lone}x"])
def test_what_is_no_text_is_a_problem_of_its_profile(text: str) -> None:
    with pytest.raises(RowProblem) as problem:
        of(text)
    assert "999" not in problem.value.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty text"),
        ("a..b", "is no path"),
        ("lead.email", "leave `lead.` out"),
        ("$lead.email", "leave `$lead.` out"),
        ("{segment_id}", "the same whatever the segment"),
        ("{lead.a}{event_time}", "the same whatever the segment"),
        ("{lead._sequence}", "the same whatever the segment"),
        ("{sha256 lead.email}", "segsync hashes the normal form itself"),
        ("{lower (md5 lead.email)}", "segsync hashes the normal form itself"),
        ("{literal}RU{end}", "the same for everybody"),
        ("{$lead.email}", "write {lead.Field}"),
        ("{for $i, $l = $batch}{$l.email}{end}", "one at a time"),
        ("{loweer lead.email}", "did you mean `lower`"),
        ("{lead.email", "not closed"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(TemplateErrors) as errors:
        compile_value(text, "fields.email")
    assert any(message in mistake.what for mistake in errors.value.mistakes)
    assert {mistake.where for mistake in errors.value.mistakes} == {"fields.email"}


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(TemplateErrors) as errors:
        compile_value("{lead.a}{foo lead.b}{lead.c", "f")
    assert len(errors.value.mistakes) == 2
    with pytest.raises(TemplateErrors) as alone:
        compile_value("{segment_id}", "f")
    assert len(alone.value.mistakes) == 1, "what follows from a mistake is none of its own"


def test_a_hash_may_be_made_where_a_hash_is_declared() -> None:
    made = compile_value("{sha256 lead.n}", "f", hashes=True)
    assert len(made.of(Row(PROFILE, 0, 0))) == 64
    assert made.told == (Transmitted("n", "profile", SentAs.SHA256),)


def test_it_tells_what_it_takes_and_what_decides() -> None:
    value = compile_value("{if lead.yes}{lead.phones[0]}{end}", "f")
    assert [(one.name, one.manner) for one in value.told] == [("yes", SentAs.DECIDES), ("phones[0]", SentAs.PLAIN)]
    assert compile_value("phones[0]", "f").told == (Transmitted("phones[0]", "profile", SentAs.PLAIN),)


def test_another_text_has_another_digest() -> None:
    values = [compile_value(text, "f").digest for text in ("a", "b", "{lead.a}", "{lower lead.a}")]
    assert len(set(values)) == 4
    assert compile_value(" a ", "g").digest == values[0]


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        *((value, True) for value in (True, "true", " YES ", 1, "granted", "1")),
        *((value, False) for value in (False, None, "no", "", 0, 2, ["yes"], {"yes": True})),
    ],
)
def test_only_a_yes_is_a_yes(value: object, *, yes: bool) -> None:
    row = Row({"consent": value}, 0, 0)
    assert compile_value("consent", "f").says_yes(row) is yes
    assert PlainValue.says_yes(compile_value("{lead.consent}", "f"), row) is yes
    assert compile_value("{if lead.consent = 2}yes{end}", "f").says_yes(row) is (value == 2)
