"""From a login's settings to its way to the platform: one function for each platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from workers.connectors.audiences.consents import GoogleConsent, VkConsent, YandexConsent
from workers.connectors.audiences.facebook import FacebookWire, GivenToken
from workers.connectors.audiences.google import GoogleAccount, GoogleWire
from workers.connectors.audiences.http import Http
from workers.connectors.audiences.logins import TokenKeeper
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.shared_list import SharedList
from workers.connectors.audiences.vk import VkWire
from workers.connectors.audiences.wire import PlatformWire
from workers.connectors.audiences.yandex import YandexWire
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.audiences.budgets import Budget
    from workers.connectors.audiences.logins import Consent
    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.database import Store
    from workers.connectors.audiences.store.sealing import Seal
    from workers.connectors.audiences.target import AdTarget


class TokenSource(Protocol):
    """Where a wire has its token from."""

    def token(self) -> str:
        """As `TokenKeeper.token`."""

    def renew(self, refused: str) -> str:
        """As `TokenKeeper.renew`."""


class FreshToken:
    """One that a consent has just given, and that is not kept yet."""

    def __init__(self, access: str) -> None:
        self._access = access

    def token(self) -> str:
        """As `TokenSource.token`."""
        return self._access

    def renew(self, refused: str) -> str:  # noqa: ARG002 - there is no other
        """As `TokenSource.renew`: a new token that is refused is of no use."""
        reason = "the token that was given is refused"
        raise TargetError(ErrorClass.HOLD, "ads token", reason, level=HoldLevel.CONNECTOR)


MakeWire = Callable[[TokenSource], PlatformWire]


@dataclass(frozen=True, slots=True)
class Way:
    """All that leads to one login; `wire_by` is the same with other tokens."""

    http: Http
    consent: Consent
    tokens: TokenKeeper
    wire: PlatformWire
    wire_by: MakeWire


def wire_of(
    target: AdTarget,
    platform: Platform,
    store: Store,
    seal: Seal,
    clock: Callable[[], int],
    owner: str,
    looks: Budget | None = None,
) -> Way:
    """The way to a login; nothing is sent. TargetError for a platform that there is no connector for."""
    http = Http(platform.key, target.url or platform.base_url, target.timeout, target.connect_timeout, looks)
    if platform.key not in _WAYS:
        reason = f"there is no connector for {platform.name} yet"
        raise TargetError(ErrorClass.HOLD, "ads platform", reason, level=HoldLevel.CONNECTOR)
    consent, wire = _WAYS[platform.key](target, http, SharedList(target.key, store, clock))
    tokens = TokenKeeper(target.key, store, seal, consent, clock, owner)
    return Way(http, consent, tokens, wire(tokens), wire)


def _yandex(target: AdTarget, http: Http, shared: SharedList) -> tuple[Consent, MakeWire]:
    said = target.settings
    consent = YandexConsent(
        http, said["client_id"], said["client_secret"], target.url, PLATFORMS[target.platform].rights
    )
    hashed = said.get("hashing", "true") != "false"
    return consent, lambda tokens: YandexWire(http, tokens.token, tokens.renew, shared, hashed=hashed)


def _facebook(target: AdTarget, http: Http, _shared: SharedList) -> tuple[Consent, MakeWire]:
    said = target.settings
    token = said["access_token"]
    wire = FacebookWire(http, said["account"], token, said.get("app_secret", ""))
    return GivenToken(token, wire), lambda _: wire


def _vk(target: AdTarget, http: Http, shared: SharedList) -> tuple[Consent, MakeWire]:
    said, rights = target.settings, PLATFORMS[target.platform].rights
    consent = VkConsent(http, said["client_id"], said["client_secret"], rights)
    return consent, lambda tokens: VkWire(http, tokens.token, tokens.renew, shared)


def _google(target: AdTarget, http: Http, _shared: SharedList) -> tuple[Consent, MakeWire]:
    said = target.settings
    account = GoogleAccount(said["account"], said.get("login_account", ""), said.get("app_id", ""), target.consent)
    rights = PLATFORMS[target.platform].rights
    consent = GoogleConsent(http, said["client_id"], said["client_secret"], target.url, rights)
    return consent, lambda tokens: GoogleWire(http, account, tokens.token, tokens.renew)


_WAYS: dict[str, Callable[[AdTarget, Http, SharedList], tuple[Consent, MakeWire]]] = {
    "yandex-audiences": _yandex,
    "facebook-ads": _facebook,
    "vk-ads": _vk,
    "google-audiences": _google,
}
