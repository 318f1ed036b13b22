"""The store's tables, as Core sees them; `migrations/` makes them.

    ads_login       one for each connector: its tokens, sealed
    ads_audience    one for each segment of an integration, and for each list where a platform keeps several
    ads_identifier  what an audience may have: whether the platform has it, whether it is owed a call, which call
    ads_holding     which profile has which identifier: an identifier is wanted while anybody holds it
    ads_call        one for each call that changes something, written down before it is made
    ads_refusal     one for each identifier that the platform has refused: which entry of the quarantine tells of it
    ads_seal        one for each connector: what proves the secret that its login and ids are sealed with
    ads_written     one for each connector: how often it was written to (store/written.py)

Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

STORE_VERSION_TABLE: Final = "ads_version"

GONE, THERE, UNSURE, REFUSED, STALE, STUCK = 0, 1, 2, 3, 4, 5
"""What the platform has of an identifier: `ads_identifier.there`. REFUSED: it takes it from nobody. STALE: others
hold it, and it is in the row of somebody who lost it: it is removed before it is added again. STUCK: its holders have
left, and the platform does not take it out."""

store_metadata: Final = sa.MetaData()

logins: Final = sa.Table(
    "ads_login",
    store_metadata,
    sa.Column("connector", sa.Text, primary_key=True),
    sa.Column("access", sa.LargeBinary),
    sa.Column("refresh", sa.LargeBinary),
    *(sa.Column(name, sa.BigInteger) for name in ("expires_ms", "ends_ms", "version", "owned_until_ms", "listed_ms")),
    *(sa.Column(name, sa.Text) for name in ("account", "owner", "code", "reason", "lacks", "listed")),
)
"""access, refresh  sealed tokens; ends_ms: when the refresh token ends, or the access token that a person must renew, 0
                 for never; version: grows with each change
owned_until_ms   until then nobody renews it early, and nobody at all where it has an owner, who is at it
lacks            rights that the platform did not grant, as it names them
listed           what a list of the platform said last of all of ours, by its ids, at listed_ms (shared_list.py)"""

_WORDS = ("code", "reason", "waits", "leaving", "replaces", "replaced", "last_call", "unanswered")
_TEXTS = ("name", "told_name", "remote", "state", "owner", *_WORDS)
_NUMBERS = ("owned_until_ms", "served_ms", "written_ms", "first_owed_ms", "reminded_ms", "failures", "replace_ms")
_COUNTS = ("accepted", "applied", "rejected", "unknown_removed", "left_out")

audiences: Final = sa.Table(
    "ads_audience",
    store_metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("connector", "integration", "segment", "list")),
    sa.Column("generation", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in _TEXTS),
    *(sa.Column(name, sa.BigInteger) for name in (*_NUMBERS, *_COUNTS)),
    sa.Column("due_ms", sa.BigInteger),
)
"""remote          the platform's id; "" where there is none yet
state           "new", "begun" (has an id and is not real yet), "creating" (the answer is not known), "live", "deleted"
owner, owned_until_ms  who is at work on it; no other may be before that time, which is when its call must be over
code, reason    why someone is needed, or what failed last; waits: what it waits for, in words
leaving         what becomes of it once nothing is owed: "" or "delete"
replaces        how far its members are replaced (store/replacing.py), since replace_ms; replaced: what its platform
                calls that, or the list whose place it takes
last_call       what the newest of its calls does, as in `ads_call.action`; "" where there was none
unanswered      since when what is not answered, in JSON (store/unanswered.py); "" for nothing
due_ms          when it must be looked at; NULL for not at all
served_ms       when it was last looked at; written_ms: when it last cost a write; first_owed_ms: since when it owes;
reminded_ms     when members were last looked for whom the platform would forget
accepted, …     identifiers, ever"""

identifiers: Final = sa.Table(
    "ads_identifier",
    store_metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("audience", sa.BigInteger),
    sa.Column("kind", sa.Text),
    sa.Column("value", sa.LargeBinary),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("companions", sa.LargeBinary),
    sa.Column("there", sa.SmallInteger),
    sa.Column("owed", sa.Boolean),
    sa.Column("call", sa.BigInteger),
    sa.Column("sent_ms", sa.BigInteger),
    sa.Column("code", sa.Text),
)
"""value       the hash's bytes; of what goes plain a keyed hash, and `sealed` has it
companions  sealed, as sent along last
there       GONE, THERE, UNSURE, REFUSED, STALE or STUCK
owed        somebody came or left since it was last told
sent_ms     when it was told, or taken out, last; of REFUSED 0 where the platform surely does not have it
call        the call that it is part of, until that is over
code        why it was REFUSED last: the platform's code"""

AS_BEFORE: Final = sa.case((identifiers.c.sent_ms > 0, UNSURE), else_=GONE)
"""What the platform may have of what it REFUSED: what it took before is there still."""

holdings: Final = sa.Table(
    "ads_holding",
    store_metadata,
    sa.Column("audience", sa.BigInteger, primary_key=True),
    sa.Column("profile", sa.Text, primary_key=True),
    sa.Column("identifier", sa.BigInteger, primary_key=True),
    sa.Column("companions", sa.LargeBinary),
)
"""profile: its key, as text; companions: sealed, for the identifier's row"""

calls: Final = sa.Table(
    "ads_call",
    store_metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("audience", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("action", "state", "handle", "code", "reason")),
    *(
        sa.Column(name, sa.BigInteger)
        for name in ("rows", "rejected", "made_ms", "ended_ms", "poll_ms", "polls", "seen")
    ),
)
"""action  "create", "confirm", "add", "remove", "replace", "finish" (a replacement), "rename", "delete"
state   "calling", "pending" (accepted, not applied yet), "done", "failed", "undone" (surely not applied), "unknown"
        (nobody heard what came of it)
seen    whether the platform was seen to be at work on it"""

refusals: Final = sa.Table(
    "ads_refusal",
    store_metadata,
    sa.Column("identifier", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("audience", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("entry", "told", "before")),
    sa.Column("retries", sa.BigInteger),
)
"""entry    the uid of the quarantine's entry
told     what the ledger was told of it: "" for nothing, "open" or "retried"; what ends it ends this row
before   the uids of the entries that it takes the place of, as long as that is not told; "" for none
retries  how often the identifier was refused before, since the first of these entries"""

seals: Final = sa.Table(
    "ads_seal",
    store_metadata,
    sa.Column("connector", sa.Text, primary_key=True),
    sa.Column("proof", sa.LargeBinary),
)
"""proof  a keyed hash of a word that everybody knows"""

written: Final = sa.Table(
    "ads_written",
    store_metadata,
    sa.Column("connector", sa.Text, primary_key=True),
    sa.Column("id", sa.Text),
    sa.Column("counted", sa.BigInteger),
)
"""id: random, made with the row; counted: transactions that wrote for the connector"""
