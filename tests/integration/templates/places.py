"""Places in which a placeholder can stand, and what a server must hold there after the statement has run."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from workers.templates import QueryKind, Row, SegmentView, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.templates import Query

Profile = dict[str, Any]

COLUMNS = 30
"""Columns of the tests' tables, c0 to c29; all of them texts that may be null."""

ATTACKS = [
    "' OR 1=1 -- ",
    "\\",
    "\\'",
    "abc\\",
    "x', 1), ('y",
    'x", NOW()),(666,"evil',
    ",now()),(13,'pwn',now()) -- ",
    "'; DROP TABLE t; --",
    "O'Brien",
    '"',
    "''",
    "\\\\''",
    "*/",
    "$$",
    "$tag$",
    "\\\n'",
    "\\\r\n",
    "%s %(x)s",
    ":x ? @x {x:String}",
    "\u02bc\u2018\u2019\uff07",
    "\ufeff\u202e",
    "\t\x1a\x7f\u2028",
    "😀" * 300,
    "",
    " ",
    "NULL",
    "0",
]

HOSTILE = st.text(st.sampled_from("'\"\\`\0\x1a\n\r\t%_-*/#;$:?@[](){}=aN0éß\u2018\u2019\u02bc\u00a0😀"), max_size=12)
ANY_TEXT = st.one_of(HOSTILE, st.text(max_size=12), st.sampled_from(ATTACKS))
WITHOUT_NUL = ANY_TEXT.map(lambda text: text.replace("\0", ""))
"""PostgreSQL and SQLite cannot hold U+0000: such a profile is refused (see `refused`)."""

AROUND = st.text(st.sampled_from("'\"\\`%_-*/#;$:?@[]()=aN0é \n"), max_size=6)
"""A template's own text around a placeholder. No braces: they would be tags."""


class Spot(NamedTuple):
    """An expression of a template, and what it comes to for a profile (and the segment's name)."""

    sql: str
    stored: Callable[[Profile, str], str | None]


def field(profile: Profile, _: str) -> str | None:
    value: str | None = profile.get("F")
    return value


def key(profile: Profile, _: str) -> str:
    return str(profile["K"])


def first(profile: Profile, _: str) -> str | None:
    return str(profile["L"][0]) if profile["L"] else None


def of(change: Callable[[str], str]) -> Callable[[Profile, str], str | None]:
    """The field, changed where it is there."""
    return lambda profile, _: None if profile.get("F") is None else change(profile["F"])


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def places(quote: str) -> list[Spot]:
    """Every kind of place in which `quote` opens a literal: whole, bare, partial, through functions and blocks."""
    q = quote
    return [
        Spot("{$x.K}", key),
        Spot(f"{q}{{$x.K}}{q}", key),
        Spot(f"{q}k{{$x.K}}k{q}", lambda p, _: f"k{p['K']}k"),
        Spot("{$x.F}", field),
        Spot(f"{q}{{$x.F}}{q}", field),
        Spot(f"{q}p-{{$x.F}}-s{q}", lambda p, _: f"p-{p.get('F') or ''}-s"),
        Spot(f"{q}it{q}{q}s {{$x.F}}{{$x.F}}{q}", lambda p, _: f"it{q}s " + (p.get("F") or "") * 2),
        Spot("{upper $x.F}", of(str.upper)),
        Spot(f"{q}{{lower $x.F}}{q}", of(str.lower)),
        Spot("{trim $x.F}", of(str.strip)),
        Spot("{json $x.F}", of(compact)),
        Spot(f"{q}{{json $x.O}}{q}", lambda p, _: compact(p["O"])),
        Spot("{$x.O}", lambda p, _: compact(p["O"])),
        Spot(f"{q}{{$x.O.a[0]}}{q}", first),
        Spot('{jsonpath $x.L "$[0]" "item"}', first),
        Spot(f'{q}all {{jsonpath $x.L "$[*]" "array"}}{q}', lambda p, _: f"all {compact(p['L'])}"),
        Spot('{default $x.F "it\'s"}', lambda p, _: "it's" if p.get("F") is None else p["F"]),
        Spot("{sha256 $x.F}", of(lambda text: hashlib.sha256(text.encode()).hexdigest())),
        Spot(f"{{if $x.F}}{q}{{$x.F}}{q}{{else}}{q}none{q}{{end}}", lambda p, _: p.get("F") or "none"),
        Spot(f"{q}{{if $x.F}}<{{$x.F}}>{{else}}none{{end}}{q}", lambda p, _: f"<{p['F']}>" if p.get("F") else "none"),
        Spot(f"{q}{{for $y = $x.L}}{{$y}}{{autocomma}}{{end}}{q}", lambda p, _: ",".join(p["L"])),
        Spot("COALESCE({$x.F}, 'none')", lambda p, _: "none" if p.get("F") is None else p["F"]),
        Spot(f"CASE WHEN {{$x.K}} = {{$x.K}} THEN {q}{{$x.F}}{q} END", field),
        Spot("{segment_name}", lambda _, name: name),
        Spot(f"{q}{{segment_name}}{q}", lambda _, name: name),
        Spot(f"{q}in {{segment_name}}!{q}", lambda _, name: f"in {name}!"),
        Spot(f"{q}{{segment_id}}{q}", lambda _, name: f"s{name}"),
    ]


