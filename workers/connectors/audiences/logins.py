"""LoginTokens: kept sealed in the store, renewed early and by one process at a time.

A renewal can end the token that others hold (VK's does). So who is refused reads the store again first, and renews only
if what it was refused with still stands there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import sqlalchemy as sa

from workers import failpoints
from workers.connectors.audiences.store.inserting import insert_into
from workers.connectors.audiences.store.tables import logins
from workers.connectors.audiences.told_logins import LoginStanding, needs_consent, told, waits, was_first
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.errors import ErrorClass, TargetError
from workers.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workers.connectors.audiences.store.database import Store
    from workers.connectors.audiences.store.sealing import Seal

RENEWING_MS: Final = 120_000
"""Milliseconds after which who began to renew a token, and was not heard of since, is taken for dead."""
SOONEST_AGAIN_MS: Final = 60_000
LATEST_AGAIN_MS: Final = 3_600_000
"""Milliseconds between two early renewals that fail: a tenth of what is left of the token, within these."""
TOO_OFTEN: Final = "nobody: asked too often"
"""Whose renewal it is while the platform wants to be left alone: nobody's."""
_ASKED_TOO_OFTEN: Final = "the platform was asked for tokens too often, and is left alone for a while"
OF_ITS_LIFE: Final = 4
"""A token is renewed early when one part in so many of its life is over, at the soonest."""


@dataclass(frozen=True, slots=True)
class LoginTokens:
    """What a platform gives.

    access        for calls
    refresh       for the next renewal; "" where there is none, or where the one we have stays
    expires_in_s  until the access token ends; 0: never
    ends_in_s     until the refresh token ends, and a person must consent again; 0: never
    lacks         rights of those we need that were not granted; None where the platform does not say
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    expires_in_s: int = 0
    ends_in_s: int = 0
    lacks: tuple[str, ...] | None = None


class Consent(Protocol):
    """A platform's way to tokens. Every method but `url` raises CallFailed; LOGIN where a person must consent anew."""

    application: str
    """Who asks for tokens where no person needs to; "" where one must, or where the file gives it."""
    early_s: int
    """Seconds before its end that a token is renewed."""

    def url(self, state: str) -> str:
        """Where a person consents, and is given a code; "" where none is needed."""

    def exchange(self, code: str) -> LoginTokens:
        """LoginTokens for a code; without one where the platform needs no person."""

    def renew(self, refresh: str) -> LoginTokens:
        """New tokens."""


class _Kept(NamedTuple):
    access: str
    refresh: str
    expires_ms: int
    ends_ms: int
    version: int
    owner: str
    owned_until_ms: int
    account: str


_NOTHING_KEPT: Final = _Kept("", "", 0, 0, 0, "", 0, "")
"""Of a login whose first token is asked for."""


