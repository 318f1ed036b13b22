"""What the compiler knows of each database's language.

That is: what opens and ends a literal, an identifier or a comment, how values are written, and which words
no query may hold. The lexers know delimiters only, and are stricter than the servers: what could be read
in two ways is refused, so that there is nothing left to guess.
"""

from __future__ import annotations

from types import MappingProxyType

from workers.templates.dialect import WORD, Dialect
from workers.templates.regions import (
    IDENTIFIER,
    IN_DOUBLE_QUOTES,
    IN_IDENTIFIER,
    VARIABLE,
    WRITE_PLAIN,
    q_quoted,
    quoted,
    tagged,
)

_TAG = "(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\\$"
_TAGGED = "\\$" + _TAG

_SESSION = "it changes the session that escaping relies on; settings belong to the database user"


_SLASHES = (
    r"//",
    "`//` is not a comment in {dialect}; use {{* … *}} for a comment of the template, or `--` for one of SQL",
)
_TAGGED_QUOTE = (_TAGGED, "`$…$` quotes are not known to {dialect}; write a literal in single quotes")
_LONE_DOLLAR = ("\\$(?!" + _TAG + ")", "a lone `$`: in {dialect} it opens a $…$ literal, which ends in the same $…$")
_GLUED_QUOTE = (
    "[0-9][A-Za-z0-9_$\x80-\U0010ffff]*(?=['\"`])",
    "a quote directly after a number and its letters: databases differ in where the number ends; put a blank between",
)
_GLUED_DOLLAR = (r"[0-9][A-Za-z0-9_]*\$", "`$` directly after a number: put a blank between them")
_PARAMETER = (
    r"\?|[:@#](?=[A-Za-z0-9_$:(\x80-\U0010ffff]|\Z)|\$",
    "a parameter of {dialect}, which takes what follows in brackets for a part of its name; write the value itself",
)
_LITERAL = ("'", quoted("a literal", "'"))
_DIGITS = ("[xXbB]'", quoted("a literal with a prefix", "'", refuse=WRITE_PLAIN, doubles=False))
"""It ends at the first quote, doubled or not, for only digits stand in it."""
_DOUBLE_QUOTED = ('"', quoted(IDENTIFIER, '"', refuse=IN_DOUBLE_QUOTES))

MYSQL = Dialect(
    name="mysql",
    either="|",
    line_comments=r"--(?=[ \t\n])|\#",
    refused=(
        (r"/\*M?!", "`/*!` is no comment: the server runs what is in it; write the SQL itself, or {{* … *}}"),
        (r"/\*M?\Z", "a comment cannot begin directly before a tag: put a blank after it"),
        (r"--(?=;|\Z)", "`--` directly before a tag, `;` or the end is no sure comment in mysql: put a blank after it"),
        (r"/\*\+(?!(?:(?!\*/).)*\*/)", "a hint is closed before the next tag: what is in it must be known"),
        (r"/\*\+(?=(?:(?!\*/).)*(?i:set_var))", f"SET_VAR cannot stand in a query: {_SESSION}"),
        (r"/\*\+(?=(?:(?!\*/).)*['\"`])", "a quote in a hint: versions differ in whether `*/` between quotes ends it"),
        (r"\?", "`?` is a parameter, which a statement that is run as it stands has no value for; write the value"),
        (":=", f"`:=` cannot stand in a query: {_SESSION}; what a statement computes it can write itself"),
        _SLASHES,
        _TAGGED_QUOTE,
        _GLUED_QUOTE,
    ),
    regions=(
        ("[nN]'", quoted("a literal with a prefix", "'", escapes=True, refuse=WRITE_PLAIN)),
        _DIGITS,
        ('[nNxXbB]"', quoted("a literal with a prefix", '"', escapes=True, refuse=WRITE_PLAIN)),
        ("@'", quoted(VARIABLE, "'", escapes=True, refuse=IN_IDENTIFIER)),
        ('@"', quoted(VARIABLE, '"', escapes=True, refuse=IN_IDENTIFIER)),
        ("@`", quoted(VARIABLE, "`", refuse=IN_IDENTIFIER)),
        ("'", quoted("a literal", "'", escapes=True)),
        ('"', quoted("a literal", '"', escapes=True)),
        ("`", quoted(IDENTIFIER, "`", refuse=IN_IDENTIFIER)),
    ),
    escapes={"'": {"'": "''", "\\": "\\\\"}, '"': {'"': '""', "\\": "\\\\"}},
    introducers=True,
    expanded=67,  # 65 digits, a sign and a point
    groups=9,  # of a longer one MySQL makes 65 nines, or drops what is behind its point
    decimals=30,
    exponents=True,
    nul="\\0",
)

