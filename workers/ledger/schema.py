"""The version of the ledger's schema."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "0008"
"""The newest version in `workers/ledger/migrations/versions`; here too, so that Alembic is loaded only to upgrade."""
