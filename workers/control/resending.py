"""`audiences --resend` and `--replace`: an ad platform is told all members again, by a command or in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import WrongUsage
from workers.lanes.tending import tend_again
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from workers.targets import OpenAccount


def check_audience(account: OpenAccount, segment: str | None) -> None:
    """WrongUsage for a segment that has no audience there; None is all that have one. TargetError."""
    connector = account.connector
    known = {each.segment for each in connector.standings()}
    if segment is not None and segment not in known:
        raise WrongUsage(f"{connector.key} has no audience of segment {segment[:60]!r}{nearest(segment, known)}")


def resend(account: OpenAccount, segment: str | None) -> int:
    """All members, of one segment or of all, are owed to the platform once more; how many identifiers.

    Raises as `check_audience`, and redis.RedisError.
    """
    check_audience(account, segment)
    number = account.connector.resend(segment)
    tend_again(account.redis, account.keys, account.connector.key, 0)
    return number


def replace(account: OpenAccount, segment: str | None) -> int:
    """The platform is to have the members, of one segment or of all, and nobody else; how many audiences.

    WrongUsage, too, for a segment that is too large for it. Raises as `check_audience`, and redis.RedisError.
    """
    check_audience(account, segment)
    connector = account.connector
    number, too_large = connector.replace(segment)
    if too_large:
        most, names = connector.platform.replace_most, ", ".join(sorted(too_large))
        raise WrongUsage(
            f"segment {names}: {connector.platform.name} can replace at most {most:,} identifiers of an audience; "
            "expected --segment with another one, or --resend, which takes nobody out"
        )
    tend_again(account.redis, account.keys, connector.key, 0)
    return number


def told_resend(key: str, segment: str | None) -> str:
    """What it is done to, for the audit log."""
    return key if segment is None else f"{key}, segment {segment}"
