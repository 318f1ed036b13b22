"""What goes wrong in a round. Each fault strikes once, while events are pushed, and ends by itself or in `heal`."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql

from tests.chaos import clock, failover, lost_answers, refusals, revisions
from tests.chaos.servers import wait
from tests.chaos.session import LEASE_MS
from workers import failpoints

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from tests.chaos.pushing import Pusher
    from tests.chaos.session import Armed, Session

LEASE = LEASE_MS / 1000
HELD_SECONDS = 3.0
"""So long a ledger is locked before everything else must be done: by then two processes have tried to write to it."""


@dataclass(slots=True)
class Scene:
    """Where a fault strikes.

    keys      the targets that this round's events go to
    push_more pushes some more of the round's events
    heal      called in this order once everything is pushed
    after     called once all of it was delivered, or set aside, and before the models are asked
    reconfigure  applies the round's configuration with another batch size
    commits   applies it with a procedure in MariaDB's add query that commits, or without; False where there is none
    armed     the crash point of crash-* and halt-*
    told      what happened, for the round's folder
    tail_ends, tail_after  after a failover: events that the old primary acknowledged, and the last id that the new had
    """

    session: Session
    chance: random.Random
    keys: list[str]
    reconfigure: Callable[[], None]
    commits: Callable[[bool], bool]
    push_more: Callable[[], None]
    heal: list[Callable[[], None]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    armed: Armed | None = None
    pusher: Pusher | None = None
    tail_ends: int = 0
    tail_after: tuple[int, int] = (0, 0)

    def tell(self, text: str) -> None:
        """Notes what was done, and when."""
        self.told.append(f"{time.time():.3f} {text}")

    def target(self) -> str:
        """One of the round's targets."""
        return self.chance.choice(self.keys)


def nothing(_: Scene) -> None:
    """All goes well."""


def _signal(scene: Scene, pids: Iterable[int], number: signal.Signals) -> list[int]:
    reached = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            reached.append(pid)
    scene.tell(f"{number.name} to {reached}")
    return reached


def kill_children(scene: Scene) -> None:
    """SIGKILL to some processes of the workers' pools, one to three times."""
    for _ in range(scene.chance.randint(1, 3)):
        children = scene.session.children()
        _signal(scene, scene.chance.sample(children, min(len(children), scene.chance.randint(1, 2))), signal.SIGKILL)
        time.sleep(scene.chance.uniform(0.0, 0.4))


def stop_children(scene: Scene) -> None:
    """SIGSTOP to one or two of them until long after their leases have ended."""
    children = scene.session.children()
    some = scene.chance.sample(children, min(len(children), scene.chance.randint(1, 2)))
    stopped = _signal(scene, some, signal.SIGSTOP)
    ends = time.monotonic() + LEASE * scene.chance.choice((0.5, 1.2, 1.8))
    scene.heal.append(lambda: _go_on(scene, stopped, ends))


