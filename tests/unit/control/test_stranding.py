"""What strands the members of an ad account, and what does not."""

from __future__ import annotations

import json

from workers.control.stranding import stranding


def published(key: object = "id", connector: str = "ya", **account: object) -> str:
    accounts = {name: {"platform": "yandex-audiences", **account} for name in ("ya", "other")}
    databases = {"crm": {"url": "sqlite:///crm.db"}}
    return json.dumps(
        {"connectors": accounts | databases, "integrations": {"buyers": {"connector": connector, "key": key}}}
    )


def test_a_key_a_form_and_a_platform_must_stay() -> None:
    for after, said in (
        (published(key="email"), "key was id and is email"),
        (published(hashing=False), "hashing of connectors.ya was true and is false"),
        (published(platform="vk-ads"), "connectors.ya was yandex-audiences and is vk-ads"),
    ):
        (found,) = stranding(published(), after)
        assert found.startswith(f"integrations.buyers: {said}")


def test_what_strands_nobody_passes() -> None:
    assert not stranding(published(), published(key=["id"], hashing=True))
    assert not stranding(published(), published(key="email", connector="other"))
    assert not stranding(published(), json.dumps({}))
    assert not stranding(published(connector="crm"), published(connector="crm", key="email"))


def test_another_account_is_refused() -> None:
    (found,) = stranding(published(account="1"), published(account="2"))
    assert found.startswith("integrations.buyers: account of connectors.ya was 1 and is 2; whoever ya has of it")
