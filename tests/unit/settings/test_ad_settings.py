"""Ad accounts in the file: [connectors.X] with a platform, and the fields of [integrations.X]."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import integration, loaded, mistakes, warnings
from workers.connectors.audiences.fields import CompiledFields
from workers.connectors.audiences.platforms import PLATFORMS
from workers.errors import SettingsError
from workers.integrations import Ordering
from workers.settings import ad_connectors
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.loading import from_published
from workers.templates import QueryKind, Row

if TYPE_CHECKING:
    from pathlib import Path

    from workers.connectors.audiences.target import AdTarget
    from workers.settings import Settings

YANDEX = """
[connectors.ya]
platform = "yandex-audiences"
client_id = "app-1"
client_secret = "${YA_SECRET}"
"""
GOOGLE = """
[connectors.ya]
platform = "google-audiences"
client_id = "app-1"
client_secret = "${YA_SECRET}"
account = "1234567890"
"""
VK = """
[connectors.ya]
platform = "vk-ads"
client_id = "app-1"
client_secret = "${YA_SECRET}"
"""
FACEBOOK = """
[connectors.ya]
platform = "facebook-ads"
account = "1"
access_token = "${FB_TOKEN}"
"""
ENVIRON = {"YA_SECRET": "hush", "SEGSYNC_SECRET": "a seal of these tests"}
OFF = "YAAUDIENCES_SYNC_DO_HASHING"


@pytest.fixture(autouse=True)
def _all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each platform had its connector."""
    monkeypatch.setattr(ad_connectors, "BUILT", frozenset(PLATFORMS))


def ads(*lines: str, fields: str = '{ email = "email" }') -> str:
    head = ["[integrations.buyers]", 'connector = "ya"', 'key = "CustomID"', "scope = { segments = [7] }"]
    return "\n".join([*head, *([f"fields = {fields}"] if fields else []), *lines, ""])


def of(settings: Settings) -> AdConnectorSettings:
    connector = settings.connectors["ya"]
    assert isinstance(connector, AdConnectorSettings)
    return connector


def target(settings: Settings, **environ: str) -> AdTarget:
    return of(settings).resolve(ENVIRON | environ)


def compiled(settings: Settings) -> CompiledFields:
    fields = settings.integrations["buyers"].fields
    assert isinstance(fields, CompiledFields)
    return fields


def sent(settings: Settings, **profile: object) -> list[tuple[str, str]]:
    record = compiled(settings).record(Row(profile, 0, 0))
    return [(one.kind, one.value) for one in (*record.identifiers, *record.companions)]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_account_and_its_fields_as_the_page_has_them(tmp_path: Path) -> None:
    fields = '{ email = "email", phone = "phones[0]", external_id = "CustomID" }'
    settings = loaded(tmp_path, YANDEX, ads('phone_region = "RU"', 'on_delete = "delete"', fields=fields))
    buyers = settings.integrations["buyers"]
    assert (buyers.queries, buyers.key_fields, buyers.ordering) == ({}, ("CustomID",), Ordering.EXACT)
    assert (buyers.batched, buyers.batch_size, buyers.timeout_ms) == (True, 10_000, 60_000)
    assert all(buyers.answers(kind) for kind in QueryKind)
    assert sent(settings, email="Ann@X.com", phones=["8 999 555-11-11"], CustomID=5) == [
        ("email", sha("ann@x.com")),
        ("phone", sha("79995551111")),
        ("ext_id", sha("5")),
    ]
    assert settings.warnings == []

    where = target(settings)
    assert (where.key, where.platform, where.secret) == ("ya", "yandex-audiences", "a seal of these tests")
    assert where.settings == {"client_id": "app-1", "client_secret": "hush", "hashing": "true"}
    assert where.on_delete == {"buyers": "delete"}
    assert where.store_url == f"sqlite:///{tmp_path}/segsync.db"
    assert "hush" not in repr(where) + repr(of(settings)) + settings.published()


