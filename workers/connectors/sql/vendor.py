"""What a database is to segsync, in one record: all that others ask of it, so that none of them asks which one it is.

A vendor is a folder; `vendor.py` in it has the record, and `vendors.py` lists it. Its functions load the driver when
they are called: that takes up to 0.15 s, and a command like `segsync status` needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from socket import socket

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined
    from workers.connectors.sql.link import Link
    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import AskedPage, PagePlan
    from workers.connectors.sql.url import Address


@dataclass(frozen=True, slots=True)
class PositionTable:
    """The table `segsync_position` in the vendor's words.

    create  makes it, without a `;`
    make    makes a lane's row where there is none; has {lane} and {integration}
    lock    follows a SELECT that locks the row; "" where the transaction has locked all
    """

    create: str
    make: str
    lock: str


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Which of a URL's parameters decide on TLS.

    off     parameters -> the values with which there is none; None for a parameter that is left out
    wanted  parameters that mean nothing without TLS -> the values that do; () for any
    remedy  what asks for TLS
    """

    off: Mapping[str, tuple[str | None, ...]]
    wanted: Mapping[str, tuple[str, ...]]
    remedy: str

    def contradiction(self, options: Mapping[str, str]) -> str:
        """Why data would go in plain text although the parameters say how they are to be protected; "" where not."""
        plain = [name for name, values in self.off.items() if options.get(name) in values]
        vain = [
            name for name, values in self.wanted.items() if name in options and (not values or options[name] in values)
        ]
        if not plain or not vain:
            return ""
        said = f"{plain[0]}={options[plain[0]]} turns TLS off" if plain[0] in options else "nothing asks for TLS"
        return f"parameter {vain[0]!r} means nothing where {said}; expected {self.remedy}, or the URL without it"


@dataclass(frozen=True, slots=True)
class Explain:
    """How a database says what it would do, without doing it.

    words  before a statement
    read   what its answer, a text for each row, says of a page's cost
    """

    words: str
    read: Callable[[Sequence[str], AskedPage], PagePlan]


@dataclass(frozen=True, slots=True)
class Traits:
    """What `check` must know to read queries and to judge them.

    reader                   sqlglot's name of the dialect
    upsert                   the clause by which an INSERT changes the row that is there
    upsert_whole             the same as it is advised, with what belongs to it
    ignoring                 what IGNORE does here, after "IGNORE in the change of …"
    exact_text               types of columns that compare texts byte by byte
    quoted_names_keep_case   a name in quotes is not the same in small letters
    triggers_may_be_hidden   who may not make triggers does not see them
    text_beside_number       what becomes of a text that is compared with a column of numbers; "" where it is refused,
                             or read as the number that it spells
    number_beside_text       what becomes of a number that is compared with a column of texts; as above
    number_in_text           what a bare number with a fraction becomes in a column of texts; "" where it is refused, or
                             keeps its digits
    names_may_be_texts       a name in quotes that is no column is taken for a text
    rights_are_not_explained explaining a statement passes over missing rights, and who has none on a table sees none
    """

    reader: str
    upsert: str
    upsert_whole: str
    exact_text: str
    ignoring: str = "passes over what does not fit without a word"
    quoted_names_keep_case: bool = False
    triggers_may_be_hidden: bool = False
    text_beside_number: str = ""
    number_beside_text: str = ""
    number_in_text: str = ""
    names_may_be_texts: bool = False
    rights_are_not_explained: bool = False


@dataclass(frozen=True, slots=True)
class PresetQueries:
    """The queries of `segsync init`, each without a line break at its end.

    members  lists a segment's rows for resyncs; "" where the database must be made ready for that first
    """

    add: str
    remove: str
    clear: str
    segment_upsert: str
    segment_delete: str
    members: str = "SELECT client_id FROM segment_member WHERE segment_id = {segment_id}"