_PLAIN = (
    *("select", "distinct", "all", "any", "some", "where", "and", "or", "not", "on", "having", "by", "when", "then"),
    *("else", "case", "in", "like", "ilike", "to", "escape", "uescape", "between", "symmetric", "is", "from", "both"),
    *("leading", "trailing", "for", "placing", "limit", "offset", "fetch", "first", "next", "rows", "range", "groups"),
    *("returning", "values", "row", "using", "union", "except", "intersect", "key", "value", "passing", "content"),
    *("document", "set", "default", "return", "overlaps", "null", "true", "false"),
)
"""PostgreSQL's words before an expression. Any other word before a literal names its type, a user's own included."""

POSTGRESQL = Dialect(
    name="postgresql",
    line_comments=r"--",
    refused=(
        _SLASHES,
        _LONE_DOLLAR,
        _GLUED_DOLLAR,
        _GLUED_QUOTE,
    ),
    regions=(
        (_TAGGED, tagged),
        (r"[eE]'", quoted("an E'…' literal", "'", escapes=True, refuse=WRITE_PLAIN)),
        (r"(?:[nN]|[uU]&)'", quoted("a literal with a prefix", "'", refuse=WRITE_PLAIN)),
        _DIGITS,
        (r'(?:[uU]&)?"', quoted(IDENTIFIER, '"', refuse=IN_DOUBLE_QUOTES)),
        _LITERAL,
    ),
    plain=frozenset(_PLAIN),
    matching="~",
    typed=frozenset({"date", "time", "timestamp", "interval"}),
    offset=True,
)

SQLITE = Dialect(
    name="sqlite",
    empty_lists=True,
    line_comments=r"--",
    refused=(_SLASHES, _TAGGED_QUOTE, _GLUED_QUOTE, _PARAMETER),
    regions=(
        _DIGITS,
        _LITERAL,
        _DOUBLE_QUOTED,
        ("`", quoted(IDENTIFIER, "`", refuse=IN_IDENTIFIER)),
        (r"\[", quoted(IDENTIFIER, "[", refuse=IN_IDENTIFIER, doubles=False)),
    ),
    typed=frozenset(),
    true="1",
    false="0",
    whole=(-(2**63), 2**63 - 1),  # a greater one becomes a double
    doubles=True,
)

_BATCH = "SQL Server would run it as a statement of its own"
_BATCH_WORDS = (
    *("commit", "rollback", "begin", "save", "truncate", "drop", "create", "alter", "grant", "revoke", "deny"),
    *("use", "exec", "execute", "declare", "while", "if", "goto", "return", "print", "raiserror", "waitfor"),
    *("kill", "shutdown", "dbcc", "backup", "restore", "checkpoint", "reconfigure", "setuser", "revert"),
    *("open", "close", "deallocate", "bulk", "readtext", "writetext", "updatetext"),
)

MSSQL = Dialect(
    name="mssql",
    line_comments=r"--",
    word=WORD.replace("$", "$@#"),
    refused=(_SLASHES, _TAGGED_QUOTE, _GLUED_QUOTE),
    regions=(
        (r"[nN]?'", quoted("a literal", "'")),
        _DOUBLE_QUOTED,
        (r"\[", quoted(IDENTIFIER, "[", refuse=IN_IDENTIFIER)),
    ),
    typed=frozenset(),
    nowhere={
        **dict.fromkeys(_BATCH_WORDS, _BATCH),
        "go": "it is a word of SQL Server's tools, not of the server; statements are parted by `;`",
    },
    # A backslash at a line's end continues the literal on the next line, and both are gone.
    escapes={
        "'": {"'": "''", "\\\n": "\\'+CAST(N'' AS nvarchar(max))+N'\n", "\\\r": "\\'+CAST(N'' AS nvarchar(max))+N'\r"}
    },
    joint="'+CAST(N'' AS nvarchar(max))+N'",
    prefix="N",
    true="1",
    false="0",
    moment="CAST(N'{text}' AS datetime2(6))",
    digits=38,
    exponents=True,
    # INSERT … VALUES takes no more rows (error 10738); a derived table does, and takes ever longer to compile.
    profiles=1000,
    one_batch=True,
)

