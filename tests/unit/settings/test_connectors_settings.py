"""[connectors.*]: shapes are checked on loading, secrets when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import CONNECTOR, integration, loaded, mistakes, write
from workers.connectors.sql.postgresql.vendor import POSTGRESQL
from workers.connectors.sql.url import address
from workers.errors import SettingsError
from workers.settings import ConnectorSettings, load
from workers.settings.loading import from_published

if TYPE_CHECKING:
    from pathlib import Path

    from workers.connectors.contract import Target
    from workers.settings import Settings

HERE = "connectors.crm"


def connector(*lines: str) -> str:
    return "\n".join(["[connectors.crm]", *lines, ""])


def resolved(folder: Path, *lines: str, **environ: str) -> Target:
    return crm_of(loaded(folder, connector(*lines))).resolve(environ)


def crm_of(settings: Settings) -> ConnectorSettings:
    crm = settings.connectors["crm"]
    assert isinstance(crm, ConnectorSettings)
    return crm


def unresolved(folder: Path, *lines: str, **environ: str) -> list[str]:
    settings = loaded(folder, connector(*lines))
    with pytest.raises(SettingsError) as caught:
        settings.connectors["crm"].resolve(environ)
    assert settings.check_secrets(environ) == caught.value.mistakes
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_connector_has_the_documented_defaults(tmp_path: Path) -> None:
    crm = crm_of(loaded(tmp_path, CONNECTOR))

    assert (crm.key, crm.dialect, crm.parallelism, crm.timezone) == ("crm", "sqlite", 4, "UTC")
    assert (crm.statement_timeout, crm.connect_timeout, crm.allow) == (30.0, 10.0, frozenset())


def test_a_connector_reads_all_its_keys_and_resolves_to_a_target(tmp_path: Path) -> None:
    lines = (
        'url = "mysql://sync@${CRM_HOST:-db}:3306/crm?ssl_ca=/ca.pem"',
        'password = "${CRM_PASSWORD}"',
        "parallelism = 256",
        'statement_timeout = "2m"',
        "connect_timeout = 2.5",
        'timezone = "Europe/Berlin"',
        'allow = ["call"]',
    )
    crm = crm_of(loaded(tmp_path, connector(*lines)))

    assert (crm.parallelism, crm.timezone, crm.allow) == (256, "Europe/Berlin", frozenset({"call"}))

    target = crm.resolve({"CRM_PASSWORD": "p@ss:/?#%41", "CRM_HOST": "db2"})

    assert (target.key, target.dialect, target.session_name) == ("crm", "mysql", "segsync:crm")
    assert target.url == "mysql://sync@db2:3306/crm?ssl_ca=/ca.pem"
    assert target.password == "p@ss:/?#%41"
    assert (target.statement_timeout, target.connect_timeout) == (120.0, 2.5)
    assert "p@ss" not in repr(target)


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_the_scheme_names_the_dialect_even_where_the_rest_is_a_variable(tmp_path: Path, scheme: str) -> None:
    assert loaded(tmp_path, connector(f'url = "{scheme}://${{WHERE}}"')).connectors["crm"].dialect == scheme
    assert loaded(tmp_path, connector(f'url = "${{URL:-{scheme}://h/d}}"')).connectors["crm"].dialect == scheme


def test_the_value_of_a_parameter_is_checked_where_it_is_known(tmp_path: Path) -> None:
    url = 'url = "postgresql://h/d?sslmode=${MODE}"'
    assert loaded(tmp_path, connector(url)).connectors["crm"].dialect == "postgresql"
    assert resolved(tmp_path, url, MODE="require").url == "postgresql://h/d?sslmode=require"
    assert "'sslmode' is 'on'; expected one of" in unresolved(tmp_path, url, MODE="on")[0]


def test_a_url_that_is_known_in_part_must_name_a_database_in_the_end(tmp_path: Path) -> None:
    assert "no database" in unresolved(tmp_path, 'url = "mysql://${WHERE}"', WHERE="h")[0]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://u@h/d", "'postgres' is no scheme here; did you mean postgresql://?"),
        ("mariadb://u@h/d", "'mariadb' is no scheme here; did you mean mysql://?"),
        ("mysql+pymysql://u@h/d", "did you mean mysql://? (segsync picks the driver)"),
        ("postgresql+psycopg://u@h/d", "did you mean postgresql://? (segsync picks the driver)"),
        ("MySQL://u@h/d", "did you mean mysql://?"),
        ("mysq://u@h/d", "'mysq' is no scheme here; did you mean 'mysql'?"),
        ("sqlite3:///x.db", "did you mean sqlite://?"),
        ("sqlserver://u@h/d", "did you mean mssql://?"),
        ("oracle+oracledb://u@h/d", "did you mean oracle://? (segsync picks the driver)"),
        ("clickhousedb://u@h/d", "did you mean clickhouse://?"),
        ("mysql://u@ss/w%rd@h/d", "there is an @ or a # behind the host; in user and password write / as %2F"),
        ("https://h/d", "'https' is no scheme here; expected one of clickhouse, mssql, mysql, oracle"),
        ("db.example.com/crm", "is no URL; expected scheme://user@host:port/database"),
        ("mysql://", "no host; expected mysql://user@host:port/database"),
        ("mysql://u@h", "no database; expected mysql://user@host:port/database"),
        ("postgresql://u@h/", "no database; expected postgresql://user@host:port/database"),
        ("mysql://u@h/d?charset=utf8", "parameter 'charset' is not known; expected one of ssl-mode, ssl_ca, "),
        ("postgresql://u@h/d?sslmod=require", "parameter 'sslmod' is not known; did you mean 'sslmode'?"),
        ("postgresql://u@h/d?port=abc", "parameter 'port' is 'abc'; expected a number from 1 to 65535"),
        pytest.param(f"postgresql://u@h/d?port={'9' * 5_000}", "parameter 'port' is '99999", id="a long parameter"),
        ("postgresql://u@h/d?host=", "parameter 'host' is empty"),
        ("mysql://u@h/d?ssl_ca=", "parameter 'ssl_ca' is empty"),
        ("postgresql://u@h/d?sslmode=required", "parameter 'sslmode' is 'required'; did you mean 'require'?"),
        ("mysql://u@h/d?ssl_disabled=1", "parameter 'ssl_disabled' is '1'; expected one of "),
        (
            "mysql://u@h/d?ssl_disabled=true&ssl-mode=REQUIRED",
            "'ssl-mode' means nothing where ssl_disabled=true turns",
        ),
        ("mysql://u@h/d?ssl-mode=DISABLED&ssl_ca=/a", "'ssl_ca' means nothing where ssl-mode=DISABLED turns TLS off"),
        ("postgresql://u@h/d?sslmode=disable&sslcert=/a", "'sslcert' means nothing where sslmode=disable turns TLS"),
        (
            "clickhouse://u@h/d?ca_cert=/a",
            "'ca_cert' means nothing where nothing asks for TLS; expected secure=true",
        ),
        ("clickhouse://u@h/d?client_cert=/a&secure=false", "'client_cert' means nothing where secure=false turns TLS"),
        ("oracle://u@h/d?ca_file=/a", "'ca_file' means nothing where nothing asks for TLS; expected protocol=tcps, or"),
        ("mssql://u@h/d?encrypt=false&ca_file=/a", "'ca_file' means nothing where encrypt=false turns TLS off"),
        ("mysql://u@h/d?ssl_ca=a&ssl_ca=b", "parameter 'ssl_ca' stands in it 2 times"),
        ("sqlite:///a.db?mode=ro", "parameter 'mode' is not known; expected none"),
        ("mysql:///crm", "no host; expected mysql://user@host:port/database"),
        ("mysql://u@h:0/crm", "the port is no number from 1 to 65535"),
        ("mysql://u@h:65536/crm", "the port is no number from 1 to 65535"),
        pytest.param(f"mysql://u@h:{'9' * 5_000}/crm", "the port is no number from 1 to 65535", id="a long port"),
        ("mysql://u@h:/crm", "the port is no number from 1 to 65535"),
        ("mysql://u@h:x/crm", "the part between // and / cannot be read"),
        ("mysql://u@h o/crm", "there is a blank, a line end or a control character in the URL"),
        ("sqlite://h/x.db", "sqlite has no host; expected sqlite:///relative.db"),
        ("sqlite://", "a database in memory is gone with its process"),
        ("sqlite:///:memory:", "a database in memory is gone with its process"),
        ("sqlite:///data/", "a folder is no database"),
        ("${NO_URL}", "only a variable says which database it is, and queries are compiled for it; here it is not set"),
        ("${ODD_URL}", "here it is not set, or is no URL of mysql, postgresql, sqlite, mssql"),
        ("mysql://${H:x}/d", "a variable reference cannot be read"),
        ("", "is empty; expected the address of a database"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_with_what_was_expected(tmp_path: Path, url: str, said: str) -> None:
    found = mistakes(tmp_path, connector(f'url = "{url}"'), environ={"ODD_URL": "redis://h/d"})

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.url: ")
    assert said in found[0]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:@/postgres?host=/tmp/server",
        "mysql://u@[::1]:3306/crm",
        "mysql://u@/crm?unix_socket=/run/mysqld.sock",
        "postgresql://u:@h/crm?sslmode=verify-full",
        "postgresql://u@/crm?host=/run/postgresql",
        "mysql://user%40corp@h/crm",
    ],
)
def test_unusual_urls_are_taken_as_they_are(tmp_path: Path, url: str) -> None:
    assert resolved(tmp_path, f'url = "{url}"').url == url


@pytest.mark.parametrize(
    "url",
    [
        "mysql://sync:hunter2@db/crm",
        "mysql://sync:hunter2@x@db/crm",
        "mysql://sync:hunter2/@db/crm",
        "mysql://:hunter2@db/crm",
        "postgres://sync:hunter2@db/crm",
        "postgresql://sync@db/crm?password=hunter2",
        "mysql://sync@db/crm?PASSWD=hunter2",
        "${CRM_URL:-mysql://sync:hunter2@db/crm}",
    ],
)
def test_a_password_inside_the_url_is_refused_and_never_shown(tmp_path: Path, url: str) -> None:
    (found,) = mistakes(tmp_path, connector(f'url = "{url}"'))

    assert found.startswith(f"{HERE}.url: there is a password inside the URL")
    assert "password or password_file beside the URL" in found


@pytest.mark.parametrize("url", ["mysql://sync:hunter2?x@db/crm", "mysql://sync:hunter2#/crm", "sqlite://u:hunter2@/x"])
def test_no_part_of_a_mangled_url_is_shown(tmp_path: Path, url: str) -> None:
    assert "hunter2" not in "".join(mistakes(tmp_path, connector(f'url = "{url}"')))


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("${DATABASE_URL}", "postgres://sync:p%40ss%2F%3F%23@db:5432/crm?sslmode=require"),
        (
            "${DATABASE_URL:?set by the platform}",
            "postgresql+psycopg://sync:p%40ss%2F%3F%23@db:5432/crm?sslmode=require",
        ),
        ("postgresql://${DATABASE_URL}", "sync:p%40ss%2F%3F%23@db:5432/crm?sslmode=require"),
        ("postgresql://sync:${DATABASE_URL}@db:5432/crm?sslmode=require", "p%40ss%2F%3F%23"),
    ],
)
def test_a_url_as_platforms_hand_it_out_works_with_everything_inside(tmp_path: Path, url: str, value: str) -> None:
    settings = loaded(tmp_path, connector(f'url = "{url}"'), environ={"DATABASE_URL": value})
    target = crm_of(settings).resolve({"DATABASE_URL": value})

    assert (target.dialect, target.url) == ("postgresql", "postgresql://sync@db:5432/crm?sslmode=require")
    assert target.password == "p@ss/?#"
    assert "p@ss" not in repr(target)
    assert address(target, POSTGRESQL.options).host == "db"
    assert "p%40ss" not in settings.published()


def test_what_was_found_in_the_environment_is_published_with_the_rest(tmp_path: Path) -> None:
    """Workers that have no such variable compile the queries all the same; they only cannot connect."""
    lines = connector('url = "${DATABASE_URL}"')
    settings = loaded(tmp_path, lines, environ={"DATABASE_URL": "postgres://u:x@h/d"})
    followed = from_published(settings.published(), settings.local, {})

    assert followed.connectors["crm"].dialect == "postgresql"
    assert followed.digest == settings.digest
    assert [str(each) for each in followed.check_secrets({})] == [
        f"{HERE}.url: the environment variable DATABASE_URL is not set"
    ]


def test_a_dialect_beside_the_url_is_another_way_to_say_it(tmp_path: Path) -> None:
    lines = ('url = "${DATABASE_URL}"', 'dialect = "mysql"')
    assert crm_of(loaded(tmp_path, connector(*lines))).dialect == "mysql"
    assert "leads to postgresql" in unresolved(tmp_path, *lines, DATABASE_URL="postgres://u:x@h/d")[0]
    (found,) = mistakes(tmp_path, connector(lines[0], 'dialect = "mysq"'))
    assert "'mysq' is no database that segsync knows; did you mean 'mysql'?" in found
    (found,) = mistakes(tmp_path, connector('url = "postgresql://h/d"', 'dialect = "mysql"'))
    assert "leads to postgresql in this environment, but its queries are written for mysql" in found


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    lines = ('url = "mysql://${WHO}@db/crm"', 'password = "${PW}"')
    assert unresolved(tmp_path, *lines, WHO="sync:x", PW="y") == [
        f"{HERE}.url: a password stands in the URL, and beside it, too; expected one of them"
    ]


@pytest.mark.parametrize("written", ["hunter2", "x${CRM_PASSWORD}", "${CRM_PASSWORD:-hunter2}"])
def test_a_password_written_into_the_file_is_refused_because_it_would_be_published(
    tmp_path: Path, written: str
) -> None:
    found = mistakes(tmp_path, connector('url = "mysql://u@h/d"', f'password = "{written}"'))

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.password: stands in the file, which is published in Redis; expected a variable")
    assert "hunter2" not in found[0]


def test_secrets_may_be_missing_on_loading_and_are_listed_all_at_once(tmp_path: Path) -> None:
    """A worker for one connector has only that one's secrets."""
    lines = ('url = "mysql://u@${CRM_HOST}/d"', 'password = "${CRM_PASSWORD:?ask ops}"')

    assert unresolved(tmp_path, *lines) == [
        f"{HERE}.url: the environment variable CRM_HOST is not set",
        f"{HERE}.password: the environment variable CRM_PASSWORD is not set: ask ops",
    ]


