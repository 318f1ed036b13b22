"""The ledger's SQLite file holds people's data: it is its owner's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("real_migrations")


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.upgrade()
    with ledger.reading():
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes["ledger.db"] == "0o600"
    assert set(modes.values()) == {"0o600"}


def test_a_file_that_is_there_stays_as_somebody_set_it(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.touch(0o640)
    file.chmod(0o640)
    Ledger(f"sqlite:///{file}").upgrade()
    assert file.stat().st_mode & 0o777 == 0o640
