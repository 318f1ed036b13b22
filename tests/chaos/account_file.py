"""What an installation with four ad accounts has in its file, and what each platform is sent by it."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

from tests.fakes import facebook
from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from workers.connectors.audiences import vk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fakes.server import FakePlatform

Profile = dict[str, str]

TOKENS: Final = ("ya-access", "ya-refresh", "vk-access", "vk-refresh", "g-access", "g-refresh")
"""What those begin with that the fakes give."""
SECRETS: Final = {
    "SEGSYNC_SECRET": "a secret of the installation",
    "YA_SECRET": "ya-secret",
    "VK_SECRET": "vk-secret",
    "G_SECRET": "g-secret",
    "FB_TOKEN": "fb-token",
    "FB_SECRET": "fb-app-secret",
}
FIELDS: Final = {
    "ya": {"email": ("email", "sha256", ""), "phone": ("phone", "sha256", "")},
    "fb": {"id": ("EXTERN_ID", "", ""), "email": ("EMAIL", "sha256", ""), "phone": ("PHONE", "sha256", "")},
    "vk": {"email": ("emails", "md5", ""), "phone": ("phones", "md5", "")},
    "g": {"email": ("emailAddress", "sha256", ""), "phone": ("phoneNumber", "sha256", "+")},
}
"""By connector and the profile's field: the platform's word, the hash, and what it puts before the value."""
_INTEGRATION: Final = """
[integrations.to-{name}]
connector = "{name}"
key = "id"
scope = {{{{ database = "main", segments = [7] }}}}
batch = {{{{ size = 1000, timeout = "100ms" }}}}
fields = {{{{ {fields} }}}}
phone_region = "RU"
"""
_MAIL: Final = 'email = "email", phone = "phone"'
_FILE: Final = """
[connectors.ya]
platform = "yandex-audiences"
url = "{ya}"
client_id = "ya-client"
client_secret = "${{YA_SECRET}}"
[connectors.fb]
platform = "facebook-ads"
url = "{fb}"
account = "{account}"
access_token = "${{FB_TOKEN}}"
app_secret = "${{FB_SECRET}}"
[connectors.vk]
platform = "vk-ads"
url = "{vk}"
client_id = "vk-client"
client_secret = "${{VK_SECRET}}"
[connectors.g]
platform = "google-audiences"
url = "{g}"
client_id = "g-client"
client_secret = "${{G_SECRET}}"
account = "1234567890"
login_account = "9876543210"
""" + "".join(
    _INTEGRATION.format(name=name, fields=fields)
    for name, fields in (
        ("ya", _MAIL),
        ("fb", 'em = "email", ph = "phone", external_id = "id"'),
        ("vk", _MAIL),
        ("g", _MAIL),
    )
)


def start_fakes(seed: int = 0) -> dict[str, Any]:
    """All four, by connector."""
    return {"ya": FakeYandex(seed), "fb": FakeFacebook(), "vk": FakeVk(seed), "g": FakeGoogle(seed)}


def account_text(fakes: Mapping[str, FakePlatform]) -> str:
    """The accounts on these, and an integration for each, as they stand in a file."""
    return _FILE.format(**{name: fake.url for name, fake in fakes.items()}, account=facebook.ACCOUNT)


def members_of(fake: FakePlatform, name: str = "VIP") -> set[tuple[str, str]]:
    """Whom a fake has in the segment that is called so, but for the ids that nobody has."""
    try:
        if isinstance(fake, FakeVk):
            lists = {kind: fake.members(name, kind) - set(vk._made_up(kind, 25)) for kind in ("emails", "phones")}
            return {(kind, value) for kind, values in lists.items() for value in values}
        assert isinstance(fake, FakeYandex | FakeFacebook | FakeGoogle)
        return fake.members(name)
    except (AssertionError, ValueError):
        return set()


def sent(name: str, profile: Profile) -> set[tuple[str, str]]:
    """What a platform is sent of a profile."""
    found = set()
    for field, (kind, how, before) in FIELDS[name].items():
        text = before + profile[field]
        found.add((kind, hashlib.new(how, text.encode(), usedforsecurity=False).hexdigest() if how else text))
    return found


def planted(profile: Profile) -> tuple[str, ...]:
    """What must show nowhere: secrets, tokens, and all that is sent of a profile, as it is and hashed, but its key."""
    proof = hmac.new(SECRETS["FB_SECRET"].encode(), SECRETS["FB_TOKEN"].encode(), hashlib.sha256).hexdigest()
    hashes = {value for name in FIELDS for kind, value in sent(name, profile) if kind != "EXTERN_ID"}
    return (*SECRETS.values(), *TOKENS, proof, profile["email"], profile["phone"], *sorted(hashes))