def test_check_secrets_finds_nothing_where_all_are_there(tmp_path: Path) -> None:
    settings = loaded(tmp_path, connector('url = "mysql://u@h/d"', 'password = "${CRM_PASSWORD}"'))

    assert settings.check_secrets({"CRM_PASSWORD": "x"}) == []


def test_a_url_that_leads_to_another_database_than_its_queries_are_written_for_is_refused(tmp_path: Path) -> None:
    found = unresolved(tmp_path, 'url = "${CRM_URL:-mysql://h/d}"', CRM_URL="postgresql://h/d")

    assert found == [
        f"{HERE}.url: leads to postgresql in this environment, but its queries are written for mysql",
    ]


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    write(tmp_path, "s3cret\n", "secrets/crm")

    assert resolved(tmp_path, 'url = "sqlite:///data/crm.db"').url == f"sqlite:///{tmp_path}/data/crm.db"
    assert resolved(tmp_path, 'url = "sqlite:////var/crm.db"').url == "sqlite:////var/crm.db"
    assert resolved(tmp_path, 'url = "mysql://h/d"', 'password_file = "secrets/${N}"', N="crm").password == "s3cret"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "is empty; expected a password"),
        (b"\n", "is empty; expected a password"),
        (b"\xff\xfe\x00", "begins with a byte order mark"),
        (b"caf\xe9", "is not UTF-8: line 1"),
        (b"x" * 70_000, "is larger than 64 KiB"),
    ],
)
def test_a_password_file_that_holds_none_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        write(tmp_path, content, "pw")

    found = unresolved(tmp_path, 'url = "mysql://h/d"', 'password_file = "pw"')

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.password_file: pw: {said}")


