"""Ten thousand events that are none: nothing stops, and each stands in quarantine with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.model import profiles
from tests.targets import TargetDatabase
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from tests.installation import Installation

KINDS = [
    b"not json",
    b"{",
    b"",
    b"[]",
    b'"text"',
    b"7",
    b"null",
    b'{"segment":{"id":7}}',
    b'{"type":"add","profiles":[]}',
    b'{"type":"add","segment":7,"profiles":[]}',
    b'{"type":"add","segment":{"id":7},"profiles":5}',
    b'{"type":"nonsense","segment":{"id":7}}',
    b'{"type":"add","segment":{"id":1.5},"profiles":[]}',
    b'{"type":"add","segment":{"id":7},"profiles":[5]}',
    b'{"type":"add","segment":{"id":7},"profiles":[{"name":"no id"}]}',
    b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"\\ud800"}]}',
    b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"1","x":NaN}]}',
    b"\xff\xfe\x00{",
    b'{"type":"add","segment":{"id":7},"profiles":[{"_id":"caf\xe9"}]}',
    b"[" * 5_000 + b"]" * 5_000,
]
COUNT = 10_000


def test_ten_thousand_malformed_events(installation: Installation, postgresql_url: str) -> None:
    target = TargetDatabase("postgresql", postgresql_url)
    target.create()
    installation.configure(target.connector() + target.integration())
    with installation.redis.pipeline(transaction=False) as pipe:
        for n in range(COUNT - 3):
            pipe.xadd(installation.keys.events, {"event": KINDS[n % len(KINDS)]})
            if n % 1000 == 0:
                good = {"type": "add", "segment": {"id": 1}, "profiles": profiles(n)}
                pipe.xadd(installation.keys.events, {"event": json.dumps(good)})
                pipe.execute()
        pipe.execute()
    for _ in range(3):
        installation.redis.xadd(installation.keys.events, {"event": b"x" * 10_000_000})
    last = {"type": "add", "segment": {"id": 1}, "profiles": profiles("last")}
    installation.redis.xadd(installation.keys.events, {"event": json.dumps(last)})

    installation.worker()
    installation.beat()
    installation.ready()
    installation.settle()

    assert len(target.members()) == 11
    assert sum(quarantine.count_open(installation.ledger).values()) == COUNT
    for entry in quarantine.list_entries(installation.ledger, limit=COUNT):
        assert entry.reason, entry
    reasons = {entry.reason for entry in quarantine.list_entries(installation.ledger, limit=COUNT)}
    assert len(reasons) >= len(KINDS) - 4
