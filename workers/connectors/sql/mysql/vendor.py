"""MySQL and MariaDB, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.mysql.options import OPTIONS
from workers.connectors.sql.mysql.preset import PRESET
from workers.connectors.sql.vendor import Explain, PositionTable, TlsOptions, Traits, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from socket import socket

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import AskedPage, PagePlan


def _link(target: Target) -> Link:
    from workers.connectors.sql.mysql.link import connect  # noqa: PLC0415 - see `vendor`

    return connect(target)


def _examine(target: Target) -> Examined:
    from workers.connectors.sql.mysql.catalog import MysqlExamined  # noqa: PLC0415 - see `vendor`

    return MysqlExamined(target)


def _what_stays(target: Target, statements: Iterable[str]) -> str:
    from workers.connectors.sql.mysql.rollback import what_would_stay  # noqa: PLC0415 - see `vendor`

    return what_would_stay(target, statements)


def _page_plan(lines: Sequence[str], asked: AskedPage) -> PagePlan:
    from workers.connectors.sql.mysql.page_plan import page_plan  # noqa: PLC0415 - see `vendor`

    return page_plan(lines, asked)


def _lister(target: Target) -> Lister:
    from workers.connectors.sql.mysql.listing import open_lister  # noqa: PLC0415 - see `vendor`

    return open_lister(target)


def _before_tls(link: socket, options: Mapping[str, str]) -> bool:
    from workers.connectors.sql.mysql.tls_request import ask_for_tls  # noqa: PLC0415 - see `vendor`

    return options.get("ssl_disabled") != "true" and options.get("ssl-mode") != "DISABLED" and ask_for_tls(link)


MYSQL = Vendor(
    name="MySQL",
    scheme="mysql",
    aliases=("mariadb",),
    port=3306,
    options=OPTIONS,
    tls=TlsOptions(
        off={"ssl_disabled": ("true",), "ssl-mode": ("DISABLED",)},
        wanted={
            "ssl-mode": ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"),
            "ssl_ca": (),
            "ssl_cert": (),
            "ssl_key": (),
            "ssl_verify_cert": ("true",),
            "ssl_verify_identity": ("true",),
        },
        remedy="ssl-mode=REQUIRED",
    ),
    files=("ssl_ca", "ssl_cert", "ssl_key"),
    before_tls=_before_tls,
    link=_link,
    explain=Explain("EXPLAIN FORMAT=JSON ", _page_plan),
    examine=_examine,
    lister=_lister,
    what_stays=_what_stays,
    position=PositionTable(
        create="CREATE TABLE segsync_position (lane char(32) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,"
        " integration varchar(63) CHARACTER SET ascii NOT NULL, position varchar(27) CHARACTER SET ascii NOT NULL)"
        " ENGINE=InnoDB",
        make="INSERT IGNORE INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')",
        lock=" FOR UPDATE",
    ),
    traits=Traits(
        reader="mysql",
        upsert="ON DUPLICATE KEY UPDATE",
        upsert_whole="ON DUPLICATE KEY UPDATE",
        exact_text="varbinary(1020), or the collation utf8mb4_0900_bin (MySQL from 8.0.17) or utf8mb4_nopad_bin"
        " (MariaDB)",
        ignoring="stores what does not fit bent (300 becomes 127, 'old' becomes 0, a missing value 0) and passes over"
        " what breaks a key, without a word",
        triggers_may_be_hidden=True,
        text_beside_number=(
            "MySQL reads 'x' as 0, '17 x' as 17 and in a list numbers beyond 2^53 as doubles, and so takes other rows"
        ),
        number_beside_text=("MySQL then compares as numbers, so 7 is also '07', '7.0' and '7 x', and no index serves"),
    ),
    preset=PRESET,
    lost_savepoint="mysql 1305",
)