def test_what_is_published_reads_back_as_the_same(tmp_path: Path) -> None:
    fields = '{ email = { sha256 = "mail" }, phone = "{if lead.ok}{lead.phone}{end}" }'
    text = ads('phone_region = "RU"', 'consent = "ads_ok"', fields=fields)
    settings = loaded(tmp_path, YANDEX.replace("app-1", "${APP}"), text, environ={"APP": "app-1"})
    back = from_published(settings.published(), settings.local, {})
    assert back.connectors == settings.connectors
    assert compiled(back).digest == compiled(settings).digest
    assert back.integrations["buyers"].digest == settings.integrations["buyers"].digest
    assert target(back).settings["client_id"] == "app-1"


def test_a_secret_that_could_be_guessed_seals_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as short:
        of(loaded(tmp_path, YANDEX, ads())).resolve(ENVIRON | {"SEGSYNC_SECRET": "x" * 15})
    assert [str(one) for one in short.value.mistakes] == [
        "connectors.ya.secret: has 15 characters; expected 16 or more, random: it seals tokens"
    ]


def test_secrets_come_from_variables_and_files_and_what_is_missing_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    lines = 'client_secret_file = "secret"\nsecret = "${SEAL}"\n'
    settings = loaded(tmp_path, YANDEX.replace('client_secret = "${YA_SECRET}"\n', lines), ads())
    assert of(settings).resolve({"SEAL": "x" * 16}).settings["client_secret"] == "from-a-file"
    assert of(settings).secret_files() == [tmp_path / "secret"]

    plain = loaded(tmp_path, YANDEX, ads())
    with pytest.raises(SettingsError) as missing:
        of(plain).resolve({"YA_SECRET": ""})
    assert [str(one) for one in missing.value.mistakes] == [
        "connectors.ya.client_secret: is empty",
        "connectors.ya.secret: the environment variable SEGSYNC_SECRET is not set",
    ]
    assert plain.check_secrets({"YA_SECRET": ""}) == missing.value.mistakes


def test_a_store_of_its_own_and_another_address_of_the_platform(tmp_path: Path) -> None:
    more = 'url = "${API:-http://localhost:1}/"\nstore = { url = "postgresql://s@db/ads", password = "${STORE}" }\n'
    where = target(loaded(tmp_path, YANDEX + more, ads()), STORE="p@ss")
    assert (where.url, where.store_url) == ("http://localhost:1", "postgresql://s:p%40ss@db/ads")


@pytest.mark.parametrize("account", ["act_1", "123-456"])
def test_the_number_of_an_account_is_digits_only(tmp_path: Path, account: str) -> None:
    (found,) = mistakes(tmp_path, GOOGLE.replace("1234567890", account), ads())
    assert found == f"connectors.ya.account: '{account}' is no number; expected Google Ads account, digits only"


def test_all_mistakes_of_an_account_are_told_at_once(tmp_path: Path) -> None:
    connector = """
[connectors.ya]
platform = "google-audiences"
client_ident = "x"
client_secret = "written"
developer_token = "${T}"
developer_token_file = "t"
hashing = false
consent = "grant"
timezone = "UTC"
parallelism = 0
url = "ftp://x"
"""
    written = 'stands in the file, which is published in Redis; expected a variable, as in "${CLIENT_SECRET}", or '
    written += "client_secret_file"
    assert mistakes(tmp_path, connector, ads()) == [
        "connectors.ya.client_id: is missing; expected Client ID",
        f"connectors.ya.client_secret: {written}",
        "connectors.ya.account: is missing; expected Google Ads account, digits only",
        "connectors.ya.developer_token_file: expected either developer_token or developer_token_file, not both",
        "connectors.ya.url: is no address of an API; expected https://… (left out, it is the platform's own)",
        "connectors.ya.hashing: is false, and Google Audience takes hashes alone; expected true",
        "connectors.ya.consent: 'grant' is none of 'granted', 'denied'; did you mean 'granted'?",
        "connectors.ya.parallelism: 0 is out of range; expected an integer from 1 to 256",
        "connectors.ya.client_ident: unknown key; did you mean 'client_id'?",
        "connectors.ya.timezone: is for databases, and this is an ad account",
    ]


