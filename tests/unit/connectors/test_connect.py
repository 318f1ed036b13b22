"""How connectors come about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workers.connectors import DIALECTS, connect
from workers.connectors.contract import Target
from workers.errors import ErrorClass, HoldLevel, TargetError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_connector_sends_nothing_before_it_is_asked(dialect: str) -> None:
    connector = connect(Target(key="crm", dialect=dialect, url=f"{dialect}://nobody@192.0.2.1/x"))
    assert (connector.key, connector.dialect) == ("crm", dialect)
    connector.dispose()


@pytest.mark.parametrize("dialect", ["db2", "", "MySQL"])
def test_an_unknown_dialect_holds_the_connector(dialect: str) -> None:
    with pytest.raises(TargetError, match="expected one of mysql, postgresql, sqlite") as caught:
        connect(Target(key="crm", dialect=dialect, url="x"))
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_no_driver_is_loaded_before_a_connector_needs_it() -> None:
    code = (
        "import sys, workers.connectors as c; from workers.connectors.contract import Target\n"
        "assert not {'psycopg', 'pymysql', 'sqlalchemy'} & set(sys.modules)\n"
        "c.connect(Target('crm', 'sqlite', 'sqlite:///x'))\n"
        "assert not {'psycopg', 'pymysql'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_target_does_not_show_its_password() -> None:
    assert "secret" not in repr(Target(key="crm", dialect="mysql", url="mysql://u@h/x", password="secret"))


def test_what_is_preloaded_need_not_be_imported_by_the_first_delivery() -> None:
    script = (
        "import sys; from workers.connectors import preload\n"
        "assert 'psycopg' not in sys.modules\n"
        "preload('postgresql'); preload('nothing')\n"
        "before = set(sys.modules)\n"
        "import workers.connectors.sql.connector, workers.connectors.sql.postgresql.link\n"
        "assert 'psycopg' in before and before == set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