def test_a_password_file_keeps_blanks_and_loses_only_its_last_line_end(tmp_path: Path) -> None:
    write(tmp_path, " a b \n\r\n", "pw")

    assert resolved(tmp_path, 'url = "mysql://h/d"', 'password_file = "pw"').password == " a b \n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("parallelism = 0", "parallelism: 0 is out of range; expected an integer from 1 to 256"),
        ("parallelism = 257", "parallelism: 257 is out of range; expected an integer from 1 to 256"),
        ("parallelism = true", "parallelism: True is true or false; expected an integer from 1 to 256"),
        ('parallelism = "4"', "parallelism: '4' is text; expected an integer from 1 to 256"),
        ("parallelism = 4.0", "parallelism: 4.0 is a number; expected an integer from 1 to 256"),
        ("statement_timeout = 0.09", "statement_timeout: 0.09 is out of range; expected a duration from 100ms to 24h"),
        (
            'statement_timeout = "25h"',
            "statement_timeout: '25h' is out of range; expected a duration from 100ms to 24h",
        ),
        ('connect_timeout = "-1s"', "connect_timeout: '-1s' is no duration; expected one such as"),
        ("connect_timeout = inf", "connect_timeout: inf is no duration"),
        ("connect_timeout = nan", "connect_timeout: nan is no duration"),
        ("connect_timeout = true", "connect_timeout: True is no duration"),
        ("connect_timeout = 07:32:00", "connect_timeout: datetime.time(7, 32) is no duration"),
        ('connect_timeout = "1 w"', "connect_timeout: '1 w' is no duration"),
        ('connect_timeout = "٣s"', "connect_timeout: '٣s' is no duration"),
        ('timezone = "Berlin"', "timezone: 'Berlin' is no time zone"),
        ('timezone = "Europe/Berln"', "timezone: 'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?"),
        ('timezone = "../../etc/passwd"', "timezone: '../../etc/passwd' is no time zone"),
        ('timezone = "Europe"', "timezone: 'Europe' is no time zone"),
        ('allow = ["ddl"]', "allow[0]: 'ddl' cannot be allowed; expected one of call"),
        ('allow = "call"', "allow: 'call' is text; expected a list, as in [\"call\"]"),
        ('allow = ["call", "call"]', "allow[1]: 'call' is there twice"),
        ('passwort = "x"', "passwort: unknown key; did you mean 'password'?"),
        ("password = 5", "password: is an integer; expected a variable"),
        ('password = ["hunter2"]', "password: is a list; expected a variable"),
        (
            'password = "${A}"\npassword_file = "x"',
            "password_file: expected either password or password_file, not both",
        ),
        ("url.x = 1", "url: is a table; expected the address of a database"),
        ('url = ["mysql://u:hunter2@h"]', "url: is a list; expected the address"),
    ],
)
def test_what_is_wrong_with_a_connector_is_said_with_what_was_expected(tmp_path: Path, line: str, said: str) -> None:
    url = "" if line.startswith("url") else 'url = "mysql://u@h/d"'
    found = mistakes(tmp_path, connector(url, line))

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.{said}")
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ('"500ms"', 0.5),
        ('"30s"', 30),
        ('"2m"', 120),
        ('"1h"', 3600),
        ('"1.5 h"', 5400),
        ("7", 7),
        ("0.1", 0.1),
        ('"9"', 9),
    ],
)
def test_durations_are_texts_with_a_unit_or_numbers_of_seconds(tmp_path: Path, written: str, seconds: float) -> None:
    crm = loaded(tmp_path, connector('url = "mysql://h/d"', f"statement_timeout = {written}")).connectors["crm"]

    assert crm.statement_timeout == pytest.approx(seconds)