class TokenKeeper:
    """The tokens of one connector.

    owner  this process's name
    """

    def __init__(
        self, connector: str, store: Store, seal: Seal, consent: Consent, clock: Callable[[], int], owner: str
    ) -> None:
        self._connector = connector
        self._store = store
        self._seal = seal
        self._consent = consent
        self._clock = clock
        self._owner = owner

    def token(self) -> str:
        """One that is good for a while; TargetError where there is none to be had."""
        with self._store.reading() as connection:
            kept = self._read(connection)
        if kept is None:
            return self._begin()
        now = self._clock()
        left = kept.expires_ms - now
        if not kept.expires_ms or left > self._consent.early_s * 1000 or (left > 0 and kept.owned_until_ms > now):
            return kept.access
        try:
            return self.renew(kept.access)
        except TargetError:
            if left <= 0:
                raise
            return kept.access  # it is early still

    def renew(self, refused: str) -> str:
        """Another one than that which was refused; TargetError where there is none to be had."""
        now = self._clock()
        with self._store.changing() as connection:
            kept = self._read(connection, lock=True)
            if kept is None:
                raise needs_consent(self._connector, "no token is kept any more")
            if kept.access != refused:
                return kept.access
            if kept.owner and kept.owned_until_ms > now:
                raise waits(_ASKED_TOO_OFTEN if kept.owner == TOO_OFTEN else "another process renews the token")
            self._change(connection, owner=self._owner, owned_until_ms=now + RENEWING_MS)

        def renewed() -> LoginTokens:
            reach(failpoints.BEFORE_RENEWAL)
            tokens = self._renewed(kept)
            reach(failpoints.AFTER_RENEWAL)
            return tokens

        return self._keep_asked(kept, renewed)

    def _renewed(self, kept: _Kept) -> LoginTokens:
        """What the platform has dropped is asked for anew, for the application that it was given to. CallFailed.

        Another's may be of another account: whether the audiences are in it, only who connects looks.
        """
        try:
            return self._consent.renew(kept.refresh)
        except CallFailed as failed:
            if failed.fault is not Fault.LOGIN or not kept.account or kept.account != self._consent.application:
                raise
            return self._consent.exchange("")

    def renew_kept(self) -> LoginTokens | None:
        """For whoever connects an application once more, since a platform may give few tokens, and none back.

        None where others are to be asked for: nothing is kept, it was given to another application, or is refused.
        TargetError where that cannot be known now.
        """
        try:
            with self._store.reading() as connection:
                kept = self._read(connection)
            if not self._consent.application or kept is None or kept.account not in ("", self._consent.application):
                return None
            self.renew(kept.access)
            with self._store.reading() as connection:
                kept = self._read(connection) or _NOTHING_KEPT
        except TargetError as error:
            if error.error_class is not ErrorClass.HOLD:
                raise
            return None
        left_s = (kept.expires_ms - self._clock()) // 1000 if kept.expires_ms else 0
        return LoginTokens(kept.access, kept.refresh, left_s)

    def _keep_asked(self, kept: _Kept, ask: Callable[[], LoginTokens]) -> str:
        """New tokens in place of these, unless another process has kept its own meanwhile. TargetError."""
        try:
            tokens = ask()
        except CallFailed as failed:
            if later := self._not_renewed(kept, failed):
                return later
            raise told(self._connector, failed) from None
        with self._store.changing() as connection:
            if later := self._kept_since(connection, kept.version):
                return later
            self.write(connection, tokens, refresh=kept.refresh)
        return tokens.access

    def _kept_since(self, connection: Connection, version: int) -> str:
        """What another process has kept meanwhile, perhaps another account's, and stays; "" where none has."""
        kept = self._read(connection, lock=True)
        return kept.access if kept is not None and kept.version != version else ""

    def _not_renewed(self, kept: _Kept, failed: CallFailed) -> str:
        """It is not tried at once again; one that only a person can renew ends as it does. Returns as `_kept_since`."""
        now = self._clock()
        again = max(min(LATEST_AGAIN_MS, max(SOONEST_AGAIN_MS, (kept.expires_ms - now) // 10)), failed.wait_ms)
        said: dict[str, Any] = {"owned_until_ms": now + again, "code": failed.code, "reason": failed.reason}
        if failed.fault in (Fault.LOGIN, Fault.REFUSED) and kept.expires_ms:
            said["ends_ms"] = min(kept.ends_ms or kept.expires_ms, kept.expires_ms)
        said["owner"] = TOO_OFTEN if failed.wait_ms and failed.fault is Fault.BUDGET else ""
        with self._store.changing() as connection:
            later = self._kept_since(connection, kept.version)
            if not later:
                self._change(connection, **said)
            return later

    def keep(self, tokens: LoginTokens) -> None:
        """Keeps new ones in place of whatever was kept."""
        with self._store.changing() as connection:
            self.write(connection, tokens)

    def write(
        self, connection: Connection, tokens: LoginTokens, *, refresh: str = "", account: str | None = None
    ) -> None:
        """As `keep`, in the connection's transaction.

        refresh  what stays where the platform gave no other
        account  whom they are for

        TargetError where another process has kept its own meanwhile, the first or another account's: those stay.
        """
        now = self._clock()
        kept = tokens.refresh or refresh
        values: dict[str, Any] = {
            "access": self._seal.seal(tokens.access),
            "refresh": self._seal.seal(kept) if kept else None,
            "expires_ms": now + tokens.expires_in_s * 1000 if tokens.expires_in_s else 0,
            "ends_ms": now + tokens.ends_in_s * 1000 if tokens.ends_in_s else 0,
        } | {"owner": "", "owned_until_ms": now + tokens.expires_in_s * 1000 // OF_ITS_LIFE, "code": "", "reason": ""}
        if account is not None or self._consent.application:
            values["account"] = account or self._consent.application
        if tokens.lacks is not None:
            values["lacks"] = " ".join(tokens.lacks)
        known = self._row(connection, lock=True)
        if known is not None:
            same = bool(refresh) and not tokens.ends_in_s and tokens.refresh in ("", refresh)
            if same and known.ends_ms != known.expires_ms:
                del values["ends_ms"]  # the refresh token is the same, and so is its end, if not `_not_renewed` set it
            if account and known.account and known.account != account:
                raise was_first(self._connector)  # this was looked at before the code was used
            self._change(connection, **values, version=known.version + 1)
            return
        row = insert_into(connection, logins).values(values | {"connector": self._connector, "version": 1})
        if connection.execute(row.on_conflict_do_nothing().returning(logins.c.connector)).first() is None:
            raise was_first(self._connector)

    def account(self) -> str | None:
        """Whom the tokens are for, as it was told when they were given; None for nobody."""
        with self._store.reading() as connection:
            row = self._row(connection)
        return row.account or None if row is not None else None

    def standing(self) -> LoginStanding:
        """How it stands; no token is opened."""
        with self._store.reading() as connection:
            row = self._row(connection)
        if row is None:
            return LoginStanding()
        times, lacks = (int(row.expires_ms), int(row.ends_ms)), tuple(row.lacks.split())
        return LoginStanding(row.access is not None, *times, row.code, row.reason, lacks)

    def _begin(self) -> str:
        """The first token where nobody has to consent. One process asks: a platform may give few, and none back."""
        if self._consent.url(""):
            raise needs_consent(self._connector, "nobody has consented yet")
        return self._take_turn() or self._keep_asked(_NOTHING_KEPT, lambda: self._consent.exchange(""))

    def _take_turn(self) -> str:
        """What another process has got meanwhile; "" where it is this one's to ask for the first token. TargetError."""
        with self._store.changing() as connection:
            empty = insert_into(connection, logins).values(connector=self._connector)
            connection.execute(empty.on_conflict_do_nothing())
            row = self._row(connection, lock=True)
            if row.access is not None:
                return self._seal.open(row.access)
            if row.owner and row.owned_until_ms > self._clock():
                raise waits(_ASKED_TOO_OFTEN if row.owner == TOO_OFTEN else "another process asks for the first token")
            self._change(connection, owner=self._owner, owned_until_ms=self._clock() + RENEWING_MS)
        return ""

    def _row(self, connection: Connection, *, lock: bool = False) -> Any:  # noqa: ANN401 - a row
        asked = sa.select(logins).where(logins.c.connector == self._connector)
        return connection.execute(asked.with_for_update() if lock else asked).first()

    def _read(self, connection: Connection, *, lock: bool = False) -> _Kept | None:
        row = self._row(connection, lock=lock)
        if row is None or row.access is None:
            return None
        refresh = self._seal.open(row.refresh) if row.refresh else ""
        times = (row.expires_ms, row.ends_ms, row.version, row.owner, row.owned_until_ms)
        return _Kept(self._seal.open(row.access), refresh, *times, row.account)

    def _change(self, connection: Connection, **values: Any) -> None:  # noqa: ANN401 - columns of `logins`
        connection.execute(logins.update().where(logins.c.connector == self._connector).values(values))
