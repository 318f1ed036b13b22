"""The Celery application. `celery -A workers worker|beat|flower` finds it here, by Celery's own convention.

Only the files `celery*.py` and `tasks/` know that Celery exists. Here stand the worker's start and the bootstep that
runs the pulse; what is said to Celery itself is in celeryconfig.py, what must not be started in celery_guards.py, and
what Celery would do otherwise in celery_broker.py and celery_pool.py.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from celery import Celery, Task, bootsteps
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_init,
    import_modules,
    worker_process_init,
)
from kombu.entity import Queue
from redis import RedisError

from workers import celery_guards as guards
from workers import presence
from workers.celery_broker import amqp_for
from workers.celery_pool import outlive
from workers.control.startup import collect_rarely, collect_young, import_drivers, settle_configuration
from workers.errors import SegsyncError, SettingsError
from workers.log import NO_MEMORY, Early, last_word, shape, tell
from workers.pulse import Pulse
from workers.resync.folder import forget_ended
from workers.runtime import Runtime
from workers.settings import LocalSettings, lacking, load_local
from workers.settings.revision import NothingApplied

if TYPE_CHECKING:
    import logging

    from workers.lanes.messages import Wake

# As the command `segsync` ends (cli/exit_status.py).
STATUS_WRONG_FILE = 2
STATUS_OUT_OF_REACH = 3
TASK_OF_QUEUE = {"route": "segsync.route", "upkeep": "segsync.upkeep", "resync": "segsync.resync"}
"""Of the queues that every installation has; all others are connectors' and get `segsync.deliver`."""

early = Early()
"""What a worker tells of its file: Celery has no log by then, so it would be no JSON and in no --logfile."""


def _exit(message: object, status: int) -> None:
    early.hand_on()
    print(last_word(message), file=sys.stderr)  # noqa: T201 - logging is not set up yet, and this is for a person
    raise SystemExit(status)


def _local() -> LocalSettings:
    try:
        guards.check_modules()
        return load_local()
    except guards.NotStarted as error:
        _exit(f"segsync: {error}", STATUS_WRONG_FILE)
        raise
    except SettingsError as error:
        _exit(error, STATUS_WRONG_FILE)
        raise


local = _local()
runtime = Runtime(local)


class MortalTask(Task):  # type: ignore[misc]
    """A task whose process ends when it has no memory left, as the kernel would end it.

    Celery ends the whole worker when a task raises MemoryError, and a process that met one is in no known state: its
    threads may be gone. Killed, it is replaced by the pool, and the lane's head is closed in on (rule 13).
    """

    throws = (NothingApplied,)
    """A Redis that was emptied: a line in the log for each wake-up until somebody applies, and no traceback."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Runs it."""
        try:
            return super().__call__(*args, **kwargs)
        except MemoryError:
            tell(NO_MEMORY, task=self.name)
            os.kill(os.getpid(), signal.SIGKILL)
            raise
        finally:
            collect_young()


outlive()
app = Celery("segsync", task_cls=MortalTask, amqp=amqp_for(local.broker))
# An object, and not a name: in a folder of another project the name may lead to that project's broker.
app.config_from_object(guards.load_own("celeryconfig"))
guards.load_own("tasks")
for variable, value in guards.FLOWER_DEFAULTS.items():
    os.environ.setdefault(variable, value)


def queues(process: Runtime) -> list[Queue]:
    """What a worker without -Q serves."""
    connectors = process.applied.settings.connectors
    return [*map(Queue, TASK_OF_QUEUE), *(Queue(f"deliver.{key}") for key in connectors)]


@celeryd_init.connect  # type: ignore[untyped-decorator]
def start(conf: Any = None, options: dict[str, Any] | None = None, **_: object) -> None:
    """Before anything of the worker: its configuration, or an end with a message and no traceback."""
    collect_rarely()  # children inherit it
    early.begin()
    try:
        guards.check_pool(options or {}, conf.worker_pool)
        settle_configuration(runtime)
        conf.task_queues = queues(runtime)
        import_drivers(runtime.applied.settings, (options or {}).get("queues"))
    except guards.NotStarted as error:
        _exit(f"segsync: {error}", STATUS_WRONG_FILE)
    except SettingsError as error:
        _exit(error, STATUS_WRONG_FILE)
    except (RedisError, SegsyncError) as error:
        _exit(f"segsync: cannot start: {error}", STATUS_OUT_OF_REACH)
    PulseStep.serves_all = not (options or {}).get("queues")


@import_modules.connect  # type: ignore[untyped-decorator]
def check_flower(**_: object) -> None:
    """Flower imports our tasks once it knows where it is to listen."""
    try:
        guards.check_running_flower()
    except guards.NotStarted as error:
        _exit(f"segsync: {error}", STATUS_WRONG_FILE)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def start_child(**_: object) -> None:
    """A forked child uses nothing of its parent's."""
    runtime.after_fork()


@after_setup_logger.connect  # type: ignore[untyped-decorator]
@after_setup_task_logger.connect  # type: ignore[untyped-decorator]
def shape_log(logger: logging.Logger, **_: object) -> None:
    """Celery writes our lines; SEGSYNC_LOG says how they look."""
    shape(logger.handlers)
    early.hand_on()