def partial(before: str, after: str, quote: str, *, backslash: bool) -> Spot:
    """A literal with any text of the template's own around the field and the key."""
    texts = [text.replace("\\", "\\\\") if backslash else text for text in (before, after)]
    left, right = [text.replace(quote, quote * 2) for text in texts]
    return Spot(
        f"{quote}{left}{{$x.F}}{right}{{$x.K}}{quote}", lambda p, _: before + (p.get("F") or "") + after + p["K"]
    )


def any_places(quotes: str, *, backslash: bool) -> st.SearchStrategy[list[Spot]]:
    """Some of the places in any order, the key's first: rows are found by it."""
    fixed = [place for quote in quotes for place in places(quote)]
    free = st.builds(partial, AROUND, AROUND, st.sampled_from(quotes), backslash=st.just(backslash))
    one = st.one_of(st.sampled_from(fixed), free)
    return st.lists(one, min_size=1, max_size=6).map(lambda found: [fixed[0], *found])


def any_batch(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[Profile]]:
    """One to eight profiles with keys of their own; the field is missing or null in some."""
    profile = st.fixed_dictionaries(
        {"K": text, "L": st.lists(text, max_size=3)}, optional={"F": st.one_of(st.none(), text)}
    )
    return st.lists(profile, min_size=1, max_size=8).map(_keyed)


def _keyed(profiles: list[Profile]) -> list[Profile]:
    return [each | {"K": f"{n}{each['K']}", "O": {"a": each["L"]}} for n, each in enumerate(profiles)]


def attackers(values: list[str]) -> list[Profile]:
    """A profile for each value, which is in all of its fields, and one without any."""
    return _keyed([{"F": value, "K": value, "L": [value, value]} for value in values] + [{"K": "", "L": []}])


def columns(number: int) -> list[str]:
    """The names of the tables' first columns."""
    return [f"c{each}" for each in range(number)]


def insert(found: list[Spot]) -> str:
    """One statement that writes a row for each profile, with what could confuse a lexer around it."""
    names = ", ".join(["n", *columns(len(found))])
    cells = ", ".join(["{$i}", *(place.sql for place in found)])
    rows = f"{{for $i, $x = $batch}}({cells}){{autocomma}}{{end}}"
    return f"INSERT INTO t /* it's a \" */ ({names}) -- don't `\nVALUES {rows}"


def compiled(source: str, dialect: str, kind: QueryKind = QueryKind.ADD, timezone: str = "UTC") -> Query:
    """A query over batches whose key is K."""
    return compile_query(source, dialect=dialect, kind=kind, batch=True, key=("K",), timezone=timezone)


def rendered(query: Query, profiles: list[Profile], name: str = "n", at: int = 0) -> list[str]:
    """Its statements; the segment's id is s and its name."""
    return query.render([Row(profile, at, 1) for profile in profiles], SegmentView(f"s{name}", name, at, 1))


def expected(found: list[Spot], profiles: list[Profile], name: str) -> list[tuple[str | None, ...]]:
    """What the rows must hold, in order."""
    return [tuple(place.stored(profile, name) for place in found) for profile in profiles]


FIND = 'DELETE FROM t WHERE n >= 0 AND c0 IN ({batch_in "K"})'
COUNT = 'SELECT count(*) FROM t WHERE c0 IN ({batch_in "K"})'
