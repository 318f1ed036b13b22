"""Every Celery setting, each with its reason. What is not here has Celery's default.

Celery wakes, scales and shows; it carries no data and its messages may be lost, doubled or late
(docs/architecture.md). The settings follow from that.
"""

from kombu.entity import Queue

from workers.settings import load_local

_local = load_local()

# Where the wake-ups travel: [broker] of segsync.toml, else the same Redis as the data.
# No secret in it, nor in the options: workers tell both to whoever asks (workers/celery_broker.py).
broker_url = _local.broker.celery_place()
broker_transport_options = {
    **_local.broker.celery_transport_options(),
    # Staging and production may share a Redis: every queue begins with the namespace.
    "global_keyprefix": f"{_local.namespace}:",
    # A wake-up is acknowledged before it runs, so this never repeats one; Celery's default said aloud.
    "visibility_timeout": 3600,
    # A link that died silently is noticed.
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
# A worker may be started before its broker.
broker_connection_retry_on_startup = True
# No limit: the broker may be away for a night.
broker_connection_max_retries = None
# An error answer of Redis (READONLY after a failover, MISCONF on a full disk) ends no worker: it connects anew, and
# meets the node that the name leads to by then.
broker_channel_error_retry = True

# The ledger is the truth; results would cost a fifth of the throughput and say nothing more.
task_ignore_result = True
# Arguments are a connector's name and a permit.
task_serializer = "json"
accept_content = ["json"]
# A lost wake-up is sent again by the pulse or beat; one repeated after an hour would be of no use.
task_acks_late = False
# Take one at a time: a wake-up that waits behind a slow one could be another worker's.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True
# Flower shows what runs, and RETRY and FAILURE with their reasons.
worker_send_task_events = True
task_send_sent_event = False
# The lease decides whether a deliverer may go on, not the link to the broker.
worker_cancel_long_running_tasks_on_connection_loss = False
# Belt and braces against leaks; recycling children more often than that costs connections.
worker_max_tasks_per_child = 10_000
# On SIGTERM a worker finishes what runs; a wake-up takes a few seconds unless a target hangs.
worker_soft_shutdown_timeout = 20
# Our format; tasks' arguments hold nothing worth hiding, and nothing else is logged.
worker_hijack_root_logger = True
worker_redirect_stdouts = False

# Beat keeps nothing: its only entry may run at any time, any number of times.
beat_scheduler = "celery.beat:Scheduler"
beat_schedule = {
    "flush": {
        "task": "segsync.flush",
        # The pulse is the clock; this bounds the lateness if every pulse is dead (rule 26b).
        "schedule": 5.0,
        # Late ones pile up while nobody serves the queue; they are thrown away unrun.
        "options": {"queue": "upkeep", "expires": 5.0},
    },
}

# Connectors' queues come with the applied configuration (workers/celery.py).
task_queues = [Queue("route"), Queue("upkeep"), Queue("resync")]
task_default_queue = "upkeep"
task_create_missing_queues = True

imports = ("tasks.route", "tasks.deliver", "tasks.flush", "tasks.upkeep", "tasks.resync")
