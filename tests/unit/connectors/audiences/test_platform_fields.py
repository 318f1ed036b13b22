"""Each field of each platform is whole: its form exists, and gives a text for each of its kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.connectors.audiences.normalisation import FORMS
from workers.connectors.audiences.platforms import PLATFORMS

if TYPE_CHECKING:
    from workers.connectors.audiences.records import AdField

SAMPLES = {
    "latin e-mail": "ann@example.com",
    "e-mail": "ann@example.com",
    "Google's e-mail": "ann@example.com",
    "phone": "+79995551111",
    "digits of a phone": "+79995551111",
    "name": "Ann",
    "city": "Berlin",
    "country": "DE",
    "gender": "f",
    "parts of a birth": "1970-01-31",
    "mobile id": "38400000-8cf0-11bd-b23e-10b96e40000d",
    "Apple's id": "38400000-8cf0-11bd-b23e-10b96e40000d",
    "account": "42",
    "own id": "A-17",
}
FIELDS = [(platform.key, field) for platform in PLATFORMS.values() for field in platform.fields.values()]


@pytest.mark.parametrize(("platform", "field"), FIELDS, ids=[f"{key}-{field.name}" for key, field in FIELDS])
def test_each_form_gives_a_text_for_each_kind(platform: str, field: AdField) -> None:
    assert len(FORMS[field.form](SAMPLES[field.form], "")) == len(field.kinds), platform


def test_the_fields_are_those_that_users_were_told_of() -> None:
    """The list of what is transmitted, as it is published: names, and how each is sent."""
    told = {key: {name: field.hash for name, field in each.fields.items()} for key, each in PLATFORMS.items()}
    assert told["yandex-audiences"] == dict.fromkeys(("email", "phone", "external_id", "subscription_id"), "sha256")
    assert told["google-audiences"] == {"email": "sha256", "phone": "sha256", "advertising_id": "", "idfa": ""}
    plain = dict.fromkeys(("vk", "ok", "advertising_id", "idfa"), "")
    assert told["vk-ads"] == plain | {"email": "md5", "phone": "md5"}
    hashed = dict.fromkeys(("em", "ph", "ct", "country", "fn", "ln", "ge", "db"), "sha256")
    assert told["facebook-ads"] == hashed | {"external_id": ""}
