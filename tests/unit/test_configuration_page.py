"""docs/configuration.md has each key with its range and default, as the code reads it."""

from __future__ import annotations

from tests.configuration_page import DEFAULTS, PAGE, made, rows, written


def test_the_reference_is_what_the_code_reads() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "made anew by: python -m tests.configuration_page"


def test_ranges_and_defaults_are_the_codes_own() -> None:
    told = {path: (kind, default) for path, kind, default in rows()}
    assert told["connectors.*.parallelism"] == ("1 to 256", "`4`")
    assert told["integrations.*.batch.timeout"] == ("100ms to 24h", '`"1m"`')
    assert told["integrations.*.active"] == ("true or false", "`true`")
    assert {"redis.sentinels", "connectors.*.connect_timeout", "intake.default_database"} <= told.keys()
    assert DEFAULTS.keys() <= told.keys(), "what holds where a key is left out is told of keys that there are"


def test_the_options_of_urls_are_those_that_are_taken() -> None:
    assert "`ssl_verify_identity` (true, false)" in made()
    assert "`ssl_ca_certs`" in made()