def _go_on(scene: Scene, pids: list[int], at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
    _signal(scene, pids, signal.SIGCONT)


def halt(scene: Scene) -> None:
    """Waits until a process has stopped at the armed point, lets others take its place, and lets it go on."""
    armed, session = scene.armed, scene.session
    assert armed is not None
    late = LEASE * scene.chance.uniform(1.2, 2.2)

    def go_on() -> None:
        if not wait(armed.file.exists, 2.0):
            return
        time.sleep(max(0.0, armed.file.stat().st_mtime + late - time.time()))
        _signal(scene, [pid for pid in session.children() if _is_stopped(pid)], signal.SIGCONT)

    scene.heal.append(go_on)


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_worker(scene: Scene) -> None:
    """SIGKILL to a whole worker."""
    worker = scene.chance.choice(scene.session.workers)
    scene.tell(f"SIGKILL to the group of {worker.pid}")
    worker.kill()


def orphan_children(scene: Scene) -> None:
    """SIGKILL to a worker's parent alone: its children must not go on as if nothing had happened, nor do harm."""
    worker = scene.chance.choice(scene.session.workers)
    _signal(scene, [worker.pid], signal.SIGKILL)
    scene.heal.append(worker.kill)


def end_worker(scene: Scene) -> None:
    """SIGTERM to a worker, as a deploy does."""
    _signal(scene, [scene.chance.choice(scene.session.workers).pid], signal.SIGTERM)


def stop_worker(scene: Scene) -> None:
    """SIGSTOP to a worker's parent; its children have no one to give them work."""
    worker = scene.chance.choice(scene.session.workers)
    stopped = _signal(scene, [worker.pid], signal.SIGSTOP)
    ends = time.monotonic() + LEASE * scene.chance.choice((0.5, 1.5))
    scene.heal.append(lambda: _go_on(scene, stopped, ends))


def kill_beat(scene: Scene) -> None:
    """SIGKILL to every beat."""
    for beat in scene.session.beats:
        scene.tell(f"SIGKILL to beat {beat.pid}")
        beat.kill()


def kill_redis(scene: Scene) -> None:
    """SIGKILL to Redis, and after a while it is back with its append-only file."""
    server = scene.session.servers.redis
    server.kill()
    scene.tell("redis killed")
    time.sleep(scene.chance.uniform(0.0, 1.5))
    server.start()
    scene.session.reconnect()
    scene.tell("redis back")


def pause_redis(scene: Scene) -> None:
    """Redis hangs, for less than a lease or for more."""
    server = scene.session.servers.redis
    server.pause()
    scene.tell("redis paused")
    time.sleep(LEASE * scene.chance.choice((0.3, 1.3)))
    server.resume()
    scene.tell("redis resumed")


def fill_redis(scene: Scene) -> None:
    """Redis is full, for a while or until it has been drained without Celery."""
    session = scene.session
    limit = int(session.redis.info("memory")["used_memory"]) + scene.chance.choice((0, 20_000, 200_000))
    session.redis.config_set("maxmemory", limit)
    scene.tell(f"maxmemory {limit}")
    if scene.chance.random() < 0.5:
        time.sleep(scene.chance.uniform(0.2, 1.5))
        _lift(scene)
    else:
        scene.heal.append(lambda: _drain_without_celery(scene))


def _lift(scene: Scene) -> None:
    scene.session.redis.config_set("maxmemory", 0)
    scene.tell("maxmemory 0")


def _drain_without_celery(scene: Scene) -> None:
    done = scene.session.installation.segsync("drain")
    scene.tell(f"segsync drain: {done.returncode} {done.stdout[-300:]} {done.stderr[-300:]}")
    _lift(scene)


def lock_ledger(scene: Scene) -> None:
    """The ledger cannot be written to for a while: that stops no delivery."""
    path = scene.session.installation.folder / "ledger.db"
    ledger = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        ledger.execute("PRAGMA busy_timeout = 5000")
        ledger.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        scene.tell(f"ledger not locked: {error}")
        ledger.close()
        return
    scene.tell("ledger locked")
    ends = time.monotonic() + scene.chance.uniform(0.5, 4)

    def unlock() -> None:
        time.sleep(max(0.0, ends - time.monotonic()))
        ledger.close()

    scene.heal.append(unlock)


def hold_ledger(scene: Scene) -> None:
    """The ledger is locked for longer than its writers wait: everything is delivered meanwhile all the same."""
    session = scene.session
    ledger = sqlite3.connect(session.installation.folder / "ledger.db", isolation_level=None, check_same_thread=False)
    ledger.execute("PRAGMA busy_timeout = 10000")
    ledger.execute("BEGIN IMMEDIATE")
    scene.tell("ledger locked")

    def let_go() -> None:
        try:
            time.sleep(HELD_SECONDS)
            delivered = wait(session.has_delivered, LEASE * 15)
            assert delivered, "a ledger that is locked keeps events from being delivered"
        finally:
            ledger.close()

    scene.heal.append(let_go)


def kill_target(scene: Scene) -> None:
    """A target crashes, and is back after a while with what it had committed."""
    server = scene.session.servers.targets[scene.target()]
    server.kill()
    scene.tell(f"{type(server).__name__} killed")
    time.sleep(scene.chance.uniform(0.0, 1.5))
    server.start()
    scene.tell("target back")


def end_sessions(scene: Scene) -> None:
    """An administrator ends all of a target's sessions, several times."""
    key = scene.target()
    server = scene.session.servers.targets[key]
    for _ in range(scene.chance.randint(1, 4)):
        count = _end_postgresql(scene, server) if key == "pg" else _end_mariadb(scene, server)
        scene.tell(f"{count} sessions of {key} ended")
        time.sleep(scene.chance.uniform(0.0, 0.3))


def _end_postgresql(scene: Scene, server: Any) -> int:
    with server.admin() as connection:
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        return len(connection.execute(sql, [scene.session.namespace]).fetchall())


def _end_mariadb(scene: Scene, server: Any) -> int:
    connection = server.admin()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [scene.session.namespace])
            sessions = [row[0] for row in cursor.fetchall()]
            for number in sessions:
                with contextlib.suppress(pymysql.Error):
                    cursor.execute(f"KILL {number}")
        return len(sessions)
    finally:
        connection.close()


