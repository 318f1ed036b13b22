"""The four platforms alike: a fake, a connector on it, what it is sent of a profile, and what can go wrong there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import facebook, google
from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.server import Reply
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.rig import SECRET, Profile, Rig
from workers.connectors.audiences import vk
from workers.connectors.audiences.logins import LoginTokens
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.target import AdTarget
from workers.connectors.identifiers import Identifier, LeftOut, Record
from workers.failpoints import AFTER_CALL, BEFORE_CALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import redis

    from tests.fakes.server import FakePlatform
    from workers.templates import Row

Members = set[tuple[str, str]]


def hash_of(algorithm: str, text: str) -> str:
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


Kinds = dict[str, tuple[str, str]]
"""By a profile's field: the platform's word, and the hash ("" for none)."""


@dataclass(frozen=True)
class PlainFields:
    """`records.Fields`: each field of a profile is one kind, hashed as it stands there; "bad" cannot be read.

    kinds  what finds a person; along: what is only sent along
    """

    kinds: Kinds
    along: Kinds = field(default_factory=dict)
    digest: str = "1"

    def record(self, row: Row) -> Record:
        profile = {name: str(value) for name, value in row.profile.items()}
        left_out = (LeftOut(name, "cannot be read") for name in self.kinds if profile.get(name) == "bad")
        return Record(tuple(self.of(profile)), tuple(_hashed(self.along, profile)), tuple(left_out))

    def of(self, profile: Profile) -> list[Identifier]:
        return _hashed(self.kinds, profile)


def _hashed(kinds: Kinds, profile: Profile) -> list[Identifier]:
    return [
        Identifier(kind, hash_of(how, profile[name]) if how else profile[name], plain=not how)
        for name, (kind, how) in kinds.items()
        if profile.get(name) not in (None, "", "bad")
    ]


@dataclass(frozen=True)
class Account:
    """One platform.

    name      in `ACCOUNTS`
    key       of the connector
    settings  of the connector
    kinds, along  as those of `PlainFields`
    changes   what is in the names of the calls that change something
    looks     and of those that do not
    too_many  its answer where the budget is used up
    """

    name: str
    key: str
    platform: str
    fake: Callable[[int], FakePlatform]
    settings: dict[str, str]
    kinds: Kinds
    changes: tuple[str, ...]
    looks: tuple[str, ...]
    too_many: Reply
    along: Kinds = field(default_factory=dict)

    @property
    def fields(self) -> PlainFields:
        return PlainFields(self.kinds, self.along)

    def rig(self, folder: Path, redis_client: redis.Redis, namespace: str, fake: FakePlatform, **more: Any) -> Rig:
        """A connector that somebody has consented to."""
        url = f"sqlite:///{folder}/store.db"
        common: dict[str, Any] = {"store_url": url, "secret": SECRET, "url": fake.url}
        target = AdTarget(self.key, self.platform, self.settings, **common | more)
        made = Rig(folder, redis_client, namespace, fake, target, self.fields)
        made.connector.store.upgrade()
        if isinstance(fake, FakeYandex):
            made.connector.way.tokens.keep(LoginTokens(fake.access, fake.refresh, 31_536_000))
        if isinstance(fake, FakeGoogle):
            made.connector.way.tokens.keep(made.connector.way.consent.exchange("4/code"))
        return made

    def wanted(self, profiles: Iterable[Profile]) -> Members:
        """What the platform should have of them."""
        return {(one.kind, one.value) for each in profiles for one in self.fields.of(each)}

    def members(self, fake: FakePlatform, name: str = "VIP") -> Members:
        """Whom it has: nobody where the audience is not there yet."""
        if isinstance(fake, FakeVk):
            return {(kind, one) for kind in ("emails", "vk") for one in _of_list(fake, name, kind)}
        assert isinstance(fake, FakeYandex | FakeFacebook | FakeGoogle)
        try:
            return fake.members(name)
        except (AssertionError, ValueError):
            return set()

    def shrink(self, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        """Audiences that begin with two rows, and calls that hold three."""
        known = PLATFORMS[self.platform]
        few = {"largest_call": 3, "first_rows": min(known.first_rows, 2), "later_rows": min(known.later_rows, 2)}
        monkeypatch.setitem(PLATFORMS, self.platform, replace(known, **few | more))
        monkeypatch.setattr(vk, "FEWEST", 2)


def _of_list(fake: FakeVk, name: str, kind: str) -> set[str]:
    """Without the ids that nobody has."""
    try:
        return fake.members(name, kind) - set(vk._made_up(kind, 25))
    except AssertionError:
        return set()


def _vk(seed: int) -> FakeVk:
    fake = FakeVk(seed)
    fake.first = fake.later = 2
    return fake


_GOOGLE = {"client_id": "g-client", "client_secret": "g-secret"}
_FACEBOOK = {"access_token": facebook.TOKEN, "app_secret": facebook.APP_SECRET, "account": facebook.ACCOUNT}
ACCOUNTS = {
    "yandex": Account(
        name="yandex",
        key="ya",
        platform="yandex-audiences",
        fake=FakeYandex,
        settings={"client_id": "ya-client", "client_secret": "ya-secret"},
        kinds={"email": ("email", "sha256"), "phone": ("phone", "sha256")},
        along={"outer": ("ext_id", "sha256")},
        changes=("upload_csv_file", "confirm", "modify_data", "PUT", "DELETE"),
        looks=("GET /v1/management/segments",),
        too_many=Reply(429, {"errors": [{"error_type": "quota"}]}, {"Retry-After": "120"}),
    ),
    "facebook": Account(
        name="facebook",
        key="fb",
        platform="facebook-ads",
        fake=lambda _: FakeFacebook(),
        settings=_FACEBOOK,
        kinds={"id": ("EXTERN_ID", ""), "email": ("EMAIL", "sha256"), "phone": ("PHONE", "sha256")},
        along={"name": ("FN", "sha256")},
        changes=("customaudiences", "POST /2", "DELETE /2", "users"),
        looks=("GET",),
        too_many=Reply(400, {"error": {"code": 80003, "error_subcode": 2446079}}),
    ),
    "vk": Account(
        name="vk",
        key="vk",
        platform="vk-ads",
        fake=_vk,
        settings={"client_id": "vk-client", "client_secret": "vk-secret"},
        kinds={"email": ("emails", "md5"), "phone": ("vk", ""), "vk": ("vk", "")},
        changes=("POST /api/v3/remarketing/users_lists.json", "POST /api/v2/remarketing/segments.json", "DELETE"),
        looks=("GET /api/v3", "GET /api/v2", "token.json"),
        too_many=Reply(429, {"code": "throttled"}, {"X-RateLimit-Hourly-Remaining": "0"}),
    ),
    "google": Account(
        name="google",
        key="g",
        platform="google-audiences",
        fake=FakeGoogle,
        settings=_GOOGLE | {"account": google.ACCOUNT, "login_account": google.MANAGER},
        kinds={
            "email": ("emailAddress", "sha256"),
            "phone": ("phoneNumber", "sha256"),
            "android": ("android", ""),
        },
        changes=("userLists", "ingest", "remove", "POST"),
        looks=("GET", "requestStatus", "/token"),
        too_many=Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
    ),
}


def on(*names: str, long: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """A test runs on each of these platforms, or on all, small ones; on those of `long` in `make proof` alone."""
    cases = [pytest.param(name, marks=pytest.mark.long if name in long else (), id=name) for name in names or ACCOUNTS]
    return pytest.mark.parametrize("account", cases, indirect=True)


def ends_at_call(first: int, later: int) -> pytest.MarkDecorator:
    """A process ends before or after one of two calls: before the first and after the later, all in `make proof`."""
    cases = [
        pytest.param(number, point, marks=() if usual else pytest.mark.long, id=f"{number}-{point}")
        for number in (first, later)
        for point in (BEFORE_CALL, AFTER_CALL)
        for usual in [(number, point) in {(first, BEFORE_CALL), (later, AFTER_CALL)}]
    ]
    return pytest.mark.parametrize(("number", "point"), cases)


def changes(fake: FakePlatform) -> int:
    """Calls that were to change something."""
    return sum("token" not in path for _, path in fake.writes())


def owes_nothing(rig: Rig) -> bool:
    return not rig.rows("SELECT id FROM ads_identifier WHERE owed OR call IS NOT NULL")
