"""A target that refuses for a while what it otherwise takes: most profiles, or every clear."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.chaos.events import OFTEN
from tests.chaos.servers import wait
from tests.chaos.session import LEASE_MS
from workers.control.retry import retry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.faults import Scene
    from tests.chaos.session import Session

CODES = {"pg": "postgresql 22003", "maria": "mysql 1264"}
"""That a number is too large: what no other refusal of a round is told with."""
FOUND_SECONDS = 8.0
"""So long most are refused at the most, until somebody has met it."""
_CONDITIONS = {"member": f"LOWER(SUBSTR(NEW.client_id, 1, 1)) = '{OFTEN}'", "cleared": "NEW.segment_id IS NOT NULL"}
_POSTGRESQL = (
    (
        "CREATE FUNCTION refuse_{0}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF {1} THEN RAISE EXCEPTION 'no' USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
    ),
    "CREATE TRIGGER refuses BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION refuse_{0}()",
)
_MYSQL = (
    (
        "CREATE TRIGGER refuses_{0} BEFORE INSERT ON {0} FOR EACH ROW BEGIN"
        " IF {1} THEN SIGNAL SQLSTATE '22003' SET MYSQL_ERRNO = 1264, MESSAGE_TEXT = 'no'; END IF; END"
    ),
)
_DROPS = {
    "pg": ("DROP TRIGGER refuses ON {0}", "DROP FUNCTION refuse_{0}()"),
    "maria": ("DROP TRIGGER refuses_{0}",),
}


def refuse_most(scene: Scene) -> None:
    """Most profiles are refused, and then none any more: some are set aside by then, and the others wait."""
    key = scene.target()
    scene.session.models[key].refuses = True
    redis, integration = scene.session.redis, scene.session.keys.integration(f"i-{key}")
    before = redis.hget(integration, "quarantined")

    def is_met() -> bool:
        return bool(redis.hexists(integration, "hold")) or redis.hget(integration, "quarantined") != before

    def mend() -> None:
        scene.tell(f"somebody was refused: {wait(is_met, FOUND_SECONDS)}")
        _mend(scene, key, "member")

    _refuse(scene, key, "member")
    scene.heal.append(mend)


def refuse_clears(scene: Scene) -> None:
    """Every clear is refused; when that is mended, all that were are retried, and more comes behind them."""
    key, session = scene.target(), scene.session
    session.models[key].refuses_clears = True
    session.notes_clears = True
    scene.reconfigure()
    _refuse(scene, key, "cleared")
    scene.after.append(lambda: _mend(scene, key, "cleared"))
    scene.after.append(lambda: _retry_clears(scene, key))


def _refuse(scene: Scene, key: str, table: str) -> None:
    statements = _POSTGRESQL if key == "pg" else _MYSQL
    scene.session.targets[key].run(*(each.format(table, _CONDITIONS[table]) for each in statements))
    scene.tell(f"{table} of {key} refuses")
    time.sleep(scene.chance.uniform(0.3, 2.5))


def _mend(scene: Scene, key: str, table: str) -> None:
    """Whoever was refused just before may say so a moment later."""
    session = scene.session
    session.targets[key].run(*(each.format(table) for each in _DROPS[key]))
    scene.tell(f"{table} of {key} refuses nothing any more")
    ends = time.monotonic() + 1.5 * LEASE_MS / 1000
    while time.monotonic() < ends:
        retry(session.redis, session.keys, f"i-{key}")
        time.sleep(0.2)


def settle(session: Session, key: str) -> None:
    """A profile that was refused is not in the table, where what came before it is instead."""
    model = session.models[key]
    model.refuses_clears = False
    if model.refuses:
        model.take_back({sequence for sequence, _ in _entries(session, key)})


def _retry_clears(scene: Scene, key: str) -> None:
    """Those over which something was delivered are superseded; the others are as if they had never been refused."""
    session, model = scene.session, scene.session.models[key]
    again = 0
    if wanted := _open_clears(session, key):
        done = session.installation.segsync("quarantine", "retry", *wanted, "--json")
        scene.tell(f"retry: {done.returncode} {done.stdout[-300:]} {done.stderr[-300:]}")
        again = int(json.loads(done.stdout)["entries"])
    session.events += again
    session.operations += again
    model.operations += again
    scene.push_more()
    session.drain(60)
    states = dict(_entries(session, key))
    model.never_ran |= {sequence for sequence, state in states.items() if state != "delivered"}
    scene.tell(f"clears: {states}")
    session.notes_clears = False


def _entries(session: Session, key: str) -> Iterator[tuple[Any, Any]]:
    sql = "SELECT sequence, state FROM quarantine WHERE integration = :integration AND code = :code"
    with session.installation.ledger.reading() as connection:
        found = connection.execute(text(sql), {"integration": f"i-{key}", "code": CODES[key]}).all()
    return ((sequence, state) for sequence, state in found)


def _open_clears(session: Session, key: str) -> list[str]:
    """Of profiles that an earlier round's target refused nothing is retried: its model has taken them back."""
    sql = "SELECT id FROM quarantine WHERE integration = :integration AND code = :code"
    sql += " AND state = 'open' AND event_type = 'clear' ORDER BY id"
    with session.installation.ledger.reading() as connection:
        found = connection.execute(text(sql), {"integration": f"i-{key}", "code": CODES[key]}).all()
    return [str(number) for (number,) in found]