def cut_links(scene: Scene) -> None:
    """All links to a target are reset, several times."""
    proxy = scene.session.servers.proxies[scene.target()]
    for _ in range(scene.chance.randint(1, 4)):
        scene.tell(f"{proxy.cut()} links cut")
        time.sleep(scene.chance.uniform(0.0, 0.3))


def freeze_links(scene: Scene) -> None:
    """Links to a target go half-open; later what was sent arrives after all, or is gone."""
    proxy = scene.session.servers.proxies[scene.target()]
    newcomers = scene.chance.random() < 0.4
    proxy.freeze(newcomers=newcomers)
    scene.tell(f"links to {proxy.upstream} frozen, new ones too: {newcomers}")
    cut = scene.chance.random() < 0.5
    ends = time.monotonic() + scene.chance.uniform(0.3, 2.2 * LEASE)

    def thaw() -> None:
        time.sleep(max(0.0, ends - time.monotonic()))
        if cut:
            proxy.cut()
        proxy.thaw()
        scene.tell(f"links {'cut' if cut else 'thawed'}")

    scene.heal.append(thaw)


def cut_redis_links(scene: Scene) -> None:
    """All links to Redis are reset: commands were run whose answers never came."""
    proxy = scene.session.servers.proxies["redis"]
    for _ in range(scene.chance.randint(1, 3)):
        scene.tell(f"{proxy.cut()} links to redis cut")
        time.sleep(scene.chance.uniform(0.0, 0.4))


def block_rows(scene: Scene) -> None:
    """Somebody locks the customer's table for longer than a lease."""
    key = scene.target()
    blocker = scene.session.targets[key].connect()
    cursor = blocker.cursor()
    try:
        if key == "pg":
            blocker.autocommit = False
            cursor.execute("SET lock_timeout = '3s'")
            cursor.execute("LOCK TABLE member IN SHARE ROW EXCLUSIVE MODE")
        else:
            cursor.execute("SET lock_wait_timeout = 3")
            cursor.execute("LOCK TABLES member WRITE, journal WRITE")
    except (psycopg.Error, pymysql.Error) as error:
        scene.tell(f"not locked: {type(error).__name__}")
        blocker.close()
        return
    scene.tell(f"member of {key} locked")
    ends = time.monotonic() + LEASE * scene.chance.uniform(0.5, 2.5)

    def unlock() -> None:
        time.sleep(max(0.0, ends - time.monotonic()))
        blocker.close()
        scene.tell("unlocked")

    scene.heal.append(unlock)


def reconfigure(scene: Scene) -> None:
    """A new revision with another batch size and timeout, one to three times."""
    for _ in range(scene.chance.randint(1, 3)):
        scene.reconfigure()
        scene.tell("reconfigured")
        time.sleep(scene.chance.uniform(0.0, 0.5))


def pause_integration(scene: Scene) -> None:
    """Its toggle is turned off and on again."""
    session, key = scene.session, f"i-{scene.target()}"
    session.redis.hset(session.keys.integration(key), "paused", "1")
    scene.tell(f"{key} paused")
    time.sleep(scene.chance.uniform(0.1, 1.0))
    session.redis.hdel(session.keys.integration(key), "paused")
    session.redis.xadd(f"{session.namespace}:bell", {"r": "1"}, maxlen=1, approximate=False)
    scene.tell(f"{key} resumed")


def compact(scene: Scene) -> None:
    """A paused integration's lanes are compacted while events still come, and again when it goes on."""
    session, key = scene.session, f"i-{scene.target()}"
    session.redis.hset(session.keys.integration(key), "paused", "1")
    scene.tell(f"{key} paused")
    for _ in range(scene.chance.randint(2, 6)):
        time.sleep(scene.chance.uniform(0.05, 0.4))
        _note_all_as_long(scene, key)
    session.redis.hdel(session.keys.integration(key), "paused")
    _note_all_as_long(scene, key)
    scene.tell(f"{key} resumed")


