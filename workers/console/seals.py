"""What the console gives a browser to bring back, and knows again: tokens of forms, and one sentence after an act.

A form's token is made of a random cookie of this browser and the viewer's name, so that no other site, and nobody
else's session, has it. The key is kept in Redis (sessions.py); without users it lives as long as the process.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

KEY_BYTES: Final = 32
COOKIE_LENGTH: Final = 64
"""Characters of the random cookie: 32 bytes in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Seals:
    """Makes and knows seals; `key` is never shown."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)

    def token(self, browser: str, viewer: str) -> str:
        """The token that forms of this viewer carry in this browser."""
        return self._seal("form", f"{browser} {viewer}".encode())

    def knows(self, token: str, browser: str, viewer: str) -> bool:
        """Whether that is the token, in time that tells nothing."""
        return is_cookie(browser) and hmac.compare_digest(token.encode(), self.token(browser, viewer).encode())

    def wrap(self, text: str, use: str = "text") -> str:
        """A text for a cookie, sealed for one use."""
        packed = base64.urlsafe_b64encode(text.encode()).decode()
        return f"{packed}.{self._seal(use, text.encode())}"

    def unwrap(self, sealed: str, use: str = "text") -> str | None:
        """The text again; None where it is not ours, or was sealed for another use."""
        packed, _, seal = sealed.partition(".")
        try:
            text = base64.urlsafe_b64decode(packed.encode())
        except (binascii.Error, ValueError):
            return None
        fits = hmac.compare_digest(seal.encode(), self._seal(use, text).encode())
        return text.decode(errors="replace") if fits else None

    def _seal(self, use: str, content: bytes) -> str:
        return hmac.new(self.key, use.encode() + b"\0" + content, "sha256").hexdigest()


def new_cookie() -> str:
    """A random cookie for a browser that has none."""
    return secrets.token_hex(COOKIE_LENGTH // 2)


def is_cookie(text: str) -> bool:
    """Whether this can be such a cookie."""
    return len(text) == COOKIE_LENGTH and text.isascii() and text.isalnum()
