"""A password that may stand in a file, and who Redis is told we are.

A file is read anew for each new connection: a password that rotates is met by whoever connects next, without restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.settings.files import FileError, read_secret

if TYPE_CHECKING:
    from pathlib import Path

    from redis import CredentialProvider


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password.

    text  as it was when the file was checked; None for none
    path  where it stands; None where it came from a variable
    """

    text: str | None = None
    path: Path | None = None

    def read(self) -> str | None:
        """As it is now; as it was where its file cannot be read at this moment."""
        if self.path is None:
            return self.text
        try:
            return read_secret(self.path)
        except FileError:
            return self.text

    def __bool__(self) -> bool:
        return bool(self.text)

    def __repr__(self) -> str:
        return "Secret(...)" if self else "Secret()"


def credentials(username: str | None, secret: Secret) -> CredentialProvider | None:
    """What redis-py asks for user and password before each connection; None where there is neither.

    Shown as nothing, wherever it is: in a repr, and in what Celery's workers tell of their broker.
    """
    from redis import CredentialProvider  # noqa: PLC0415 - 0.25 s, which commands that need no Redis shall not wait for

    class Credentials(CredentialProvider):
        def get_credentials(self) -> tuple[str] | tuple[str, str]:
            password = secret.read() or ""
            return (username, password) if username else (password,)

        def __repr__(self) -> str:
            return "Credentials(...)"

        def __json__(self) -> str:
            return "(hidden)"

    return Credentials() if username or secret else None