SAY_SECONDS = 5.0
"""Between two times that a worker says it is there, and looks for the secrets of the connectors that it serves."""
EXPIRES_SECONDS = 600.0
"""After so long a wake-up that nobody took is thrown away unrun. Long enough for hosts whose clocks differ by minutes:
the worker's own says when it is over."""


class Waker:
    """Sends wake-ups to queues, on a connection of its own."""

    def __init__(self) -> None:
        self._connection = app.connection_for_write()
        self._producer = app.amqp.Producer(self._connection, auto_declare=False)
        self._how = {"producer": self._producer, "retry": False}

    def __call__(self, wake: Wake) -> None:
        """Sends one, unless the queue holds as many as may be at work at once (rule 26a)."""
        if self._waiting(wake.queue) >= wake.limit:
            return
        kind, _, connector = wake.queue.partition(".")
        arguments = [connector, wake.token] if kind == "deliver" else [wake.token]
        name = TASK_OF_QUEUE.get(wake.queue, "segsync.deliver")
        app.send_task(name, arguments, queue=Queue(wake.queue), expires=EXPIRES_SECONDS, **self._how)

    def close(self) -> None:
        """Gives the connection back, also to a Redis that refuses whatever kombu says in farewell."""
        with suppress(Exception):
            self._connection.release()

    def _waiting(self, queue: str) -> int:
        # Not by declaring it: kombu asks then whether a key exists that its prefix is missing from, so that none ever
        # seems to wait, and a Redis user with a right to the prefix alone is refused.
        return int(self._producer.channel.client.llen(queue))


def wake_all(who: str) -> None:
    """Wakes what is due now; how `route` and `deliver` end, and all that beat does."""
    tick = runtime.tick(who)
    if tick.wakes:
        waker = Waker()
        try:
            for wake in tick.wakes:
                waker(wake)
        finally:
            waker.close()
        if who != "task":
            runtime.looked(who)


AT_ONCE: Any = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": None}
"""For a word in farewell: nobody waits for it."""


class PulseStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the pulse beside the worker's pool. (A consumer's step would restart at every broker reconnect.)."""

    requires = ("celery.worker.components:Pool",)
    serves_all = True

    def __init__(self, worker: Any, **kwargs: object) -> None:
        super().__init__(worker, **kwargs)
        self._worker = worker
        self._waker: Waker | None = None
        self._served = frozenset(app.amqp.queues.consume_from)
        self._lacking: frozenset[str] = frozenset()
        self._said = 0.0
        self._own = secrets.token_hex(6)
        self._pulse = Pulse(lambda: Runtime(local), self._wake, self._follow, self._say)

    def start(self, worker: Any) -> None:  # noqa: ARG002 - Celery's signature
        """With the worker."""
        self._pulse.start()

    def close(self, worker: Any) -> None:  # noqa: ARG002
        """At the beginning of a shutdown."""
        self._pulse.close()
        with suppress(RedisError, OSError), local.redis.client(**AT_ONCE) as client:
            presence.leave(client, runtime.keys, self._own)

    def stop(self, worker: Any) -> None:  # noqa: ARG002
        """At its end."""
        self._pulse.stop()

    terminate = stop

    def _wake(self, wake: Wake) -> None:
        waker = self._waker or Waker()
        self._waker = None  # a waker that failed is not used again
        try:
            waker(wake)
        except BaseException:
            waker.close()
            raise
        self._waker = waker

    def _follow(self, process: Runtime) -> None:
        """A worker that serves everything serves the queues of new connectors too."""
        if self.serves_all:
            for queue in queues(process):
                app.control.add_consumer(queue.name, destination=[self._worker.hostname])
            self._lacking = frozenset()

    def _say(self, process: Runtime) -> None:
        """Says that this worker is there and what it takes; what it lacks the secrets for it does not take.

        And removes what this host has kept of resyncs that other hosts have ended.
        """
        if time.monotonic() - self._said < SAY_SECONDS:
            return
        self._said = time.monotonic()
        self._look_for_secrets(process)
        takes = getattr(getattr(self._worker, "consumer", None), "task_consumer", None)  # none without its broker
        queues = [queue.name for queue in takes.queues] if takes else []
        presence.say(process.redis, process.keys, self._own, self._worker.hostname, queues)
        forget_ended(process.redis, process.keys, process.applied.installation)

    def _look_for_secrets(self, process: Runtime) -> None:
        """Serves no connector whose secrets this worker lacks, and serves it once they are there."""
        connectors = process.applied.settings.connectors
        served = [key for key in connectors if self.serves_all or f"deliver.{key}" in self._served]
        reasons = process.lacks(served)
        lacks = frozenset(key for key, why in reasons.items() if why)
        lacking.note(process.redis, process.keys, self._worker.hostname, reasons, served)
        for key in lacks ^ self._lacking:
            turn = app.control.cancel_consumer if key in lacks else app.control.add_consumer
            turn(f"deliver.{key}", destination=[self._worker.hostname])
        self._lacking = lacks


app.steps["worker"].add(PulseStep)
