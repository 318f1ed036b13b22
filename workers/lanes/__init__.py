"""Lanes: the ordered queues of what each integration still owes each segment, in Redis.

A lane is a list of packed chunks (`chunks.py`) and one hash; the scripts beside this file change it, each
atomically, and `store.py` calls them with `messages.py`. The rules are rules 5 to 13.
"""

from workers.lanes.answers import Alike
from workers.lanes.chunks import Operation, pack, unpack
from workers.lanes.messages import Claimed, Idle, Lost, More, Probe, Rest, Stop, Systemic
from workers.lanes.moves import Run
from workers.lanes.store import Lanes

__all__ = [
    "Alike",
    "Claimed",
    "Idle",
    "Lanes",
    "Lost",
    "More",
    "Operation",
    "Probe",
    "Rest",
    "Run",
    "Stop",
    "Systemic",
    "pack",
    "unpack",
]
