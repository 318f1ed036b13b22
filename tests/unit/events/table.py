r"""Good and bad events: what the intake makes of them, and so what the producers' client must let through.

`workers/events/parsing.py` and `segsync.py` share no code, because platforms copy the second; this table is what
they share.
The client refuses whatever is not wholly good. `SECRET` stands where people's data would: no error may show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SECRET = "ann-secret"


class Verdict(Enum):
    """What the intake does with an event."""

    GOOD = "good"
    BAD_PROFILE = "a profile goes to quarantine"
    MALFORMED = "the event goes to quarantine"


@dataclass(frozen=True)
class Row:
    """An event, and what the intake's reason says if it is not good."""

    name: str
    data: bytes
    verdict: Verdict = Verdict.GOOD
    says: str = ""


def _add(profiles: bytes, segment: bytes = b'{"id":7}', more: bytes = b"") -> bytes:
    return b'{"type":"add","segment":' + segment + more + b',"profiles":[' + profiles + b"]}"


def _profile(name: str, profile: str, says: str = "") -> Row:
    """A profile between two good ones; bad if `says` is not empty."""
    data = _add(b'{"_id":"before"},' + profile.encode() + b',{"_id":"after"}')
    return Row(f"profile: {name}", data, Verdict.BAD_PROFILE if says else Verdict.GOOD, says)


def _segment(name: str, segment: str, says: str = "") -> Row:
    data = b'{"type":"segment_upsert","segment":' + segment.encode() + b"}"
    return Row(f"segment: {name}", data, Verdict.MALFORMED if says else Verdict.GOOD, says)


def _at(at: str, *, good: bool) -> Row:
    data = f'{{"type":"clear","segment":{{"id":7}},"at":{at}}}'.encode()
    verdict, says = (Verdict.GOOD, "") if good else (Verdict.MALFORMED, "malformed: at: ")
    return Row(f"at: {at}", data, verdict, says)


def _malformed(name: str, data: str | bytes, says: str) -> Row:
    return Row(name, data.encode() if isinstance(data, str) else data, Verdict.MALFORMED, says)


def _good(name: str, data: str) -> Row:
    return Row(name, data.encode())


_DEEPEST = "[" * 99 + "]" * 99
_TOO_DEEP = "[" * 100 + "]" * 100
_BOTTOMLESS = "[" * 50_000 + "]" * 50_000

