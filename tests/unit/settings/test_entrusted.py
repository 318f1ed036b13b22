"""What only the file may say: a source's list of segments may be SQL, which is anybody's, or a way to a secret."""

from __future__ import annotations

from typing import Any

import pytest

from workers.settings.entrusted import files_named, not_entrusted

HTTP = {"url": "https://p/{segment_id}", "headers": {"Key": "${TOKEN}"}}
PROGRAM = {"command": ["/bin/m", "{segment_id}"], "segments": ["/bin/s", "${TOKEN}"]}


def found(given: dict[str, Any], applied: dict[str, Any]) -> list[str]:
    return [str(each) for each in not_entrusted({"sources": {"main": given}}, {"sources": {"main": applied}})]


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ("https://p/all?token=${OTHER}", "sources.main.segments: holds a variable that is not applied there"),
        (["/bin/rm", "-r"], "sources.main.segments: is a command that is not applied"),
    ],
)
def test_a_list_of_segments_that_may_tell_a_secret_or_run_a_program(segments: object, said: str) -> None:
    assert said in "\n".join(found(HTTP | {"segments": segments}, HTTP))


@pytest.mark.parametrize("name", ["command", "segments"])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_no_argument_of_a_program_is_left_out(name: str, kept: int) -> None:
    """One that is left out may be what kept it from telling more."""
    applied = {"command": ["/bin/m", "{segment_id}"]} | {name: ["/bin/m", "{segment_id}", "--only-public"]}
    (told,) = found(applied | {name: applied[name][:kept]}, applied)
    assert told.startswith(f"sources.main.{name}: is a command that is not applied; expected it as it is applied")


def test_what_is_applied_may_stay_and_an_address_may_change_behind_its_host() -> None:
    assert found(PROGRAM, PROGRAM) == []
    assert found(HTTP | {"segments": "https://p/all"}, HTTP) == []
    assert "is a command" in found(PROGRAM | {"segments": ["/bin/s", "x"]}, PROGRAM)[0]


def test_what_a_header_says_is_led_nowhere_else() -> None:
    """A secret may stand there in clear text, in what an older version has published."""
    plain = {"url": "https://p/{segment_id}", "headers": {"Tenant": "one"}}
    assert found(plain | {"rows": 9}, plain) == []
    assert "leads its secret to another address" in found(plain | {"url": "https://evil/{segment_id}"}, plain)[0]
    assert found(plain, {}) == [], "who gives a new one has it"
    assert "is a secret that stands in" in found(plain | {"headers": {"Token": "two"}}, plain)[0]
    old = plain | {"headers": {"Token": "two"}}
    assert found(old | {"rows": 9}, old) == []


def test_a_query_is_anybodys() -> None:
    """Nothing is filled in there."""
    database = {"url": "mysql://u@db/crm", "password": "${PASSWORD}"}
    assert found(database | {"segments": "SELECT '${PASSWORD}' AS id"}, database) == []


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mysql://u@h/d?ssl_ca=/etc/shadow", ["ssl_ca"]),
        ("mysql://u@h/d?ssl-mode=REQUIRED", []),
        ("mysql://u@h/d?ssl%5Fca=/etc/shadow", ["ssl_ca"]),
        ("postgresql://u@h/d?sslcert=a&sslkey=/etc/id_rsa&sslcrl=b", ["sslcert", "sslkey", "sslcrl"]),
        ("postgresql://u@h/d?sslrootcert=system", []),
        ("mssql://u@h/d?ca_file=a", ["ca_file"]),
        ("oracle://u@h/d?key_file=a", ["key_file"]),
        ("clickhouse://u@h/d?client_cert=a", ["client_cert"]),
        ("https://h/{segment_id}?ssl_ca=a", []),
    ],
)
def test_a_file_of_an_address_is_named_by_the_file_alone(url: str, named: list[str]) -> None:
    assert (files_named(url), files_named(url, url)) == (named, [])
    assert files_named(url.replace("=a", "=c"), url) == [each for each in named if f"{each}=a" in url]
    told = not_entrusted({"connectors": {"new": {"url": url}}}, {})
    assert [(each.where, "names a file that is not applied there" in each.what) for each in told] == (
        [("connectors.new.url", True)] if named else []
    )
