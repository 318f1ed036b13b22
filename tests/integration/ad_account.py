"""segsync with an ad account on a fake of Yandex: what its file says, and hours that go by without waiting for them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.integration.hours import let_the_platform_work
from workers.connectors.audiences.logins import LoginTokens
from workers.control.drain import drain
from workers.runtime import Runtime
from workers.settings import load, revision

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.place import Place

ENVIRON = {"YA_SECRET": "ya-secret", "SEGSYNC_SECRET": "planted-seal-of-tests"}
CODE = "1234567"
"""What a person pastes who consents."""
_HEAD = """
namespace = "{namespace}"
[redis]
url = "{redis}"
[ledger]
url = "sqlite:///ledger.db"
"""
_ACCOUNT = """
[connectors.ya]
platform = "yandex-audiences"
url = "{url}"
client_id = "ya-client"
client_secret = "${{YA_SECRET}}"
[integrations.buyers]
connector = "ya"
key = "id"
scope = {{ database = "main", {scope} }}
batch = {{ size = 1000, timeout = "100ms" }}
fields = {{ {fields} }}
{more}
"""


class AdAccount:
    """The account `ya` and the integration `buyers` in a place; its file has them and nothing else, until one writes.

    runtime  what works by the file, from when it is first asked for
    """

    def __init__(self, place: Place, yandex: FakeYandex) -> None:
        self.place = place
        self.yandex = yandex
        self.write()

    def text(self, scope: str = "segments = [7]", fields: str = 'email = "email"', more: str = "") -> str:
        """Both, as they stand in a file."""
        return _ACCOUNT.format(url=self.yandex.url, scope=scope, fields=fields, more=more)

    def write(self, before: str = "", **said: str) -> None:
        """A file with them; `said` as `text` takes it."""
        head = _HEAD.format(namespace=self.place.keys.namespace, redis=self.place.url)
        self.place.file.write_text(head + before + self.text(**said))

    @cached_property
    def runtime(self) -> Runtime:
        return Runtime(load(self.place.file).local)

    @property
    def target(self) -> Any:
        """The connector."""
        return self.runtime.targets.get("ya")

    def connect(self) -> None:
        """Its file is applied, and somebody has consented."""
        revision.publish(self.place.redis, self.place.keys, load(self.place.file))
        self.target.store.upgrade()
        self.target.way.tokens.keep(LoginTokens(self.yandex.access, self.yandex.refresh, 31_536_000))

    def close(self) -> None:
        if "runtime" in self.__dict__:
            self.runtime.targets.dispose()

    def add(self, profiles: list[dict[str, Any]], segment: int = 7, name: str = "VIP") -> None:
        """They are in the segment, and in the store, from now on."""
        with self.place.producer() as producer:
            producer.segment_upsert(segment, name=name)
            producer.add(segment, profiles)
        self.deliver()

    def remove(self, profiles: list[dict[str, Any]], segment: int = 7) -> None:
        """They have left it."""
        with self.place.producer() as producer:
            producer.remove(segment, profiles)
        self.deliver()

    def deliver(self) -> None:
        """What was pushed is in the store, and the platform told what it may be told now."""
        self.place.let_timeouts_pass()
        assert drain(self.runtime).failed == 0

    def hours_go_by(self) -> set[str]:
        """Eight at most, until nothing is owed: turns come, jobs are applied, and looked at. Whom `VIP` has then."""
        let_the_platform_work(self.place, self.runtime, self.yandex)
        named = {each.name for each in self.yandex.segments.values()}
        return {value for _, value in self.yandex.members("VIP")} if "VIP" in named else set()


def buyers(*numbers: int) -> list[dict[str, Any]]:
    """Profiles of these numbers."""
    return [{"_id": str(n), "id": str(n), "email": f" P{n}@Example.com"} for n in numbers]