_EVENTS = [
    _good("add", '{"type":"add","segment":{"id":7},"profiles":[{"_id":"61f0","CustomID":"A-17"}]}'),
    _good("remove", '{"type":"remove","segment":{"id":7},"profiles":[{"_id":"61f0"}]}'),
    _good("clear", '{"type":"clear","segment":{"id":7}}'),
    _good("segment_upsert", '{"type":"segment_upsert","segment":{"id":7,"name":"VIP","database":"main"}}'),
    _good("segment_delete", '{"type":"segment_delete","segment":{"id":7}}'),
    _good("no profiles do nothing", '{"type":"add","segment":{"id":7},"profiles":[]}'),
    _good("no profiles, with blanks", '{"type":"add","segment":{"id":7},"profiles":[ \n ]}'),
    _good("a clear with an empty list", '{"type":"clear","segment":{"id":7},"profiles":[]}'),
    _good("unknown keys are ignored", '{"v":[1,{"a":1.5}],"type":"clear","segment":{"id":7,"color":"red"}}'),
    _good("null is as absent", '{"type":"clear","segment":{"id":7,"name":null,"tags":null},"at":null,"profiles":null}'),
    _good("null reserves nothing", '{"type":"clear","segment":{"id":7},"snapshot":null,"id":null}'),
    _good("of two ids the last counts", '{"type":"clear","segment":{"id":7,"id":8}}'),
    _good("blanks around", ' \t\r\n{ "type" : "clear" , "segment" : { "id" : 7 } }\n'),
    _good("escapes in keys", r'{"\u0074ype":"clear","segment":{"id":7}}'),
    _good("an id of its own", '{"type":"clear","segment":{"id":7},"id":"evt-1"}'),
    _good("an id of its own, a long number", '{"type":"clear","segment":{"id":7},"id":12345678901234567890123}'),
    _malformed("nothing", "", "not json: nothing but blanks; expected an object"),
    _malformed("blanks", " \n", "not json: nothing but blanks"),
    _malformed("no JSON", "clear 7", "not json: expecting value at character 0"),
    _malformed(
        "cut off", '{"type":"add","segment":{"id":7},"profiles":[{"_id":"ann-sec', "not json: unterminated string"
    ),
    _malformed("cut off between profiles", '{"type":"add","segment":{"id":7},"profiles":[{"_id":1},', "not json: "),
    _malformed("two events in one", '{"type":"clear","segment":{"id":7}}{}', "not json: extra data at character 35"),
    _malformed("NUL after it", '{"type":"clear","segment":{"id":7}}\0', "not json: extra data"),
    _malformed("a comma too many", '{"type":"clear","segment":{"id":7},}', "not json: "),
    _malformed("single quotes", "{'type':'clear'}", "not json: "),
    _malformed("a byte order mark", b'\xef\xbb\xbf{"type":"clear","segment":{"id":7}}', "not json: "),
    _malformed("UTF-16", '{"type":"clear","segment":{"id":7}}'.encode("utf-16"), "not utf-8: byte 0 is 0xff"),
    _malformed("Latin-1", '{"type":"clear","segment":{"id":7,"name":"Café"}}'.encode("latin-1"), "not utf-8: byte 45"),
    _malformed("Latin-1 in a profile", _add('{"_id":1,"name":"Café"}'.encode("latin-1")), "not utf-8: "),
    _malformed("Latin-1 in an unknown key", b'{"type":"clear","segment":{"id":7},"x":"\xff"}', "not utf-8: "),
    _malformed("a list", '[{"type":"clear","segment":{"id":7}}]', "malformed: expected `object`, got `array`"),
    _malformed("a string", '"clear"', "malformed: expected `object`, got `str`"),
    _malformed("null", "null", "malformed: expected `object`, got `null`"),
    _malformed("no type", '{"segment":{"id":7}}', "malformed: object missing required field `type`"),
    _malformed("no segment", '{"type":"clear"}', "malformed: object missing required field `segment`"),
    _malformed(
        "a type in capitals", '{"type":"CLEAR","segment":{"id":7}}', "type: 'CLEAR' is none; expected one of add, "
    ),
    _malformed("an old type", '{"type":"upsert","segment":{"id":7}}', "type: 'upsert' is none"),
    _malformed("an endless type", '{"type":"' + "x" * 9999 + '","segment":{"id":7}}', "x…' is none"),
    _malformed("a number as type", '{"type":1,"segment":{"id":7}}', "malformed: type: expected `str`, got `int`"),
    _malformed("resync", '{"type":"resync","segment":{"id":7}}', "reserved: the type 'resync' takes segment.id"),
    _malformed("snapshot", '{"type":"clear","segment":{"id":7},"snapshot":{"part":1}}', "reserved: the key 'snapshot'"),
    _malformed("add without profiles", '{"type":"add","segment":{"id":7}}', "profiles: add needs them, found none"),
    _malformed("profiles null", '{"type":"remove","segment":{"id":7},"profiles":null}', "profiles: remove needs them"),
    _malformed(
        "one profile, no list", '{"type":"add","segment":{"id":7},"profiles":{"_id":1}}', "profiles: expected `array"
    ),
    _malformed("clear with profiles", '{"type":"clear","segment":{"id":7},"profiles":[{"_id":1}]}', "clear takes none"),
    _malformed("an empty id of its own", '{"type":"clear","segment":{"id":7},"id":""}', "malformed: id: is empty"),
    _malformed(
        "an object as id of its own", '{"type":"clear","segment":{"id":7},"id":{}}', "malformed: id: expected `int"
    ),
    _malformed("bottomless outside of profiles", '{"x":' + _BOTTOMLESS + "}", "malformed: nested too deeply"),
    _malformed("NaN in a profile", _add(b'{"_id":1,"x":NaN}'), "not json: "),
    _malformed(
        "half a pair in a name", r'{"type":"clear","segment":{"id":7,"name":"\ud800"}}', "half of a surrogate pair"
    ),
    _malformed("half a pair, then no JSON", _add(rb'{"_id":"\ud800"},{"_id":1 2}'), "not json: "),
    _malformed("profiles closed like an object", _add(rb'{"_id":"\ud800"}')[:-2] + b"}}", "not json: "),
    _malformed("profiles never closed", _add(rb'{"_id":"\ud800"}')[:-2], "not json: "),
    _malformed(
        "an unclosed quote", _add(rb'{"_id":"\ud800"},{"_id":"' + rb"\"" * 5000), "not json: unterminated string"
    ),
]

