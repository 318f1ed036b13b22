"""The ledger's tests run on both of its databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.ledger.database import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def empty_url(ledger_url: str) -> str:
    """One that is there, without tables."""
    if ledger_url.startswith("sqlite:///"):
        Path(ledger_url.removeprefix("sqlite:///")).touch()
    return ledger_url


@pytest.fixture
def ledger(ledger_url: str) -> Ledger:
    """A ledger with its tables, empty."""
    ledger = Ledger(ledger_url)
    ledger.upgrade()
    return ledger