def test_an_sqlite_file_has_no_password(tmp_path: Path) -> None:
    found = mistakes(tmp_path, connector('url = "sqlite:///x.db"', 'password = "${A}"'))

    assert found == [f"{HERE}.password: an SQLite file has no password"]


@pytest.mark.parametrize("key", ["Crm", "1 2", "-x", "a" * 64, "crm.eu", ""])
def test_a_key_that_no_queue_can_be_named_after_is_refused(tmp_path: Path, key: str) -> None:
    found = mistakes(tmp_path, f'[connectors."{key}"]\nurl = "mysql://h/d"')

    assert len(found) == 1
    assert "cannot be a name; expected 1 to 63 of a-z, 0-9, _ and -" in found[0]


@pytest.mark.parametrize("key", ["route", "upkeep", "0", "a-b_c", "a" * 63])
def test_any_other_key_is_fine(tmp_path: Path, key: str) -> None:
    assert set(loaded(tmp_path, f'[connectors.{key}]\nurl = "mysql://h/d"').connectors) == {key}


def test_connectors_are_equal_as_long_as_every_word_is(tmp_path: Path) -> None:
    """So that a worker keeps its pools over a revision that changed something else."""
    one = crm_of(loaded(tmp_path, CONNECTOR))
    same = load(write(tmp_path, CONNECTOR + integration()), {}).connectors["crm"]
    other = loaded(tmp_path, CONNECTOR, "parallelism = 5").connectors["crm"]

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("rate", "ms"), [("500/s", 2.0), ("0.5 / s", 2000.0), ("30/m", 2000.0), ("1/m", 60_000.0), ("100000/s", 0.01)]
)
def test_a_rate_is_the_time_of_a_statement(tmp_path: Path, rate: str, ms: float) -> None:
    crm = loaded(tmp_path, connector('url = "sqlite:///t.db"', f'rate = "{rate}"')).connectors["crm"]
    assert isinstance(crm, ConnectorSettings)
    assert crm.pace_ms == ms


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        ("500", "is no rate"),
        ("500/h", "is no rate"),
        ("-1/s", "is no rate"),
        ("0/s", "is out of range"),
        ("59/h", "is no rate"),
        ("0.5/m", "is out of range"),
        ("100001/s", "is out of range"),
    ],
)
def test_what_is_no_rate_is_told_with_what_is_expected(tmp_path: Path, rate: str, told: str) -> None:
    (found,) = mistakes(tmp_path, connector('url = "sqlite:///t.db"', f'rate = "{rate}"'))
    assert found.startswith(f"connectors.crm.rate: '{rate}' {told}; expected statements by the second or minute")