_SEGMENTS = [
    _segment("a number as id", '{"id":7}'),
    _segment("a negative id", '{"id":-7}'),
    _segment("a text as id", '{"id":"vip customers/7:a*"}'),
    _segment("an id in Cyrillic", '{"id":"клиенты"}'),
    _segment("an id of 255 bytes", f'{{"id":"{"я" * 127}x"}}'),
    _segment("an id of 255 digits", f'{{"id":{"7" * 255}}}'),
    _segment("an empty name", '{"id":7,"name":""}'),
    _segment("a name of 4,096 bytes", f'{{"id":7,"name":"{"n" * 4096}"}}'),
    _segment("a name over two lines", r'{"id":7,"name":"a\nb"}'),
    _segment("groups and tags", '{"id":7,"groups":["sales",12],"tags":[]}'),
    _segment("1,000 tags", f'{{"id":7,"tags":[{",".join(map(str, range(1000)))}]}}'),
    _segment("no id", '{"name":"VIP"}', "malformed: segment: object missing required field `id`"),
    _segment("no object", "7", "malformed: segment: expected `object`, got `int`"),
    _segment("null", "null", "malformed: segment: expected `object`, got `null`"),
    _segment("id null", '{"id":null}', "malformed: segment.id: expected `int | str`, got `null`"),
    _segment("id with a fraction", '{"id":7.0}', "malformed: segment.id: expected `int | str`, got `float`"),
    _segment("id with an exponent", '{"id":7e0}', "malformed: segment.id: expected `int | str`, got `float`"),
    _segment("id true", '{"id":true}', "malformed: segment.id: expected `int | str`, got `bool`"),
    _segment("id empty", '{"id":""}', "malformed: segment.id: is empty; expected a string or an integer"),
    _segment("id of 256 bytes", f'{{"id":"{"я" * 128}"}}', "segment.id: has 256 bytes; expected at most 255"),
    _segment("id of 256 digits", f'{{"id":{"7" * 256}}}', "segment.id: has 256 bytes"),
    _segment("id of 5,000 digits", f'{{"id":{"7" * 5000}}}', "segment.id: integer value out of range"),
    _segment("id with NUL", r'{"id":"7\u0000"}', r"segment.id: '7\x00' holds a control character"),
    _segment("id with a line feed", r'{"id":"7\n"}', r"segment.id: '7\n' holds a control character"),
    _segment("id with C1", r'{"id":"7\u0085"}', "segment.id: '7\\x85' holds a control character"),
    _segment("a number as name", '{"id":7,"name":7}', "malformed: segment.name: expected `str | null`, got `int`"),
    _segment("a name of 4,097 bytes", f'{{"id":7,"name":"{"n" * 4097}"}}', "n…' holds NUL, or more than 4,096 bytes"),
    _segment("a name with NUL", r'{"id":7,"name":"\u0000"}', r"segment.name: '\x00' holds NUL, or"),
    _segment("a number as database", '{"id":7,"database":1}', "segment.database: expected `str | null`, got `int`"),
    _segment("an empty database", '{"id":7,"database":""}', "segment.database: is empty"),
    _segment("a text as groups", '{"id":7,"groups":"sales"}', "segment.groups: expected `array | null`, got `str`"),
    _segment("null among tags", '{"id":7,"tags":["a",null]}', "segment.tags[1]: expected `int | str`, got `null`"),
    _segment("an empty tag", '{"id":7,"tags":["a",""]}', "segment.tags[1]: is empty"),
    _segment(
        "1,001 tags", f'{{"id":7,"tags":[{",".join(map(str, range(1001)))}]}}', "segment.tags: expected at most 1,000"
    ),
]

_TIMES = [
    *(
        _at(f'"{at}"', good=True)
        for at in [
            "2026-11-21T18:30:00Z",
            "2026-11-21T18:30:00",
            "2026-11-21 18:30:00.5",
            "2026-11-21T18:30",
            "2026-11-21t18:30:00z",
            "2026-11-21T18:30:00,123456789Z",
            "2026-11-21T18:30:00.123+05:30",
            "2026-11-21T18:30:00-0800",
            "2026-11-21T18:30:00+03",
            "2024-02-29T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "0001-01-02T00:00:00Z",
            "9999-12-30T23:59:59.999999Z",
        ]
    ),
    *(
        _at(f'"{at}"', good=False)
        for at in [
            "",
            "yesterday",
            "2026-11-21",
            "20261121T183000Z",
            "2026-W47-6T18:30:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T18:60:00Z",
            "2026-11-21T18:30:60Z",
            "2026-11-21T18:30:00.Z",
            "2026-11-21T18:30:00+24:00",
            "2026-11-21T18:30:00 UTC",
            " 2026-11-21T18:30:00Z",
            "2026-11-21T18:30:00Z\\n",
            "٢٠٢٦-11-21T18:30:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "0001-01-02T00:00:00+00:01",
            "9999-12-31T00:00:00Z",
            "9999-12-30T23:59:59-00:01",
        ]
    ),
    _at("1763749800", good=False),
    _at("[]", good=False),
]

_NO_ID = "; expected a string or an integer"

