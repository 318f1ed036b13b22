"""What ad accounts are told, as `segsync fields` tells it: the published list, from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import CONNECTOR, integration, loaded
from workers.cli.commands import fields as command
from workers.connectors.audiences.platforms import PLATFORMS
from workers.preflight.transmission import Authorization, Sent, in_words, transmissions
from workers.settings import ad_connectors
from workers.templates.transmitted import SentAs

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[connectors.ya]
platform = "yandex-audiences"
client_id = "app-1"
client_secret = "${YA_SECRET}"
[connectors.vk]
platform = "vk-ads"
client_id = "app-2"
client_secret = "${VK_SECRET}"
[connectors.fb]
platform = "facebook-ads"
account = "1"
access_token = "${FB_TOKEN}"
[integrations.buyers]
connector = "ya"
key = "CustomID"
scope = { segments = [7] }
phone_region = "RU"
consent = "ads.ok"
fields = { email = { sha256 = "mail_sha" }, phone = "{if lead.call}{lead.phones[0]}{end}", external_id = "CustomID" }
[integrations.others]
connector = "vk"
key = "CustomID"
scope = { segments = [7] }
fields = { vk = "vk_id", email = "email" }
[integrations.third]
connector = "fb"
key = "CustomID"
scope = { segments = [7] }
fields = { em = "email", external_id = "CustomID" }
"""


@pytest.fixture(autouse=True)
def _all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ad_connectors, "BUILT", frozenset(PLATFORMS))


def test_each_field_is_told_with_its_source_and_how_it_is_sent(tmp_path: Path) -> None:
    buyers, others, third, vip = transmissions(loaded(tmp_path, FILE, CONNECTOR, integration()))
    assert buyers.target == "Yandex.Audiences"
    assert buyers.authorization == [
        Authorization("client_id", "Client ID from Yandex.OAuth"),
        Authorization("client_secret", "Client secret from Yandex.OAuth"),
    ]
    phone = "digits of a phone"
    assert buyers.transmitted == [
        Sent("mail_sha", "profile", SentAs.SHA256, ["email"], "Email address", already=True),
        Sent("call", "profile", SentAs.DECIDES, ["phone"], "Phone number"),
        Sent("phones[0]", "profile", SentAs.SHA256, ["phone"], "Phone number", phone),
        Sent("CustomID", "profile", SentAs.SHA256, ["external_id"], "The customer's own id of the person", "own id"),
        Sent("ads.ok", "profile", SentAs.DECIDES, ["consent"], "The profile's own consent"),
        Sent("segment_id", "segment", SentAs.PLAIN, ["audience"]),
        Sent("segment_name", "segment", SentAs.PLAIN, ["audience"]),
    ]
    assert [(one.name, one.manner) for one in others.transmitted[:2]] == [("vk_id", "plain"), ("email", "md5")]
    assert [one.name for one in third.authorization] == ["account", "access_token"], "and not what is left out"
    assert [(one.name, one.manner) for one in third.transmitted[:2]] == [("email", "sha256"), ("CustomID", "plain")]
    assert vip.target == "SQLite"


@pytest.mark.parametrize("said", ["granted", "denied", ""])
def test_what_a_platform_is_told_of_everybody_s_consent_is_told(tmp_path: Path, said: str) -> None:
    consent = f'consent = "{said}"\n' if said else ""
    file = f"""
[connectors.g]
platform = "google-audiences"
client_id = "app-3"
client_secret = "${{G_SECRET}}"
account = "1"
{consent}[integrations.buyers]
connector = "g"
key = "CustomID"
scope = {{ segments = [7] }}
fields = {{ email = "email" }}
"""
    (buyers,) = transmissions(loaded(tmp_path, file))
    what = [in_words(each) for each in buyers.transmitted if each.of == "connector"]
    told = f"consent: Google Audience is told of everybody: {said}"
    assert what == ([("the connector's `consent`", "not hashed", told)] if said else [])


def test_where_hashing_is_off_it_says_so(tmp_path: Path) -> None:
    file = FILE.replace('"app-1"', '"app-1"\nhashing = false').replace('{ sha256 = "mail_sha" }', '"mail"')
    buyers = transmissions(loaded(tmp_path, file))[0]
    assert {one.manner for one in buyers.transmitted} == {SentAs.PLAIN, SentAs.DECIDES}


def test_the_page_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(tmp_path, FILE)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(tmp_path / "segsync.toml"))
    assert command.run("buyers", file=True, markdown=True, as_json=False) == 0
    page = capsys.readouterr().out.splitlines()
    assert "| client_secret | Client secret from Yandex.OAuth |" in page
    assert "| mail_sha | hashed (SHA256) in the profile already, sent as it is | email: Email address |" in page
    assert "| phones\\[0\\] | hashed (SHA256) after normalization | phone: Phone number |" in page
    assert "| ads.ok | not sent; decides what is | consent: The profile's own consent |" in page
    assert "| the segment's name | not hashed | audience |" in page
