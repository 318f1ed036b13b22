"""Passwords of the console's users: argon2id, with RFC 9106's second recommended parameters (64 MiB, 3 passes).

`argon2-cffi` comes with the extra `[console]`; what needs no password needs no argon2 either.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from argon2 import PasswordHasher


class MissingExtra(SegsyncError):
    """What is wanted needs a package that is not installed; the message says what to install."""


@cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher as Hasher  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("passwords need argon2; install it with: pip install 'segsync[console]'") from None
    return Hasher()


def hash_of_password(password: str) -> str:
    """What the file holds of a password; another one each time. MissingExtra."""
    return _hasher().hash(password.encode("utf-8", "surrogatepass"))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether this is the password of that hash; None is nobody's, and takes as long. MissingExtra."""
    hasher = _hasher()
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - an extra

    try:
        found = hasher.verify(password_hash or _nobody(), password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return found and password_hash is not None


@cache
def _nobody() -> str:
    """A hash to compare with where there is no user, so that guessing names is as slow as guessing passwords."""
    return hash_of_password("nobody has this one")
