"""Functions, procedures and tables that no query may name: they change the session, run a text as SQL, or reach out.

A list of what is known, and no proof: a function of the customer's own can do all of it, and so can a trigger. What
holds the rest back are the rights of the database user.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.regions import DYNAMIC
from workers.templates.words import is_called, named

if TYPE_CHECKING:
    from workers.templates.regions import Region

_SESSION = "it changes the session that escaping relies on; settings belong to the database user"
_LANES_LOCK = "it would give back the lane's lock, which keeps a second deliverer out"
_OUTSIDE = "it reaches files, programs or other servers, which no transaction takes back"
_NO_TABLE = (
    "of functions that give a table only those are known to segsync that reach nothing outside (numbers, values, view "
    "and the like); a view with parameters is named with its database"
)
_CUT = "a bracket behind a tag and a table's name: a function's name and its bracket stand together"
_SERVERS_OWN = "of PostgreSQL's own functions only those are known to segsync that change nothing"


class _Names(NamedTuple):
    """One database's names.

    anywhere  pattern -> why it may stand nowhere, be it called or not
    called    pattern -> why it may not be called; as a column's name it may stand
    harmless  pattern of what these would meet and need not
    tables    pattern of the functions that may be called where a table is named; "" where those may that are not met
    """

    anywhere: tuple[tuple[str, str], ...] = ()
    called: tuple[tuple[str, str], ...] = ()
    harmless: str = r"(?!)"
    tables: str = ""


_PG_HARMLESS = (
    "pg_(?:typeof|column_size|column_compression|size_pretty|size_bytes|get_serial_sequence|sleep(?:_for|_until)?"
    "|backend_pid|trigger_depth|is_in_recovery|input_is_valid|input_error_info|client_encoding|current_snapshot"
    "|current_xact_id(?:_if_assigned)?|snapshot_\\w+|xact_commit_timestamp|postmaster_start_time|has_role)"
)
_RUNS_TEXT = (
    "query_to_xml\\w*|cursor_to_xml\\w*|dblink\\w*|crosstab\\w*|connectby|xpath_table|ts_stat|ts_rewrite|"
    "database_to_xml\\w*|schema_to_xml\\w*|query_to_json|query_export_to_s3|pgr_\\w+|cypher|"
    "run_command_on_\\w+|master_(?:run_on_worker|modify_multiple_shards|apply_delete_command)|"  # Citus
    "schedule(?:_in_database)?|alter_job|add_job"  # pg_cron, TimescaleDB
)

_PROCEDURES = (
    "sp_executesql|sp_(?:prep)?exec(?:rpc)?|sp_prepare|sp_execute(?:_remote|_fanout|_external_script)?|sp_sqlexec"
    "|sp_cursor\\w*|sp_msforeach\\w+|sp_oa\\w+|sp_send_dbmail|sp_(?:add|update)_job\\w*|sp_start_job"
)

_CLICKHOUSE_OUTSIDE = (
    "executable|file(?:cluster)?|url(?:cluster)?|remote(?:secure)?|cluster|clusterallreplicas|s3\\w*|gcs|hdfs\\w*"
    "|azureblobstorage\\w*|mongodb|redis|hive|oss|cosn|paimon\\w*|arrowflight|ytsaurus|iceberg\\w*|deltalake\\w*|hudi\\w*"
    "|bigquery|prometheusquery\\w*|filesystem|ai(?:classify|embed|extract|filter|generate|redact|similarity|translate)"
)
# With the words that a query in brackets begins with, behind which another bracket may follow, and with what is
# computed where WITH FILL has its FROM, which nothing that is read by then tells from a table's.
_CLICKHOUSE_TABLES = (
    "numbers(?:_mt)?|zeros(?:_mt)?|primes|generate_?series|generaterandom|values|null|view(?:ifpermitted)?|merge"
    "|dictionary|format|select|with|from|today|yesterday|now(?:64)?|makedate\\w*|date_?trunc|parsedatetime\\w*"
    "|to(?:date(?:32|time(?:32|64)?)?|(?:startof|lastdayof|interval)\\w+|monday|yyyymm(?:dd)?|(?:u?int|float|decimal)\\d+)"
    "|(?:add|subtract)(?:(?:year|quarter|month|week|day|hour|minute|(?:milli|micro|nano)?second)s|interval)"
)

_FORBIDDEN = MappingProxyType(
    {
        "mysql": _Names(
            (("release_lock|release_all_locks|service_release_locks", _LANES_LOCK), ("execute_prepared_stmt", DYNAMIC)),
            (
                ("get_lock", _LANES_LOCK),
                ("spider_(?:bg_)?direct_sql|spider_copy_tables", DYNAMIC),
                ("load_file|sys_exec|sys_eval|sys_set", _OUTSIDE),
            ),
        ),
        "postgresql": _Names(
            (
                ("set_config|pg_settings|pg_file_settings", _SESSION),
                ("query_to_xml\\w*|dblink\\w*|crosstab\\w*|xpath_table", DYNAMIC),
            ),
            ((_RUNS_TEXT, DYNAMIC), ("lo_(?:im|ex)port|http(?:_\\w+)?", _OUTSIDE), ("pg_\\w+", _SERVERS_OWN)),
            _PG_HARMLESS,
        ),
        "sqlite": _Names(
            (),
            (
                ("load_extension|fts3_tokenizer", _SESSION),
                ("eval", DYNAMIC),
                ("writefile|edit|readfile|fsdir|lsdir", _OUTSIDE),
            ),
        ),
        "mssql": _Names(
            (
                (_PROCEDURES, DYNAMIC),
                ("sp_set_session_context|sp_setapprole|sp_configure|sp_dboption|sp_settriggerorder", _SESSION),
                ("sp_releaseapplock|sp_unsetapprole", _LANES_LOCK),
                ("xp_\\w+|sp_invoke_external_rest_endpoint", _OUTSIDE),
            ),
            (("openquery|openrowset|opendatasource", DYNAMIC),),
        ),
        "oracle": _Names(
            (
                (
                    "dbms_(?:sql|xmlgen|xmlquery|xmlstore|xmlsave|ddl|job|scheduler|sys_sql|hs_passthrough)|owa_\\w+",
                    DYNAMIC,
                ),
            ),
            (
                ("dbms_\\w+", _SESSION),
                ("utl_\\w+|httpuritype|dburitype|xdburitype", _OUTSIDE),
                ("exec_ddl_statement|getxml\\w*|execute", DYNAMIC),
            ),
            "dbms_(?:lob|random|crypto|assert)|utl_(?:raw|i18n|encode|match)",
        ),
        "clickhouse": _Names(
            (),
            (
                ("jdbc|odbc|mysql|postgresql|sqlite|eval|python", DYNAMIC),
                (_CLICKHOUSE_OUTSIDE, _OUTSIDE),
            ),
            tables=_CLICKHOUSE_TABLES,
        ),
    }
)


def name_mistake(name: str, dialect: str, *, called: bool | None, table: bool = False) -> str | None:
    """Why no query of this dialect may name this; None if it may.

    name    as it is written, without quotes around it
    called  whether a bracket follows; None where a tag does, behind which one may
    table   whether it stands where a table is named
    """
    names, plain = _FORBIDDEN[dialect], named(name).strip()
    if re.fullmatch(names.harmless, plain):
        return None
    rules = names.anywhere if called is False else (*names.anywhere, *names.called)
    reason = next((why for pattern, why in rules if re.fullmatch(pattern, plain)), None)
    if reason is None and table and called and names.tables and not re.fullmatch(names.tables, plain):
        reason = _NO_TABLE
    return f"{name.upper()} cannot stand in a query: {reason}" if reason else None


def cut_mistake(dialect: str, region: Region | None, text: str) -> str | None:
    """Why no bracket may open behind a tag that stands behind a table's name; None if it may, or none does.

    region  the comment that the tag stands in, if it does
    text    what stands behind the tag
    """
    if not _FORBIDDEN[dialect].tables:
        return None
    start = 0
    if region is not None:
        close = region.close or "\n"
        start = text.find(close) + len(close) if close in text else len(text)
    return _CUT if is_called(text, start) else None
