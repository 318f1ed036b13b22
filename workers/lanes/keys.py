"""The names of segsync's keys in Redis that Python code reads or writes; scripts name theirs in scripts/common.lua."""

from __future__ import annotations

from dataclasses import dataclass

HOLD_FIELDS = ("hold", "hold_code", "hold_until", "hold_id", "hold_since", "hold_segment", "hold_tries")
"""What an integration's or connector's hash says of its being held; scripts write it (lanes/scripts/common.lua)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of one installation; `namespace` comes first in each."""

    namespace: str

    @property
    def events(self) -> str:
        """The intake: the stream that producers push to."""
        return f"{self.namespace}:events"

    @property
    def intake(self) -> str:
        """Hash: how far the intake has been moved, and how much of it stands in the quarantine."""
        return f"{self.namespace}:intake"

    @property
    def segments(self) -> str:
        """Hash: what is known of each segment that was seen."""
        return f"{self.namespace}:segments"

    @property
    def unwanted(self) -> str:
        """Hash: operations that no integration wanted, per segment."""
        return f"{self.namespace}:unwanted"

    @property
    def routed(self) -> str:
        """Hash: events and operations routed since the beginning."""
        return f"{self.namespace}:routed"

    @property
    def outcomes(self) -> str:
        """Stream: what came of deliveries, on its way to the ledger."""
        return f"{self.namespace}:outcomes"

    @property
    def folded(self) -> str:
        """Hash: what came of deliveries, as sums, where the outcomes stream had no more room."""
        return f"{self.namespace}:folded"

    @property
    def bell(self) -> str:
        """Stream of one entry: a due time has come closer."""
        return f"{self.namespace}:bell"

    @property
    def config(self) -> str:
        """Hash: the applied configuration, its revision, hash, who and when."""
        return f"{self.namespace}:config"

    @property
    def revisions(self) -> str:
        """Hash: the last revisions by number, packed (settings/revisions.py)."""
        return f"{self.namespace}:revisions"

    @property
    def alarms(self) -> str:
        """Hash: what needs someone, and who was told of it (monitoring/alarms.py)."""
        return f"{self.namespace}:alarms"

    @property
    def alarms_turn(self) -> str:
        """String: which process tells, with an expiry."""
        return f"{self.namespace}:alarms:turn"

    def console(self, what: str) -> str:
        """Strings of the console: the key of its seals, sessions that were ended, guesses of passwords."""
        return f"{self.namespace}:console:{what}"

    @property
    def connectors(self) -> str:
        """Set: keys of the applied connectors."""
        return f"{self.namespace}:connectors"

    @property
    def integrations(self) -> str:
        """Set: keys of all integrations that were ever applied and not dropped."""
        return f"{self.namespace}:integrations"

    @property
    def seen(self) -> str:
        """Hash: when the pulse and beat last looked, in Redis milliseconds; and which event lay ahead of the clock."""
        return f"{self.namespace}:seen"

    @property
    def ledger(self) -> str:
        """Hash: the ledger that outcomes are written to, and whether this Redis is another than it knew."""
        return f"{self.namespace}:ledger"

    @property
    def ledger_trouble(self) -> str:
        """Hash: since when the ledger cannot be written to, and why; absent while it can."""
        return f"{self.namespace}:ledger:trouble"

    @property
    def lacking(self) -> str:
        """Hash: secrets that workers lack, per connector and worker (settings/lacking.py)."""
        return f"{self.namespace}:lacking"

    @property
    def workers(self) -> str:
        """Hash: which workers are there, and what each takes from its queues (presence.py)."""
        return f"{self.namespace}:workers"

    @property
    def full_marks(self) -> str:
        """Hash: integrations that have reached their limit, so that producers wait."""
        return f"{self.namespace}:full"

    def lease(self, name: str) -> str:
        """Hash: who routes, or does upkeep, until when, and who has died over it (lanes/lease.py)."""
        return f"{self.namespace}:lease:{name}"

    @property
    def nothing(self) -> str:
        """Nothing stands there: deleting it lets a full Redis run what follows (rule 5)."""
        return f"{self.namespace}:nothing"

    @property
    def long(self) -> str:
        """Set: lanes, as integration:segment, that are long and old, for compaction."""
        return f"{self.namespace}:long"

    @property
    def corrections(self) -> str:
        """Number: how often a count of open entries was set right by the ledger."""
        return f"{self.namespace}:corrections"

    @property
    def drainer(self) -> str:
        """String: who writes outcomes to the ledger, with an expiry."""
        return f"{self.namespace}:drainer"

    @property
    def orderings(self) -> str:
        """Hash: per integration, the order within a batch that its target's tables told."""
        return f"{self.namespace}:orderings"

    @property
    def rescore(self) -> str:
        """Hash: integrations whose due times are to be put right, and how far that has come."""
        return f"{self.namespace}:rescore"

    @property
    def limits(self) -> str:
        """Hash: `intake`, how many events may wait there; producers look at it."""
        return f"{self.namespace}:limits"

    def next(self, connector: str) -> str:
        """Sorted set: the connector's integrations, by the time from which each is worth a look (scripts/due.lua)."""
        return f"{self.namespace}:next:{connector}"

    def integration(self, key: str) -> str:
        """Hash: settings that scripts need, state and backlog of an integration."""
        return f"{self.namespace}:int:{key}"

    def connector(self, key: str) -> str:
        """Hash: parallelism and state of a connector."""
        return f"{self.namespace}:conn:{key}"

    def looks(self, connector: str) -> str:
        """Hash of what is counted of an ad account's calls that change nothing."""
        return f"{self.budget(connector)}:looks"

    def budget(self, connector: str) -> str:
        """Hash: what an ad account's login has written, by slices of time (connectors/audiences/budgets.py)."""
        return f"{self.namespace}:budget:{connector}"

    @property
    def ad_stores(self) -> str:
        """Hash: of each ad account, how far its store was written (connectors/audiences/store/written.py)."""
        return f"{self.namespace}:stores"

    def resync(self, integration: str) -> str:
        """Set: segments that came into the integration's scope with members it was never told of."""
        return f"{self.namespace}:resync:{integration}"

    def flagged(self, integration: str) -> str:
        """Hash: of each segment in `resync`, the sequence of the operation since which it needs one."""
        return f"{self.namespace}:flagged:{integration}"

    @property
    def leaving(self) -> str:
        """Sorted set: [integration, segment] that an `apply` takes out of scope and clears, by when it was noted."""
        return f"{self.namespace}:leaving"

    @property
    def runs(self) -> str:
        """Sorted set: runs of resyncs that have begun, by when they are looked at next."""
        return f"{self.namespace}:runs"

    @property
    def runs_differing(self) -> str:
        """Hash: lanes that the last verification found to differ, each with its run, until one finds them equal."""
        return f"{self.namespace}:runs:differing"

    @property
    def runs_failing(self) -> str:
        """Hash: lanes whose last run failed, each with since when (milliseconds) and that run, by a blank."""
        return f"{self.namespace}:runs:failing"

    @property
    def verifications(self) -> str:
        """Sorted set: integrations that are verified by themselves, by when the next segment may be.

        Beside them routing/leaving.py's one.
        """
        return f"{self.namespace}:verifications"

    def verify_left(self, integration: str) -> str:
        """List: segments that a round of verifications has not come to."""
        return f"{self.namespace}:verify:{integration}"

    def verify_round(self, integration: str) -> str:
        """Hash: when a round of verifications began, and of how many segments."""
        return f"{self.namespace}:verifying:{integration}"

    @property
    def runs_stalled(self) -> str:
        """Set: runs that have begun and whose integration is paused or held."""
        return f"{self.namespace}:runs:stalled"

    @property
    def runs_waiting(self) -> str:
        """Sorted set: runs that have not begun, by when they may."""
        return f"{self.namespace}:runs:waiting"

    @property
    def runs_asking(self) -> str:
        """Hash: of lanes, as integration:segment, the run that waits for a person's word."""
        return f"{self.namespace}:runs:asking"

    def run(self, run: str) -> str:
        """Hash: one run of a resync; gone some days after its end."""
        return f"{self.namespace}:run:{run}"

    def answering(self, segment: str) -> str:
        """String: which producer waits to answer for a segment, with an expiry (resync/answering.py)."""
        return f"{self.namespace}:answering:{segment}"

    def wanted(self, segment: str) -> str:
        """String: the answer that a reader wants of a segment, with an expiry."""
        return f"{self.namespace}:wanted:{segment}"

    def claimed(self, token: str) -> str:
        """String: the producer that gives an answer, with an expiry."""
        return f"{self.namespace}:claimed:{token}"

    def parts(self, token: str) -> str:
        """List: parts of an answer that no reader has taken yet."""
        return f"{self.namespace}:parts:{token}"

    def removals(self, integration: str) -> str:
        """Hash: what runs of one day have listed and removed of an integration."""
        return f"{self.namespace}:removals:{integration}"

    def full(self, integration: str) -> str:
        """Sorted set: lanes with a full batch or a segment event, by due time."""
        return f"{self.namespace}:due:{integration}:full"

    def timed(self, integration: str) -> str:
        """Sorted set: lanes that wait for their timeout, by due time."""
        return f"{self.namespace}:due:{integration}:timed"

    def lane(self, integration: str, segment: str) -> str:
        """Hash: a lane's state (rule 7); gone when the lane is empty."""
        return f"{self.namespace}:lane:{integration}:{segment}"

    def chunks(self, integration: str, segment: str) -> str:
        """List: a lane's operations, packed."""
        return f"{self.namespace}:chunks:{integration}:{segment}"

    def open(self, integration: str, segment: str) -> str:
        """Hash: a lane's open entries of the quarantine, by slot."""
        return f"{self.namespace}:open:{integration}:{segment}"

    def rows(self, integration: str, segment: str) -> str:
        """Hash: of each row that these may be for, how many they are and what came later."""
        return f"{self.namespace}:rows:{integration}:{segment}"

    def passed_over(self, integration: str) -> str:
        """Hash: how many operations of each segment were ever set aside; positions tell of it (rule 22)."""
        return f"{self.namespace}:passed_over:{integration}"

    def permits(self, queue: str) -> str:
        """Sorted set: outstanding wake-ups of a queue, by expiry."""
        return f"{self.namespace}:permits:{queue}"
