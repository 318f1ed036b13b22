"""The ledger's own database on a server, under whatever name of this host a connector leads there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.settings.files import loaded
from workers.settings import own_databases
from workers.settings.own_databases import THIS_HOST, addresses_of, names_of

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = '[ledger]\nurl = "postgresql://ledger@localhost/segsync"\n'
STORE = """
[connectors.ads]
platform = "yandex-audiences"
client_id = "1"
client_secret = "${S}"
store = { url = "postgresql://ads@db.example/ads" }
"""


def told(folder: Path, url: str, *more: str, section: str = "connectors.crm", **environ: str) -> list[str]:
    text = "".join((LEDGER, f'[{section}]\nurl = "{url}"\n', *more))
    return [str(each) for each in loaded(folder, text, environ=environ).warnings if ".url" in each.where]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ledger@localhost/segsync",
        "postgresql://ledger@LOCALHOST:5432/segsync",
        "postgresql://ledger@127.0.0.1/segsync",
        "postgresql://ledger@127.0.0.2:5432/segsync",
        "postgresql://ledger@[::1]/segsync",
        "postgresql://ledger@localhost./segsync",
        "postgresql://ledger@/segsync?host=/var/run/postgresql",
        "postgresql://ledger@one.example/segsync?host=localhost",
        "postgresql://ledger@one.example/segsync?host=two.example,127.0.0.1",
        "postgresql://l%65dger@localhost/segs%79nc",
        "postgresql://ledger@${H}/segsync",
        "postgresql://ledger@localhost:05432/segsync",
        "postgresql://ledger@localhost/segsync?port=05432",
        "postgresql://ledger@0.0.0.0/segsync",
        "postgresql://ledger@0/segsync",
        "postgresql://ledger@127.1/segsync",
        "postgresql://ledger@0x7f000001/segsync",
        "postgresql://ledger@[::]/segsync",
        "postgresql://ledger@[0:0::1]/segsync",
        "postgresql://ledger@[::ffff:127.0.0.1]/segsync",
        "postgresql://ledger@one.example/segsync?host=0.0.0.0&port=5432",
        "postgresql://ledger@one.example/segsync?host=0.0.0.0%20",
        "postgresql://ledger@localhost,localhost/segsync?port=1,5432",
        "postgresql://ledger@one.example/segsync?host=two.example,&port=1,5432",
        "postgresql://ledger@localhost/segsync?port=1,5432",
    ],
)
def test_one_user_for_both_is_told_whatever_this_host_is_called(tmp_path: Path, url: str) -> None:
    (found,) = told(tmp_path, url, H="localhost")
    assert found.startswith("connectors.crm.url: leads to the ledger's database as its user: whoever may edit queries")
    assert found.endswith("expected a user of its own for the ledger's database, and no right for others")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://other@localhost/segsync",
        "postgresql://ledger@localhost/shop",
        "postgresql://ledger@localhost:5433/segsync",
        "postgresql://ledger@localhost,db.example/segsync?port=1,5432",
        "postgresql://ledger@localhost,localhost/segsync?port=1,2",
        "postgresql://ledger@%00/segsync",
        "postgresql://ledger@0.0.0.1/segsync",
        "postgresql://ledger@db.example/segsync",
        "mysql://ledger@localhost/segsync",
        "postgresql://ledger@${H:-db.example}/segsync",
        "sqlite:///segsync",
    ],
)
def test_another_database_or_user_is_not(tmp_path: Path, url: str) -> None:
    assert told(tmp_path, url) == []


def test_sources_and_stores_of_ad_accounts_are_looked_at_too(tmp_path: Path) -> None:
    members = "members = 'SELECT id AS _id FROM acts WHERE s = {segment_id}'\n"
    (found,) = told(tmp_path, "postgresql://ledger@localhost/segsync", members, section="sources.main")
    assert found.startswith("sources.main.url: leads to the ledger's database")
    (found,) = told(tmp_path, "postgresql://ads@DB.example:5432/ads", STORE)
    assert found.startswith("connectors.crm.url: leads to the database of ads's store as its user")


def test_names_are_told_apart_by_words_and_by_where_they_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    leads = {"one.example": ["192.0.2.1"], "two.example": ["192.0.2.1", "192.0.2.2"], "here.example": ["127.0.0.1"]}
    leads["mapped.example"] = ["::ffff:192.0.2.1"]

    def asked(host: str, *_: object, **__: object) -> list[Any]:
        if host not in leads:
            raise OSError
        return [(0, 0, 0, "", (address, 0)) for address in leads[host]]

    monkeypatch.setattr("workers.settings.own_databases.socket.getaddrinfo", asked)
    assert names_of("One.Example.") == {"one.example"}
    assert not names_of("one.example") & names_of("two.example")
    assert addresses_of("one.example") & addresses_of("two.example") == {"192.0.2.1"}
    assert addresses_of("one.example") & addresses_of("mapped.example") == {"192.0.2.1"}
    assert THIS_HOST in addresses_of("here.example") & addresses_of("/var/run/postgresql") & addresses_of("")
    assert addresses_of("gone.example") == {"gone.example"}


def test_an_address_of_this_host_is_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any interface: it is asked by binding to it, which nobody can do with another's (203.0.113.9 is nobody's)."""
    for text in ("127.0.0.1", "127.0.0.2"):
        assert own_databases._is_here((text, 0)), text
    assert not own_databases._is_here(("203.0.113.9", 0))
    monkeypatch.setattr(own_databases, "_is_here", ("203.0.113.7", 0).__eq__)
    assert addresses_of("203.0.113.7") == {"203.0.113.7", THIS_HOST}
    assert addresses_of("203.0.113.9") == {"203.0.113.9"}
    assert addresses_of("one\0example") == {"one\0example"}
