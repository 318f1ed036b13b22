"""Settings as a whole: what is published, and read back by other processes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.settings.files import CONNECTOR, integration, loaded, mistakes, warnings, write
from workers.errors import SettingsError
from workers.settings import ConnectorSettings, Settings, from_given, from_published, lacking

FULL = """
namespace = "prod"
[redis]
url = "redis://r"
password = "${REDIS_PASSWORD}"
[broker]
url = "redis://b"
[ledger]
url = "postgresql://ledger@${LEDGER_HOST:-localhost}/ledger"
password = "${LEDGER_PASSWORD}"
[intake]
default_database = "${DB:-people}"
[connectors.crm]
url = "mysql://sync@${CRM_HOST}/crm"
password = "${CRM_PASSWORD}"
"""
ENVIRON = {"REDIS_PASSWORD": "hunter1", "LEDGER_PASSWORD": "hunt/er2", "CRM_PASSWORD": "hunter3", "CRM_HOST": "crmhost"}


def full(folder: Path, **environ: str) -> Settings:
    return loaded(folder, FULL, integration('name = "costs $$5 ${ENV:-test}"'), environ=ENVIRON | environ)


def again(settings: Settings, **environ: str) -> Settings:
    return from_published(settings.published(), settings.local, ENVIRON | environ)


def test_the_ledger_is_resolved_with_its_password_encoded(tmp_path: Path) -> None:
    settings = full(tmp_path, LEDGER_HOST="pg")

    assert settings.ledger_url == "postgresql://ledger:hunt%2Fer2@pg/ledger"
    assert "hunt" not in repr(settings)


def test_the_ledger_is_a_file_beside_the_configuration_unless_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, CONNECTOR).ledger_url == f"sqlite:///{tmp_path}/segsync.db"
    assert (
        loaded(tmp_path, CONNECTOR, environ={"SEGSYNC_LEDGER_URL": "postgresql://u@h/l"}).ledger_url
        == "postgresql://u@h/l"
    )
    assert loaded(tmp_path, '[ledger]\nurl = "sqlite:///x/l.db"').ledger_url == f"sqlite:///{tmp_path}/x/l.db"
    assert loaded(tmp_path, '[ledger]\nurl = "${L}"', environ={"L": "sqlite:////l.db"}).ledger_url == "sqlite:////l.db"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('url = "${L}"', "ledger.url: the environment variable L is not set"),
        ('url = "sqlite:///:memory:"', "ledger.url: a database in memory is gone with its process"),
        (
            'url = "mysql://h/l"',
            "ledger.url: is no database that a ledger can be kept in; expected sqlite or postgresql",
        ),
        ('url = "postgresql://u:hunter2@h/l"', "ledger.url: there is a password inside the URL"),
        ('url = "postgresql://h/l"\npassword = "hunter2"', "ledger.password: stands in the file, which is published"),
        ('url = "postgresql://h/l"\npassword = "${L}"', "ledger.password: the environment variable L is not set"),
        ('url = "postgresql://h/l"\npassword_file = "no"', "ledger.password_file: no: no such file"),
        ('urll = "x"', "ledger.urll: unknown key; did you mean 'url'?"),
        ("url = 5", "ledger.url: is an integer; expected the address of a database"),
    ],
)
def test_what_is_wrong_with_the_ledger_is_said_on_loading(tmp_path: Path, lines: str, said: str) -> None:
    found = mistakes(tmp_path, f"[ledger]\n{lines}")

    assert len(found) == 1
    assert found[0].startswith(said)
    assert "hunter2" not in found[0]


STORE = """
[connectors.ads]
platform = "yandex-audiences"
account = "me"
client_id = "1"
client_secret = "${S}"
store = { url = "sqlite:///crm.db" }
"""


def test_no_queries_reach_the_ledgers_file_or_an_accounts_store_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.db").symlink_to("segsync.db")
    (tmp_path / "segsync.db").touch()
    (tmp_path / "hard.db").hardlink_to(tmp_path / "segsync.db")
    for url in ("segsync.db", f"/{tmp_path}/segsync.db", "there/../segsync.db", "${F}", "link.db", "hard.db"):
        text = CONNECTOR.replace("crm.db", url)
        told = "connectors.crm.url: is the ledger's own file; expected another: its queries could change anything"
        assert mistakes(tmp_path, text, environ={"F": "segsync.db"}) == [told]
    source = CONNECTOR.replace("connectors.crm", "sources.main").replace("crm.db", "segsync.db")
    found = mistakes(tmp_path, f"{source}members = 'SELECT id AS _id FROM acts WHERE s = {{segment_id}}'")
    assert [each.partition(";")[0] for each in found] == ["sources.main.url: is the ledger's own file"]
    found = mistakes(tmp_path, CONNECTOR + STORE)
    assert "connectors.crm.url: is the store of ads" in [each.partition(";")[0] for each in found]
    assert loaded(tmp_path, CONNECTOR.replace("crm.db", "${F:-crm.db}"))


def test_the_default_database_is_main_unless_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, CONNECTOR).default_database == "main"
    assert full(tmp_path).default_database == "people"


def test_what_is_published_has_no_secrets_and_nothing_local(tmp_path: Path) -> None:
    published = full(tmp_path).published()

    assert not [value for value in ENVIRON.values() if value in published]
    assert "${CRM_PASSWORD}" in published
    assert set(json.loads(published)) == {"format", "ledger", "intake", "connectors", "integrations"}


def test_what_is_published_reads_back_as_the_same(tmp_path: Path) -> None:
    settings = full(tmp_path)
    back = again(settings)

    assert (back.published(), back.digest) == (settings.published(), settings.digest)
    assert back.connectors == settings.connectors
    assert back.integrations["vip"].digest == settings.integrations["vip"].digest
    assert back.integrations["vip"].name == "costs $5 test"
    assert back.ledger_url == settings.ledger_url
    assert back.warnings == settings.warnings
    crm = back.connectors["crm"]
    assert isinstance(crm, ConnectorSettings)
    assert crm.resolve(ENVIRON).password == "hunter3"


def test_all_processes_decide_by_the_same_words_whatever_their_environment(tmp_path: Path) -> None:
    """Only addresses and passwords are each process's own: a scope that differs would route differently."""
    settings = full(tmp_path)
    elsewhere = again(settings, DB="other", ENV="other", LEDGER_HOST="pg")

    assert elsewhere.default_database == "people"
    assert elsewhere.integrations["vip"].name == settings.integrations["vip"].name
    assert elsewhere.ledger_url == "postgresql://ledger:hunt%2Fer2@pg/ledger"