def test_an_unknown_platform_and_one_that_is_not_there_yet_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (unknown,) = mistakes(tmp_path, YANDEX.replace("yandex-audiences", "yandex-audience"), ads())
    assert "'yandex-audience' is no platform that segsync knows; did you mean 'yandex-audiences'?" in unknown
    monkeypatch.setattr(ad_connectors, "BUILT", frozenset({"vk-ads"}))
    (early,) = mistakes(tmp_path, YANDEX, ads())
    assert early == "connectors.ya.platform: there is no connector for Yandex.Audiences yet; expected vk-ads"


def test_all_mistakes_of_an_integration_are_told_at_once(tmp_path: Path) -> None:
    fields = (
        '{ mail = "x", email = { md5 = "x" }, phone = "{loweer lead.x}", external_id = 5, '
        'subscription_id = { sha25 = "x" }, externalIDValue = "a..b" }'
    )
    text = ads(
        'phone_region = "ru"', 'on_delete = "drop"', "exactly_once = true", 'consent = "{segment_id}"', fields=fields
    )
    text += '[integrations.buyers.queries]\nadd = "x"\n'
    found = mistakes(tmp_path, YANDEX, text)
    here = "integrations.buyers"
    assert found[0].startswith(f"{here}.fields.mail: is no field of Yandex.Audiences; did you mean 'email'?")
    assert found[1].endswith("Yandex.Audiences takes email as sha256, which no other hash can be made of")
    assert found[2].startswith(f"{here}.fields.phone:1:2: unknown name 'loweer'; did you mean `lower`?")
    assert found[3].startswith(f"{here}.fields.external_id: 5 is an integer; expected a field of the profile")
    assert found[4] == f"{here}.fields.subscription_id.sha25: unknown key; did you mean 'sha256'?"
    assert found[5].startswith(f"{here}.fields.externalIDValue:1:1: 'a..b' is no path")
    assert found[6].startswith(f"{here}.consent:1:1: `segment_id` cannot stand here")
    assert found[7].startswith(f"{here}.on_delete: 'drop' is none of")
    assert [one.partition(":")[0] for one in found[8:]] == [f"{here}.exactly_once", f"{here}.queries"]
    assert "is an ad account; expected fields" in found[9]


def test_an_account_holds_no_lane_for_a_bad_profile(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, YANDEX, ads('tolerance = "none"'))
    assert found.startswith("integrations.buyers.tolerance: ")
    assert "is for databases" in found
    assert 'expected "data", or nothing' in found
    loaded(tmp_path, YANDEX, ads('tolerance = "data"'))


def test_a_country_for_phones_must_be_one(tmp_path: Path) -> None:
    text = ads('phone_region = "ru"', fields='{ phone = "p" }')
    (found,) = mistakes(tmp_path, YANDEX, text)
    assert found.startswith("integrations.buyers.phone_region: 'ru' is no country")
    (warning,) = warnings(tmp_path, YANDEX, ads(fields='{ phone = "p" }'))
    assert "numbers that begin with no + and country are not sent" in warning


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "integrations.buyers.fields: is missing; expected the fields of Yandex.Audiences and where they are"),
        ("{}", "has nothing by which Yandex.Audiences finds a person; expected one of email, phone"),
        ('{ external_id = "x" }', "has nothing by which Yandex.Audiences finds a person"),
        ('"email"', "integrations.buyers.fields: is text; expected a table"),
        ('{ email = "" }', "integrations.buyers.fields.email: is empty; expected a field"),
        ("{ email = {} }", "integrations.buyers.fields.email: is empty; expected a field"),
        ('{ email = "a", external_id = "b", externalIDValue = "c" }', "is external_id, which is there twice"),
    ],
)
def test_fields_that_lead_nowhere_are_refused(tmp_path: Path, fields: str, message: str) -> None:
    (found,) = mistakes(tmp_path, YANDEX, ads(fields=fields))
    assert message in found


