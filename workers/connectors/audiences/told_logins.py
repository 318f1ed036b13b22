"""What is told of a login: how it stands, and why there is no token to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.audiences.wire import Fault
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.audiences.wire import CallFailed


class LoginStanding(NamedTuple):
    """How a login stands, for people.

    kept        whether there is a token
    expires_ms  when it ends, and is renewed before; ends_ms: when a person must consent again; Unix ms, 0 for never
    code, reason  why the last renewal failed; "" where it did not
    lacks  rights that were not granted, as far as the platform has said
    """

    kept: bool = False
    expires_ms: int = 0
    ends_ms: int = 0
    code: str = ""
    reason: str = ""
    lacks: tuple[str, ...] = ()


def waits(why: str) -> TargetError:
    """It passes."""
    return TargetError(ErrorClass.RETRY, "ads token", why, phase=Phase.CONNECT)


def was_first(connector: str) -> TargetError:
    """Another process has kept its own."""
    return waits(
        "another process has kept a login at the same time, and that one stays; expected "
        f"`segsync connect {connector}` once more if this one is meant"
    )


def needs_consent(connector: str, what: str, code: str = "ads token") -> TargetError:
    """A person must connect."""
    reason = f"{what}; expected `segsync connect {connector}`"
    return TargetError(ErrorClass.HOLD, code, reason, level=HoldLevel.CONNECTOR, phase=Phase.CONNECT)


def told(connector: str, failed: CallFailed) -> TargetError:
    """What a platform says that was asked for one."""
    if failed.fault in (Fault.LOGIN, Fault.REFUSED):
        return needs_consent(connector, failed.reason, failed.code)
    return TargetError(ErrorClass.RETRY, failed.code, failed.reason, phase=Phase.CONNECT)