ORACLE = Dialect(
    name="oracle",
    line_comments=r"--",
    word=WORD.replace("$", "$#"),
    refused=(
        _SLASHES,
        _TAGGED_QUOTE,
        _GLUED_QUOTE,
        (r"[nN]?[qQ]'\Z", f"a q'…' literal cannot hold a tag; {WRITE_PLAIN}"),
        # Else what follows might be read as the name's end here, and there as the prefix of a literal.
        (r"[#$]", "a name begins with a letter in oracle: `#` and `$` stand within names only"),
    ),
    regions=(
        (r"[nN]?[qQ]'.", q_quoted),
        (r"[nNuU]'", quoted("a literal with a prefix", "'", refuse=WRITE_PLAIN)),
        ('"', quoted(IDENTIFIER, '"', refuse=IN_DOUBLE_QUOTES, doubles=False)),  # no name holds a quote
        _LITERAL,
    ),
    typed=frozenset({"date", "timestamp", "interval"}),
    longest=800,  # 4,000 bytes, of which a character takes up to five (see `unlike`)
    piece="TO_CLOB({literal})",
    bytes=4000,
    # A database in an older character set turns the statement into it first, and best fits become quotes.
    lookalikes="\u02b9\u02bb\u02bc\u02c8\u2018\u2019\u201b\u2032\uff07",
    unlike="TO_CHAR(UNISTR('{text}'))",
    true="1",
    false="0",
    moment="TIMESTAMP '{text}'",
    significant=38,
    smallest=-130,
    largest=125,
    profiles=1000,  # an IN list takes no more values (ORA-01795), in 23ai 65,535
)

CLICKHOUSE = Dialect(
    name="clickhouse",
    either="?",
    empty_lists=True,
    line_comments=r"--|//|\#[ !]",
    ascii_words=True,
    refused=(
        _LONE_DOLLAR,
        _GLUED_DOLLAR,
        (r"\#(?![ !])", "a lone `#`: some versions begin a comment with it; use {{* … *}} for one of the template"),
        _GLUED_QUOTE,
        (
            r"//(?=\*|[^\n]*(?:['\"`]|/\*|\Z))",
            "a quote, a `/*` or a tag in a `//` comment: older versions do not know these comments; use {{* … *}}",
        ),
    ),
    regions=(
        (_TAGGED, tagged),
        _DIGITS,
        ("'", quoted("a literal", "'", escapes=True)),
        ('"', quoted(IDENTIFIER, '"', escapes=True, refuse=IN_DOUBLE_QUOTES)),
        ("`", quoted(IDENTIFIER, "`", escapes=True, refuse=IN_IDENTIFIER)),
    ),
    typed=frozenset({"date", "timestamp"}),
    units=True,
    verbs=frozenset({"insert", "update", "delete", "alter", "with", "select"}),
    uncalled={"format": "what follows would be data that is not read as SQL; write VALUES"},
    escapes={"'": {"\\": "\\\\", "'": "\\'"}},
    true="true",
    false="false",
    negative=" {}",  # in brackets it would be an expression, which a double is enough for
    moment="toDateTime64('{text}', 6, '{zone}')",
    whole=(-(2**63), 2**64 - 1),  # a greater one becomes a double, or what is left of it in 64 bits
    nul="\\0",
)

DIALECTS = MappingProxyType(
    {dialect.name: dialect for dialect in (MYSQL, POSTGRESQL, SQLITE, MSSQL, ORACLE, CLICKHOUSE)}
)