def usual_queries(member_upsert: str, name_upsert: str) -> PresetQueries:
    """Those of a database whose INSERT can change the row that is there.

    member_upsert  what `add` says of a member that is there
    name_upsert    what `segment_upsert` says of a segment that is there
    """
    return PresetQueries(
        add=f"""\
INSERT INTO segment_member (segment_id, client_id, updated) VALUES
{{for $index, $lead = $batch}}
({{segment_id}}, '{{$lead.CustomID}}', {{$lead._event_time}}){{autocomma}}
{{end}}
{member_upsert}""",
        remove="""\
DELETE FROM segment_member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})""",
        clear="DELETE FROM segment_member WHERE segment_id = {segment_id}",
        segment_upsert=f"""\
INSERT INTO segment (segment_id, name, updated) VALUES ({{segment_id}}, '{{segment_name}}', {{event_time}})
{name_upsert}""",
        segment_delete="""\
DELETE FROM segment_member WHERE segment_id = {segment_id};
DELETE FROM segment WHERE segment_id = {segment_id}""",
    )


@dataclass(frozen=True, slots=True)
class Preset:
    """What differs between databases in what `segsync init` writes.

    connector      lines of [connectors.crm]
    why            why the tables are as they are
    members        CREATE TABLE of the members, without a `;`
    segments       CREATE TABLE of the segments, likewise
    queries        what keeps them; each may be repeated
    """

    connector: str
    why: str
    members: str
    segments: str
    queries: PresetQueries


def stays_nothing(_target: Target, _statements: Iterable[str]) -> str:
    """For a vendor that rolls everything back: there is never a reason."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One database.

    name            as people write it
    scheme          of its URLs, and the dialect that its queries are written in
    aliases         schemes that are written for it by mistake
    port            where its servers listen unless told otherwise; None for a file
    secure_port     where they listen for TLS, if that is another port, which the parameter `secure` asks for
    options         parameters that may follow a URL's question mark, with the values they may have; () for any
    tls             which of them decide on TLS; None where there is no server
    files           those of them that name a file of the host that connects
    link            a new link, set up and asserted; raises only TargetError
    examine         a session that the target can be asked about in; raises only TargetError
    lister          a session that reads rows, many of them, and changes nothing; raises only TargetError
    what_stays      why a rollback would not undo some statements, "" where it would; raises only TargetError
    position        `exactly_once`'s table; None for a database without transactions, which can keep no position
    traits         how `check` reads queries
    preset          what `init` writes
    lost_savepoint  the code of a savepoint that is gone, which tells that a procedure has committed and begun again;
                    "" where the server lets no procedure do that
    explain         how a page of a source would be found; None where nothing tells
    before_tls      says to a server, for a URL's parameters, what comes before TLS; whether TLS follows. None where TLS
                    is inside of the protocol, or there is no server
    """

    name: str
    scheme: str
    port: int | None
    options: Mapping[str, tuple[str, ...]]
    link: Callable[[Target], Link]
    examine: Callable[[Target], Examined]
    lister: Callable[[Target], Lister]
    position: PositionTable | None
    traits: Traits
    preset: Preset
    tls: TlsOptions | None = None
    files: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    secure_port: int | None = None
    what_stays: Callable[[Target, Iterable[str]], str] = stays_nothing
    lost_savepoint: str = ""
    explain: Explain | None = None
    before_tls: Callable[[socket, Mapping[str, str]], bool] | None = None

    def port_of(self, place: Address) -> int | None:
        """Where the server listens, unless the URL tells."""
        return self.secure_port if self.secure_port and place.options.get("secure") == "true" else self.port

    @property
    def has_transactions(self) -> bool:
        """Whether statements can be taken back, so that a batch is all or nothing."""
        return self.position is not None

    @property
    def has_server(self) -> bool:
        """Whether it is reached over a network or a socket, with a user and a password."""
        return self.port is not None


PRESET_WHY = """\
The primary keys are not optional: without them every repeated delivery adds the same rows again.
Where a segment's id may be a text, give segment_id the type of client_id and write '{segment_id}' in the queries."""
"""Holds for every vendor's preset."""
