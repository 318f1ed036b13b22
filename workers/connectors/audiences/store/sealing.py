"""What may be read again only with the installation's secret: tokens, plain ids, companions."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.errors import ErrorClass, HoldLevel, TargetError

_NONCE_BYTES: Final = 12
_MARK: Final = b"\x01"
"""The first byte: how it is sealed."""


class Seal:
    """Seals with AES-256-GCM, under a key made of `secret`; another secret opens nothing."""

    def __init__(self, secret: str) -> None:
        self._aead = AESGCM(hashlib.sha256(b"segsync seal\0" + secret.encode()).digest())
        self._mac = hashlib.sha256(b"segsync mark\0" + secret.encode()).digest()

    def seal(self, text: str) -> bytes:
        """Sealed: each time other bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        return _MARK + nonce + self._aead.encrypt(nonce, text.encode(), None)

    def open(self, sealed: bytes) -> str:
        """The text; TargetError (HOLD, CONNECTOR) where another secret sealed it, or it is damaged."""
        try:
            return self._aead.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], None).decode()
        except InvalidTag:
            raise of_another_secret() from None
        except ValueError:  # too short for a nonce: nothing that any secret sealed
            reason = "what the store keeps sealed is cut short; expected the store as it was written, or a backup of it"
            raise TargetError(ErrorClass.HOLD, "ads sealed", reason, level=HoldLevel.CONNECTOR) from None

    @property
    def proof(self) -> bytes:
        """By which a store knows the secret again: it tells nothing of it."""
        return self.mark("segsync proof")

    def mark(self, text: str) -> bytes:
        """16 bytes by which the same text is found again, and not guessed without the secret."""
        return hmac.digest(self._mac, text.encode(), "sha256")[:16]


def of_another_secret() -> TargetError:
    """What is said where what is sealed cannot be opened, or must not be added to."""
    reason = "what the store keeps sealed cannot be opened; expected the SEGSYNC_SECRET that sealed it"
    return TargetError(ErrorClass.HOLD, "ads secret", reason, level=HoldLevel.CONNECTOR)
