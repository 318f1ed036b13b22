"""Every fault that an operator meets: how it begins, what `status` says, how it is mended."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.place import integration
from tests.waiting import until
from workers.control.pause import pause, resume
from workers.settings.lacking import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.monitoring.scene import Scene

SINCE = r" since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
AGAIN = r"; it is tried again in \d+ s, or at once with `segsync retry crm`"


def nothing(scene: Scene) -> None:
    """It needs no mending."""
    assert scene


@dataclass(frozen=True)
class Fault:
    """One fault.

    begin   makes it true, and has whoever would meet it meet it
    said    what one of the sentences that need someone matches from its beginning on; "" where none may be said
    mend    takes it back; then nothing is said any more
    status  what `status` ends with
    noted   what one of the sentences that need nobody matches
    file    what is applied instead of the usual integration
    """

    begin: Callable[[Scene], None]
    said: str = ""
    mend: Callable[[Scene], None] = nothing
    status: int = 1
    noted: str = ""
    file: tuple[str, ...] = ()


def delivering(scene: Scene) -> None:
    scene.push()
    scene.work()


def rename_column(scene: Scene) -> None:
    scene.sql("ALTER TABLE member RENAME COLUMN client_id TO other")
    delivering(scene)


def name_it_back(scene: Scene) -> None:
    scene.sql("ALTER TABLE member RENAME COLUMN other TO client_id")
    scene.try_at_once()


def drop_table(scene: Scene) -> None:
    scene.sql("ALTER TABLE member RENAME TO away")
    delivering(scene)


def make_table(scene: Scene) -> None:
    scene.sql("ALTER TABLE away RENAME TO member")
    scene.try_at_once()


def lock(scene: Scene) -> None:
    """Another writer has the file for good; whoever connects is refused."""
    scene.hold = sqlite3.connect(scene.place.target, isolation_level=None)
    scene.hold.execute("BEGIN EXCLUSIVE")
    delivering(scene)
    scene.age()


def deadlock(scene: Scene) -> None:
    """Another writer has what is needed for good; whoever connects may read, and no write ever gets it."""
    scene.sql("PRAGMA journal_mode = wal")
    scene.hold = sqlite3.connect(scene.place.target, isolation_level=None)
    scene.hold.execute("BEGIN IMMEDIATE")
    delivering(scene)
    scene.age()


def unlock(scene: Scene) -> None:
    assert scene.hold is not None
    scene.hold.close()
    scene.try_at_once()


def be_too_long(scene: Scene) -> None:
    """One value does not fit its column."""
    scene.sql("DROP TABLE member")
    scene.sql(
        "CREATE TABLE member (segment_id TEXT, client_id TEXT CHECK (length(client_id) < 5), "
        "PRIMARY KEY (segment_id, client_id))"
    )
    scene.place.add("7", 1, 123_456)
    scene.push(5)
    scene.work()
    scene.work()


def be_slow(scene: Scene) -> None:
    """The target takes its time, and fails nothing."""
    scene.push()
    scene.age()


def pause_it(scene: Scene) -> None:
    pause(scene.place.redis, scene.place.keys, "crm", reason="moving", by="ann")
    scene.push()
    scene.age()


def resume_it(scene: Scene) -> None:
    resume(scene.place.redis, scene.place.keys, "crm")
    assert scene.exit_status() == 0, "what a pause has kept is not late at once"
    scene.work()


def fill_backlog(scene: Scene) -> None:
    scene.place.redis.hset(scene.place.keys.integration("crm"), "max_backlog", 10)
    scene.push(10)


def only_route(scene: Scene) -> None:
    scene.served = {"route": 1, "upkeep": 1}


def all_serve(scene: Scene) -> None:
    scene.served = {"route": 1, "upkeep": 1, "deliver.db": 1}


def miss_secret(scene: Scene) -> None:
    note(scene.place.redis, scene.place.keys, "w@h", {"db": "connectors.db.password: X is not set"}, ["db"])


def have_secret(scene: Scene) -> None:
    note(scene.place.redis, scene.place.keys, "w@h", {"db": ""}, ["db"])


def push_unwanted(scene: Scene) -> None:
    scene.push(3, segment="99")


def quarantine_one(scene: Scene) -> None:
    event = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": 1}]}
    scene.place.redis.xadd(scene.place.keys.events, {"event": json.dumps(event)})
    scene.runtime.route("t", 5)
    scene.work()
    scene.work()


def wait_for_timeout(scene: Scene) -> None:
    scene.push(3)
    scene.age()


def ledger_away(scene: Scene) -> None:
    ledger = scene.place.folder / "ledger.db"
    ledger.rename(scene.place.folder / "aside.db")
    ledger.mkdir()
    delivering(scene)


def ledger_back(scene: Scene) -> None:
    ledger = scene.place.folder / "ledger.db"
    ledger.rmdir()
    (scene.place.folder / "aside.db").rename(ledger)
    scene.work()


def ledger_read_only(scene: Scene) -> None:
    with contextlib.closing(sqlite3.connect(scene.place.folder / "ledger.db")) as ledger:
        for table in ("deliveries", "queries"):
            ledger.execute(
                f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'read only'); END"
            )
        ledger.commit()
    delivering(scene)


def ledger_writable(scene: Scene) -> None:
    with contextlib.closing(sqlite3.connect(scene.place.folder / "ledger.db")) as ledger:
        for table in ("deliveries", "queries"):
            ledger.execute(f"DROP TRIGGER no_{table}")
        ledger.commit()
    scene.work()


def empty_redis(scene: Scene) -> None:
    """And whoever runs there applies its own file anew."""
    delivering(scene)
    for key in scene.place.redis.scan_iter(f"{scene.place.keys.namespace}:*"):
        scene.place.redis.unlink(key)
    delivering(type(scene)(scene.place))
    scene.runtime.follow()


def accept_emptied(scene: Scene) -> None:
    scene.apply(*scene.integrations, accept=True)
    delivering(scene)


def orphan(scene: Scene) -> None:
    scene.push()
    scene.place.publish()


def put_back(scene: Scene) -> None:
    scene.place.publish(*scene.integrations)
    scene.runtime.follow()
    scene.work()


FAULTS = {
    "all is well": Fault(delivering, status=0),
    "wrong column": Fault(
        rename_column, rf"crm is held{SINCE}, 1 failed try: sqlite SQLITE_ERROR: .*column.*{AGAIN}", name_it_back
    ),
    "missing table": Fault(
        drop_table, rf"crm is held{SINCE}, 1 failed try: sqlite SQLITE_ERROR: .*table.*{AGAIN}", make_table
    ),
    "target locked": Fault(
        lock, rf"crm is retrying{SINCE}, 1 failed try: connector db: sqlite SQLITE_BUSY: .*{AGAIN}", unlock
    ),
    "deadlock": Fault(
        deadlock, rf"crm is retrying{SINCE}, 1 failed try: segment 7: sqlite SQLITE_BUSY: .*{AGAIN}", unlock
    ),
    "too long": Fault(be_too_long, status=0, noted="1 open entry in the quarantine; `segsync errors`"),
    "slow target": Fault(be_slow, r"crm is late: its oldest operation should have gone 10 min ago\. It goes on"),
    "paused": Fault(pause_it, mend=resume_it, status=0),
    "backlog full": Fault(fill_backlog, r"producers are refused: .*max_backlog of 10 .*or raise max_backlog"),
    "queue unserved": Fault(only_route, r"no worker serves deliver\.db; start one with -Q", all_serve),
    "secret missing": Fault(
        miss_secret, r"connector db on w@h cannot be served: .*X is not set; set it there", have_secret
    ),
    "out of scope": Fault(push_unwanted, status=0, file=(integration(segments="[7]"),)),
    "in quarantine": Fault(quarantine_one, status=0, noted="1 open entry in the quarantine; `segsync errors`"),
    "within its timeout": Fault(wait_for_timeout, status=0, file=(integration(timeout="1h"),)),
    "ledger away": Fault(
        ledger_away,
        rf"the ledger cannot be written to{SINCE}, \d+ tr(y|ies), the last \d+ s ago: .*tried again every 10 s",
        ledger_back,
        status=3,
    ),
    "ledger read-only": Fault(
        ledger_read_only,
        rf"the ledger cannot be written to{SINCE}, \d+ tr(y|ies), the last \d+ s ago: .*tried again every 10 s",
        ledger_writable,
    ),
    "redis emptied": Fault(
        empty_redis, r"this Redis was emptied or replaced.*segment_upsert.*apply --accept", accept_emptied
    ),
    "orphaned": Fault(orphan, r"crm is orphaned and owes 10 operations.*`segsync apply --drop crm`", put_back),
}
"""What happens on any Redis."""


def demote(scene: Scene) -> None:
    scene.place.redis.replicaof("127.0.0.1", "1")


def promote(scene: Scene) -> None:
    scene.place.redis.replicaof("NO", "ONE")


def fill(scene: Scene) -> None:
    used = int(scene.place.redis.info("memory")["used_memory"])
    scene.place.redis.config_set("maxmemory", used * 9 // 10)


def empty(scene: Scene) -> None:
    scene.place.redis.config_set("maxmemory", 0)


def evict(scene: Scene) -> None:
    scene.place.redis.config_set("maxmemory-policy", "allkeys-lru")


def keep(scene: Scene) -> None:
    scene.place.redis.config_set("maxmemory-policy", "noeviction")


def break_disk(scene: Scene) -> None:
    """What it saves cannot get its name: as a full disk, to those who write."""
    redis: Any = scene.place.redis
    (Path(redis.config_get("dir")["dir"]) / "dump.rdb").mkdir()
    redis.config_set("save", "1 1")
    redis.bgsave()
    until(lambda: redis.info()["rdb_last_bgsave_status"] == "err", "a save that fails")


def mend_disk(scene: Scene) -> None:
    redis: Any = scene.place.redis
    (Path(redis.config_get("dir")["dir"]) / "dump.rdb").rmdir()
    redis.bgsave()
    until(lambda: redis.info()["rdb_last_bgsave_status"] == "ok", "a save that works")


def forbid(scene: Scene) -> None:
    redis: Any = scene.place.redis
    redis.execute_command("ACL", "SETUSER", "default", "-del")


def allow(scene: Scene) -> None:
    redis: Any = scene.place.redis
    redis.execute_command("ACL", "SETUSER", "default", "+del")


def lack_replicas(scene: Scene) -> None:
    scene.place.redis.config_set("min-replicas-to-write", 1)


def need_none(scene: Scene) -> None:
    scene.place.redis.config_set("min-replicas-to-write", 0)


FAULTS_OF_REDIS = {
    "read-only": Fault(demote, r"this Redis is a replica .*expected the master in \[redis\]", promote),
    "full": Fault(fill, r"Redis uses \d+% of its maxmemory: .*raise maxmemory", empty),
    "evicts": Fault(evict, r"Redis has maxmemory-policy allkeys-lru, .*expected noeviction", keep),
    "disk full": Fault(
        break_disk, r"Redis cannot write to its disk \(rdb_last_bgsave_status is err\) .*MISCONF.*make room", mend_disk
    ),
    "a right is missing": Fault(forbid, r"Redis refuses writes: .*docs/redis\.md has the rights", allow),
    "replicas are missing": Fault(lack_replicas, r"Redis refuses writes: NOREPLICAS", need_none),
}
"""What happens to a Redis of the test's own."""
