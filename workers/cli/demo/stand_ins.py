"""The stand-ins of the four ad platforms: small servers on this machine, which are part of the repository's tests.

They do what the platforms' documents say, refuse what is no right hash, and show whom they have. A package that is
installed without the repository does not have them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY: Final = Path(__file__).parents[3]
"""Where `workers/` is; `tests/` is beside it in the repository only."""
PACKAGES: Final = ("httpx", "phonenumbers", "cryptography")
"""What the extra `ads` brings."""
CLASSES: Final = {
    "ya": ("yandex", "FakeYandex"),
    "fb": ("facebook", "FakeFacebook"),
    "vk": ("vk", "FakeVk"),
    "g": ("google", "FakeGoogle"),
}
"""Module and class of each, by the connector that is led to it."""
CODES: Final = {"ya": "1234567", "g": "4/code"}
"""What a person would paste in `connect`; the others need nobody."""
SECRETS: Final = {
    "ya": {"client_secret": "ya-secret"},
    "fb": {"access_token": "fb-token", "app_secret": "fb-app-secret"},
    "vk": {"client_secret": "vk-secret"},
    "g": {"client_secret": "g-secret"},
}
"""What the stand-ins take for the secrets of their accounts."""

Members = set[tuple[str, str]]


class StandIn(Protocol):
    """One platform on a port of the loopback, in threads of this process."""

    @property
    def url(self) -> str:
        """Where it listens."""

    @property
    def members(self) -> Any:  # noqa: ANN401 - of some a segment's name is asked, of one a kind as well
        """Whom it has."""

    def writes(self) -> list[tuple[str, str]]:
        """The calls that would change something, so far."""

    def work(self) -> int:
        """Does what it has accepted."""

    def advance(self, seconds: float) -> None:
        """Its clock goes on."""

    def close(self) -> None:
        """Ends it."""


def check_there() -> None:
    """WrongUsage where the repository or the packages for ad accounts are missing, with what to do."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise WrongUsage(f"ad accounts need {', '.join(missing)}; expected pip install 'segsync[ads]'")
    if not (REPOSITORY / "tests" / "fakes" / "server.py").is_file():
        raise WrongUsage(
            "the stand-ins of the ad platforms are part of segsync's repository, and this is an installed package; "
            "expected a clone of the repository, and `.venv/bin/segsync demo --ads` in it, once `make install` has run"
        )


def start() -> dict[str, StandIn]:
    """Starts all four, by connector."""
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))
    started: dict[str, StandIn] = {}
    for key, (module, name) in CLASSES.items():
        started[key] = getattr(import_module(f"tests.fakes.{module}"), name)()
    return started


def members_of(stand_ins: Mapping[str, StandIn], segment: str) -> dict[str, Members]:
    """Whom each has in the audience of that name: the platform's word for what it is, and the hash."""
    found: dict[str, Members] = {key: set() for key in stand_ins}
    for key, platform in stand_ins.items():
        # It has no such audience yet, or is being changed just now: the next look will see it.
        with suppress(AssertionError, ValueError, RuntimeError):
            if key == "vk":
                kinds = ("emails", "phones")
                found[key] = {(kind, value) for kind in kinds for value in platform.members(segment, kind)}
            else:
                found[key] = set(platform.members(segment))
    return found