@pytest.mark.parametrize(
    ("connector", "fields", "message"),
    [
        (VK, '{ vk = { md5 = "x" } }', "VK Ads takes vk as it is, and not its hash"),
        (FACEBOOK, '{ em = "e", db = { sha256 = "x" } }', "db is sent in 3 parts, each with its own hash"),
        (YANDEX + "hashing = false", '{ email = { sha256 = "x" } }', "hashing is off for this connector"),
        (GOOGLE, '{ email = { sha256 = "{sha256 lead.x}" }, phone = "{sha256 lead.y}" }', "segsync hashes the normal"),
    ],
)
def test_a_hash_is_declared_only_where_it_can_be_one(tmp_path: Path, connector: str, fields: str, message: str) -> None:
    (found,) = mistakes(tmp_path, connector, ads('phone_region = "RU"', fields=fields))
    assert message in found


def test_the_published_list_s_own_names_are_taken_too(tmp_path: Path) -> None:
    fields = '{ email = "e", externalIDValue = "id", PushData.SubscriptionID = "push.id" }'
    settings = loaded(tmp_path, YANDEX, ads(fields=fields))
    assert [source.field.name for source in compiled(settings).sources] == ["email", "external_id", "subscription_id"]
    quoted = fields.replace("PushData.SubscriptionID", '"PushData.SubscriptionID"')
    assert compiled(loaded(tmp_path, YANDEX, ads(fields=quoted))).digest == compiled(settings).digest


def test_hashing_is_turned_off_in_the_file_or_by_yandex_s_variable_and_published(tmp_path: Path) -> None:
    by_file = loaded(tmp_path, YANDEX + "hashing = false", ads())
    by_variable = loaded(tmp_path, YANDEX + "hashing = true", ads(), environ={OFF: "False"})
    for settings in (by_file, by_variable):
        assert sent(settings, email=" Ann@X.com") == [("email", "ann@x.com")]
        # Whoever follows sends the same, whatever its environment.
        back = from_published(settings.published(), settings.local, {})
        assert sent(back, email=" Ann@X.com") == [("email", "ann@x.com")]
        assert target(back).settings["hashing"] == "false"
    for value in ("true", "", "1"):
        assert sent(loaded(tmp_path, YANDEX, ads(), environ={OFF: value}), email="a@x.com")[0][1] == sha("a@x.com")
    (found,) = mistakes(tmp_path, YANDEX, ads(), environ={OFF: "maybe"})
    assert found == f"connectors.ya.hashing: {OFF} is 'maybe' in the environment; expected true or false"
    assert sent(loaded(tmp_path, VK, ads(), environ={OFF: "false"}), email="a@x.com")[0][1] != "a@x.com"


def test_each_kind_of_connector_refuses_what_is_for_the_other(tmp_path: Path) -> None:
    database = '[connectors.crm]\nurl = "sqlite:///crm.db"\n'
    found = mistakes(tmp_path, database, integration('fields = { email = "x" }', 'on_delete = "keep"'))
    assert [one.partition(":")[0] for one in found] == ["integrations.vip.fields", "integrations.vip.on_delete"]
    assert "this connector is a database; expected queries" in found[0]
    assert any(
        "is an ad account; expected fields" in one for one in mistakes(tmp_path, YANDEX, ads('ordering = "exact"'))
    )


def test_two_integrations_of_one_account_say_each_what_becomes_of_audiences(tmp_path: Path) -> None:
    other = ads('on_delete = "keep"').replace("buyers", "others").replace("[7]", "[8]")
    settings = loaded(tmp_path, YANDEX, ads(), other)
    assert target(settings).on_delete == {"others": "keep"}