def test_relative_paths_start_at_each_processs_own_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, CONNECTOR, integration())
    back = from_published(settings.published(), replace(settings.local, path=Path("/srv/segsync.toml")), {})

    assert back.ledger_url == "sqlite:////srv/segsync.db"
    assert back.connectors["crm"].resolve({}).url == "sqlite:////srv/crm.db"


def test_the_digest_follows_what_is_published_and_nothing_else(tmp_path: Path) -> None:
    text = CONNECTOR + integration()
    one = loaded(tmp_path, text)

    assert len(one.digest) == 64
    assert loaded(tmp_path, 'namespace = "x"', text, '[redis]\nurl = "redis://x"').digest == one.digest
    assert loaded(tmp_path, integration(), "# a comment", CONNECTOR).digest == one.digest
    assert loaded(tmp_path, text.replace("'main'", "'other'").replace('"main"', '"other"')).digest != one.digest


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": "1"}', "[" * 100_000, '{"format": true}'])
def test_what_segsync_did_not_publish_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="this is no configuration that segsync published"):
        from_published(text, loaded(tmp_path, CONNECTOR).local, {})


def test_what_another_version_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another version of segsync published this"):
        from_published('{"format": 2}', loaded(tmp_path, CONNECTOR).local, {})


def test_what_was_published_is_checked_like_a_file(tmp_path: Path) -> None:
    local = loaded(tmp_path, CONNECTOR).local
    text = json.dumps({"format": 1, "connectors": {"x": {"url": "mysql://u:hunter2@h/d"}}, "integrations": {"y": 5}})
    with pytest.raises(SettingsError) as caught:
        from_published(text, local, {})

    assert [mistake.where for mistake in caught.value.mistakes][:2] == ["connectors.x.url", "integrations.y"]
    assert str(caught.value).startswith("the applied configuration: ")
    assert "hunter2" not in str(caught.value)


def test_what_another_version_published_and_worked_by_is_read(tmp_path: Path) -> None:
    """Workers that could not read it stood still with all integrations, and not with the one that it is about."""
    settings = loaded(tmp_path, CONNECTOR, integration())
    document = json.loads(settings.published())
    document["ledger"] = {"url": "mysql://u@h/l"}  # deliveries go on without one
    document["connectors"]["old"] = {"url": "clickhouse://u@h/d?ca_cert=/a"}
    document["integrations"]["nobody"] = {**next(iter(document["integrations"].values())), "key": []}
    found = from_published(json.dumps(document), settings.local, {})

    assert found.integrations.keys() == settings.integrations.keys()
    assert "'ca_cert' means nothing where nothing asks for TLS" in lacking.reason(found.connectors["old"], {})
    del document["format"]
    with pytest.raises(SettingsError) as caught:
        from_given(document, settings.local, {})
    assert [each.where for each in caught.value.mistakes] == [
        "connectors.old.url",
        "integrations.nobody.key",
        "ledger.url",
    ]
    assert "ledger.url: is no database that a ledger can be kept in" in str(caught.value)


def test_no_integrations_are_worth_a_warning(tmp_path: Path) -> None:
    assert warnings(tmp_path, CONNECTOR) == ["integrations: there is none: nothing would be delivered"]


def test_reading_settings_loads_no_database_driver_no_celery_and_no_redis(tmp_path: Path) -> None:
    """Start-up time of every command."""
    path = write(tmp_path, CONNECTOR + integration())
    code = (
        "import sys, pathlib; from workers import settings; settings.load(pathlib.Path(sys.argv[1]), {});"
        "print(sorted({'sqlalchemy', 'celery', 'kombu', 'redis', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
