"""One vendor is one folder, one record and one line: nobody else knows which databases there are."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.repository import ROOT, parsed
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.contract import Target
from workers.connectors.sql.url import address
from workers.connectors.sql.vendors import VENDORS, vendor_of
from workers.errors import TargetError
from workers.settings.urls import UrlError, check_database, check_options, dialect_of, split

WORKERS = ROOT / "workers"
OWN_DATABASES = (
    *("templates", "ledger", "settings/own_databases.py", "settings/refusals.py"),
    *("cli/demo", "connectors/audiences/store"),
)
"""Rooms that have dialects of their own: the compiler's, those of the ledger (and what the settings say of it) and of
the store of ad accounts, and the demonstration's one database."""


def test_nobody_else_names_a_vendor() -> None:
    """A comparison with a dialect's name is a place that another database would fall through."""
    vendors = [WORKERS / "connectors/sql" / scheme for scheme in VENDORS]
    rooms = [*vendors, *(WORKERS / name for name in OWN_DATABASES)]
    found = [
        f"{path.relative_to(WORKERS)}:{node.lineno}: {node.value!r}"
        for path in sorted(WORKERS.rglob("*.py"))
        if not any(path.is_relative_to(room) for room in rooms)
        for node in ast.walk(parsed()[path.relative_to(ROOT).as_posix()])
        if isinstance(node, ast.Constant) and node.value in VENDORS
    ]
    assert [each for each in found if "memory.py" not in each] == []


def test_what_check_says_of_a_database_stands_in_its_folder() -> None:
    """A sentence that names one is a fact that another database would not have."""
    words = {word for each in VENDORS.values() for word in (each.name, each.scheme, *each.aliases)}
    named = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)
    found = [
        f"{path.name}:{node.lineno}: {node.value!r}"
        for path in sorted((WORKERS / "preflight").glob("*.py"))
        for node in ast.walk(parsed()[path.relative_to(ROOT).as_posix()])
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and named.search(node.value)
        if not node.value.endswith((".", "\n", "\n    "))  # a docstring
    ]
    assert found == []


def test_no_vendor_may_import_another() -> None:
    """The contract of import-linter names them one by one; one that it does not name would be free."""
    assert independent("no connector knows another") == {f"workers.connectors.sql.{scheme}" for scheme in VENDORS}


def test_no_ad_platform_may_import_another() -> None:
    """Its file is called as its key begins: `vk.py` is the wire of "vk-ads"."""
    files = {f"workers.connectors.audiences.{key.partition('-')[0]}" for key in PLATFORMS}
    assert independent("no ad platform knows another") == files


def independent(name: str) -> set[str]:
    """What a contract of import-linter keeps apart."""
    linter = tomllib.loads((WORKERS.parent / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (each for each in linter["contracts"] if each["name"] == name)
    assert contract["type"] == "independence"
    return set(contract["modules"])


@pytest.mark.parametrize("scheme", VENDORS)
def test_a_vendor_is_whole(scheme: str) -> None:
    vendor = vendor_of(scheme)
    assert vendor.scheme == scheme
    named = {name for name, values in vendor.options.items() if not values and re.search("ca|cert|key|crl|file", name)}
    assert named - {"host_name_in_certificate", "ssl_server_cert_dn"} == set(vendor.files), "names of files"
    if vendor.position is not None:
        assert vendor.position.create.startswith("CREATE TABLE segsync_position ")
        assert "{lane}" in vendor.position.make
    assert f'url = "{scheme}://' in vendor.preset.connector


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u@h/d",
        "mysql://u:@h/d",
        "mysql://u@[::1]:3306/d",
        "mysql://u@/d?unix_socket=/run/s",
        "mysql://u@h/d?ssl_disabled=true",
        "mysql://u@h/d?ssl_disabled=1",
        "mysql://u@h/d?charset=latin1",
        "mysql://u@h/d?ssl_ca=a&ssl_ca=b",
        "mysql://user%40corp@h/d",
        "postgresql://u:@h/d",
        "postgresql://u@/d?host=/tmp/s",
        "postgresql://u@h/d?sslmode=verify-full",
        "postgresql://u@h/d?sslmode=maybe",
        "postgresql://u@h/d?sslcompression=1",
        "postgresql://u:secret@h/d",
        "postgresql://u@h:0/d",
        "oracle://u@h/d",
        "oracle://u@h/d?protocol=tcps&ca_file=/ca.pem",
        "oracle://u@h/d?protocol=udp",
        "oracle://u@h/d?wallet=x",
        "mssql://u@h/d",
        "mssql://u@h/d?encrypt=false",
        "mssql://u@h/d?encrypt=maybe",
        "mssql://u@h/d?ca_file=/ca.pem&host_name_in_certificate=db",
        "mssql://u@h/d?driver=ODBC",
        "sqlite:///x.db",
        "sqlite:///x.db?mode=ro",
    ],
)
def test_a_url_that_check_takes_is_taken_when_it_connects(url: str) -> None:
    try:
        parts = split(url)
        dialect = dialect_of(parts.scheme)
        check_database(parts)
        check_options(parts)
        checked = True
    except UrlError:
        checked, dialect = False, url.partition(":")[0]
    try:
        address(Target("crm", dialect, url), VENDORS[dialect].options)
        connects = True
    except TargetError:
        connects = False
    assert checked == connects


def test_the_page_for_a_new_database_names_every_file_of_the_smallest_folder() -> None:
    page = (WORKERS.parent / "docs" / "adding-a-database.md").read_text()
    files = {path.name for path in (WORKERS / "connectors/sql/sqlite").glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`connectors/sql/sqlite/{name}`" not in page} == set()
