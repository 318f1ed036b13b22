"""The configuration of the demo for ad accounts: what a user would write, and the addresses of the stand-ins."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from workers.cli.demo.stand_ins import SECRETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HEAD: Final = """\
namespace = "segsync"

[redis]
url = "%(redis)s"

[ledger]
url = "sqlite:///ledger.db"

# `url` leads to a stand-in; left out, it is the platform's own.
[connectors.ya]
platform = "yandex-audiences"
url = "%(ya)s"
client_id = "ya-client"
client_secret_file = "ya-client_secret"
secret_file = "seal"

[connectors.fb]
platform = "facebook-ads"
url = "%(fb)s"
account = "77"
access_token_file = "fb-access_token"
app_secret_file = "fb-app_secret"
secret_file = "seal"

[connectors.vk]
platform = "vk-ads"
url = "%(vk)s"
client_id = "vk-client"
client_secret_file = "vk-client_secret"
secret_file = "seal"

[connectors.g]
platform = "google-audiences"
url = "%(g)s"
client_id = "g-client"
client_secret_file = "g-client_secret"
account = "1234567890"
login_account = "9876543210"
secret_file = "seal"
"""
_INTEGRATION: Final = """
[integrations.to-%(connector)s]
connector = "%(connector)s"
key = "CustomID"
scope = { database = "main", segments = "all" }
batch = { size = 10000, timeout = "1s" }
fields = { %(fields)s }
phone_region = "RU"
"""
_FIELDS: Final = {
    "ya": 'email = "email", phone = "phone", external_id = "CustomID"',
    "fb": 'em = "email", ph = "phone", fn = "name"',
    "vk": 'email = "email", phone = "phone"',
    "g": 'email = "email", phone = "phone"',
}


def write_ads_config(folder: Path, redis_url: str, urls: Mapping[str, str]) -> Path:
    """Writes segsync.toml and the files with secrets into the folder; its path.

    urls  of the stand-ins, by connector
    """
    kept = {f"{key}-{name}": value for key, each in SECRETS.items() for name, value in each.items()}
    for name, value in (kept | {"seal": secrets.token_hex()}).items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(value)
    path = folder / "segsync.toml"
    text = [_INTEGRATION % {"connector": connector, "fields": fields} for connector, fields in _FIELDS.items()]
    path.write_text("".join([_HEAD % ({"redis": redis_url} | dict(urls)), *text]))
    return path