_PROFILES = [
    _profile("nothing but an id", '{"_id":"61f0"}'),
    _profile("nested", '{"_id":"61f0","address":{"city":"Zürich","zip":[8001,null,true]}}'),
    _profile("a number as id", '{"_id":7}'),
    _profile("a long number as id", '{"_id":123456789012345678901234567890}'),
    _profile("an id of 255 bytes", f'{{"_id":"{"я" * 127}x"}}'),
    _profile("an id with a line feed", r'{"_id":"a\nb"}'),
    _profile("of two ids the last counts", '{"_id":null,"_id":7}'),
    _profile("hostile text", r"""{"_id":"x'); DROP TABLE users; --","a":"\"\\\u0000\u001f{[,"}"""),
    _profile("an astral character, escaped", r'{"_id":"\ud83d\ude00"}'),
    _profile("an astral character, as it is", '{"_id":"😀"}'),
    _profile(
        "many digits",
        '{"_id":1,"a":1.50,"b":0.10000000000000000001,"c":1E5,"d":-0,"e":-0.0,"f":1e999,"g":' + "9" * 300 + "}",
    ),
    _profile("an integer of 4,300 digits", '{"_id":1,"a":' + "9" * 4300 + "}"),
    _profile("an empty key", '{"_id":1,"":2}'),
    _profile("100 levels", '{"_id":1,"a":' + _DEEPEST + "}"),
    _profile("300 lists, none deep", '{"_id":1,"a":[' + ",".join(["[]"] * 300) + "]}"),
    _profile("brackets in a text", '{"_id":1,"a":"' + "[{" * 300 + '"}'),
    _profile("a string", f'"{SECRET}"', "profiles[1] is a string; expected an object"),
    _profile("a number", "1", "profiles[1] is an integer; expected an object"),
    _profile("true", "true", "profiles[1] is true or false; expected an object"),
    _profile("null", "null", "profiles[1] is null; expected an object"),
    _profile("a list", f'["{SECRET}"]', "profiles[1] is a list; expected an object"),
    _profile("empty", "{}", "profiles[1]._id is missing" + _NO_ID),
    _profile("no id", f'{{"id":"{SECRET}"}}', "profiles[1]._id is missing" + _NO_ID),
    _profile("id null", f'{{"_id":null,"x":"{SECRET}"}}', "profiles[1]._id is null" + _NO_ID),
    _profile("id true", '{"_id":true}', "profiles[1]._id is true or false" + _NO_ID),
    _profile(
        "id with a fraction", '{"_id":1.0}', "profiles[1]._id is a number with a fraction or an exponent" + _NO_ID
    ),
    _profile(
        "id with an exponent", '{"_id":1e3}', "profiles[1]._id is a number with a fraction or an exponent" + _NO_ID
    ),
    _profile("id a list", f'{{"_id":["{SECRET}"]}}', "profiles[1]._id is a list" + _NO_ID),
    _profile("id an object", f'{{"_id":{{"$oid":"{SECRET}"}}}}', "profiles[1]._id is an object" + _NO_ID),
    _profile("id empty", '{"_id":""}', "profiles[1]._id is empty" + _NO_ID),
    _profile("id of 256 bytes", f'{{"_id":"{"я" * 128}"}}', "profiles[1]._id has 256 bytes; expected at most 255"),
    _profile("id of 256 digits", f'{{"_id":{"7" * 256}}}', "profiles[1]._id has 256 bytes; expected at most 255"),
    _profile("half a pair", f'{{"_id":1,"a":"\\ud800{SECRET}"}}', "profiles[1] holds half of a surrogate pair"),
    _profile("the other half", f'{{"_id":1,"a":"{SECRET}\\uDC00"}}', "profiles[1] holds half of a surrogate pair"),
    _profile("half a pair as id", r'{"_id":"\ud800"}', "profiles[1] holds half of a surrogate pair"),
    _profile("half a pair as key", r'{"_id":1,"\ud800":2}', "profiles[1] holds half of a surrogate pair"),
    _profile("half a pair in no object", r'["\ud800"]', "profiles[1] is a list; expected an object"),
    _profile("an integer of 5,000 digits", '{"_id":1,"a":' + "9" * 5000 + "}", "an integer of more than 4,300 digits"),
    _profile("101 levels", '{"_id":1,"a":' + _TOO_DEEP + "}", "profiles[1] is nested more than 100 levels deep"),
    _profile("bottomless", '{"_id":1,"a":' + _BOTTOMLESS + "}", "profiles[1] is nested more than 100 levels deep"),
]

ROWS = [*_EVENTS, *_SEGMENTS, *_TIMES, *_PROFILES]