def _note_all_as_long(scene: Scene, key: str) -> None:
    session = scene.session
    due = (session.keys.full(key), session.keys.timed(key))
    lanes = [f"{key}:{segment.decode()}" for name in due for segment in session.redis.zrange(name, 0, -1)]
    if lanes:
        session.redis.sadd(f"{session.namespace}:long", *lanes)
    session.redis.xadd(f"{session.namespace}:bell", {"r": "1"}, maxlen=1, approximate=False)
    scene.tell(f"{len(lanes)} lanes to be compacted")


def shrink_packets(scene: Scene) -> None:
    """MariaDB takes small packets only, so that batches must be halved until they fit."""
    server = scene.session.servers.targets["maria"]
    size = scene.chance.choice((1024, 2048, 4096, 16384))
    try:
        server.run(f"SET GLOBAL max_allowed_packet = {size}")
    except pymysql.Error as error:
        scene.tell(f"packets not shrunk: {type(error).__name__}")
        return
    scene.tell(f"packets of {size} bytes")
    end_sessions(scene)  # those that are there keep what they had
    scene.heal.append(lambda: server.run("SET GLOBAL max_allowed_packet = 16777216"))


def commit_by_procedure(scene: Scene) -> None:
    """The user's query calls a procedure that commits: the integration is held, and goes on when that is taken out."""
    if not scene.commits(True):
        scene.tell("MariaDB has no integration in this round, or one with exactly_once")
        return
    scene.tell("the add query commits")
    time.sleep(scene.chance.uniform(0.3, 1.5))

    def heal() -> None:
        scene.commits(False)
        scene.tell("it commits no more")

    scene.heal.append(heal)


CALM: tuple[Any, ...] = (
    kill_children, stop_children, kill_beat, end_sessions, cut_links, freeze_links, cut_redis_links, block_rows,
    reconfigure, lock_ledger,
    compact,
)  # fmt: skip
"""Those of which two may strike at once."""
FAULTS: dict[str, tuple[Any, float]] = {
    "nothing": (nothing, 1.0),
    "resync": (nothing, 2.0),
    "kill-children": (kill_children, 2.0),
    "stop-children": (stop_children, 2.0),
    "kill-worker": (kill_worker, 1.0),
    "orphan-children": (orphan_children, 1.0),
    "end-worker": (end_worker, 0.7),
    "stop-worker": (stop_worker, 0.7),
    "kill-beat": (kill_beat, 0.3),
    "kill-redis": (kill_redis, 1.5),
    "pause-redis": (pause_redis, 1.0),
    "fill-redis": (fill_redis, 1.0),
    "fail-over": (failover.fail_over, 1.0),
    "cut-redis-links": (cut_redis_links, 1.0),
    "cut-redis-answers": (lost_answers.cut_redis_answers, 1.5),
    "cut-target-answers": (lost_answers.cut_target_answers, 1.5),
    "clock-set-back": (clock.set_back, 1.0),
    "lock-ledger": (lock_ledger, 0.5),
    "hold-ledger": (hold_ledger, 0.3),
    "kill-target": (kill_target, 1.5),
    "end-sessions": (end_sessions, 1.5),
    "cut-links": (cut_links, 1.0),
    "freeze-links": (freeze_links, 1.5),
    "block-rows": (block_rows, 1.0),
    "reconfigure": (reconfigure, 1.5),
    "revise": (revisions.revise, 1.5),
    "change-key": (revisions.change_key, 1.0),
    "crowd": (revisions.crowd, 0.5),
    "refuse-most": (refusals.refuse_most, 1.5),
    "refuse-clears": (refusals.refuse_clears, 1.0),
    "killers": (nothing, 1.0),
    "pause-integration": (pause_integration, 0.5),
    "compact": (compact, 1.0),
    "shrink-packets": (shrink_packets, 1.0),
    "commit-by-procedure": (commit_by_procedure, 0.7),
    **{f"crash-{point}": (nothing, 0.5) for point in failpoints.POINTS},
    **{f"halt-{point}": (halt, 0.5) for point in failpoints.POINTS},
}
"""Each with how often it is chosen, in proportion."""
REDIS_TROUBLE = frozenset(
    {"kill-redis", "fail-over", "pause-redis", "fill-redis", "cut-redis-links", "cut-redis-answers"}
)
ONE_TRY_ONLY = frozenset({"nothing", "kill-children", "kill-worker", "kill-beat", "end-worker", "stop-worker"})
"""Faults after which a batch is repeated whole or not at all."""
