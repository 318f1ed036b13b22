"""What a seed means: the configuration, the events, which misfortunes may come and how often, and what people do.

Each seed allows only some kinds of misfortune (swarm testing): with all of them at once, the frequent hide the rare.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

LEDGER_URL = "sqlite:////{folder}/ledger.db"
NAMESPACE = "sim"

GROUPS: dict[str, tuple[str, ...]] = {
    "answers": ("redis:unanswered", "redis:lost"),
    "repeats": ("redis:twice",),
    "stalls": ("redis:stalled", "redis:stalled after", "target:stalled", "target:stalled after"),
    "deaths": ("redis:dies", "redis:dies after", "target:dies", "target:dies after"),
    "deadlocks": ("target:deadlock",),
    "commits": ("target:commit unanswered", "target:commit cut"),
    "links": ("target:cut", "target:refused"),
    "slowness": ("target:slow",),
    "broker": ("broker:lost", "broker:twice"),
    "ledger": ("ledger:lost", "ledger:unanswered", "ledger:slow", "ledger:dies", "ledger:dies after"),
}
RATES = (0.003, 0.01, 0.03, 0.08)
OFTEN = (0.03, 0.1, 0.25)
"""Where a thing must go wrong several times in a row to be of interest."""
INCIDENTS = (
    *("apply", "move", "pause", "retry", "drop entries", "mend", "drop integration"),
    *("clock back", "clock ahead", "busy hour", "full", "fail over", "password", "away", "missing", "kill"),
)
STORM_SECONDS = (20.0, 60.0, 150.0)
MOST = 0.85
"""Of the operations, where most are refused."""
DEADLY = FLAPPING = 0.04
"""Of the seeds: one of their events ends whichever process reads it; their tables come and go."""
MANY_LANES = 0.35
"""Of the seeds: their events come in bursts to many segments, whose lanes are due together."""
LANES, BURST_SECONDS = 12, 15.0
SPARED = 0.08
"""Of the seeds: their connectors have a rate; their integrations have a window."""
WINDOW = "22:14-22:13"
"""By the clocks of a history it is 22:13:20 at its beginning: so this one is closed for the first 40 seconds."""
TAILS = 0.06
"""Of the seeds: `exactly_once`, some operations are refused, and replicas take over that lack seconds: whole turns."""
EXACT = 0.5
"""Of the seeds of which something is refused: their keys are said to be rows, so that batches merge their operations.

Whatever the queries say otherwise, nothing is merged: `remove` uses another field than the key.
"""
STYLES = ("good", "good", "some", "most", "endless", "killers", "clears")


@dataclass(frozen=True, slots=True)
class Theme:
    """What a seed is about: where one is drawn, everything else gives way to it.

    groups, incidents  those that there are; None: any
    rates              how often a misfortune may come
    style              which operations are refused, endless, or kill
    """

    groups: tuple[str, ...] | None = None
    incidents: tuple[str, ...] | None = None
    style: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    workers: int | None = None
    amount: int | None = None
    rates: tuple[float, ...] = RATES


THEMES: dict[str, Theme] = {
    "anything": Theme(),
    "most are refused": Theme(("answers", "commits", "deaths"), ("mend",), "most", {"exactly_once": True}, amount=60),
    "halves": Theme(("commits", "deadlocks"), ("apply",), settings={"exactly_once": True}, rates=OFTEN),
    "deaths": Theme(("deaths",), ("apply",), settings={"exactly_once": True}),
    "one is refused": Theme(("commits",), ("retry",), "some", {"exactly_once": True}, rates=OFTEN),
    "logins": Theme(("links", "slowness"), ("password",), settings={"parallelism": 3}, workers=4),
    "moves": Theme(("stalls", "links"), ("move", "password")),
    "retries": Theme(("answers", "deadlocks"), ("retry", "mend"), "clears", {"backlog": 0}, amount=8),
    "keyless killers": Theme((), (), "keyless killers", {"size": 4}),
    "endless": Theme(("deadlocks",), (), "endless", {"size": 2}, amount=15),
    "drops": Theme(("stalls", "slowness"), ("drop integration",), settings={"backlog": 10, "other": True}),
    "repeats": Theme(("repeats",), ()),
    "slow ledger": Theme(("ledger",), (), workers=4),
    "revisions": Theme(("stalls", "repeats"), ("apply", "pause")),
    "router": Theme(("answers",), ("kill",), rates=OFTEN),
    "late releases": Theme(("answers",), (), settings={"size": 1, "parallelism": 3}, workers=4),
    "clocks": Theme(("deadlocks",), ("clock back", "busy hour", "clock ahead")),
    "full": Theme(("answers",), ("full", "away")),
    "fail over": Theme(("stalls",), ("fail over",)),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that somebody does, or that happens to a server, at a time."""

    at: float
    what: str
    number: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration varies in."""

    size: int = 4
    timeout_s: float = 1.0
    connector: str = "a"
    clear: bool = True
    parallelism: int = 2
    exactly_once: bool = False
    backlog: int = 0
    other: bool = False
    rate: str = ""
    window: str = ""
    ordering: str = ""

    def text(self, folder: str) -> str:
        """As in segsync.toml."""
        parts = [
            f'namespace = "{NAMESPACE}"\n[redis]\nurl = "redis://localhost:1/0"\n[ledger]\n',
            f'url = "{LEDGER_URL.format(folder=folder.lstrip("/"))}"\n',
            *(
                f'[connectors.{key}]\nurl = "sqlite:////tmp/{key}.db"\nparallelism = {self.parallelism}\n'
                + (f'rate = "{self.rate}"\n' if self.rate else "")
                for key in "ab"
            ),
            self._integration("main", self.connector),
        ]
        if self.other:
            parts.append(self._integration("other", "a"))
        return "".join(parts)

    def _integration(self, key: str, connector: str) -> str:
        lines = [
            f'[integrations.{key}]\nconnector = "{connector}"\nkey = "CustomID"',
            'scope = { database = "main", segments = "all" }',
        ]
        if self.size > 1:
            lines.append(f'batch = {{ size = {self.size}, timeout = "{round(self.timeout_s * 1000)}ms" }}')
        lines.append(f"exactly_once = {str(self.exactly_once).lower()}")
        if self.ordering:
            lines.append(f'ordering = "{self.ordering}"')
        if self.window:
            lines.append(f'window = "{self.window}"')
        if self.backlog:
            lines.append(f"max_backlog = {self.backlog}")
        return "\n".join([*lines, f"[integrations.{key}.queries]", *self._queries(key)]) + "\n"

    def _queries(self, key: str) -> list[str]:
        loop = "{for $i, $lead = $batch}({segment_id}, '{$lead.CustomID}', '{$lead.op}'){autocomma}{end}"
        one = "({segment_id}, '{lead.CustomID}', '{lead.op}')"
        profiles = loop if self.size > 1 else one
        event = "({segment_id}, '', {event_time})"
        queries = {"add": f"ADD_OF_{key}", "remove": f"REMOVE_OF_{key}"}
        lines = [f'{name} = "INSERT INTO {table} VALUES {profiles}"' for name, table in queries.items()]
        events = {"segment_upsert": f"NAME_OF_{key}", "segment_delete": f"END_OF_{key}"}
        if self.clear:
            events["clear"] = f"CLEAR_OF_{key}"
        return lines + [f'{name} = "INSERT INTO {table} VALUES {event}"' for name, table in events.items()]


@dataclass(frozen=True, slots=True)
class Plan:
    """One seed.

    events     (producer, seconds, event), in the order in which each producer pushes them
    rates      as `fates.Fates` takes them
    refused    operations that the target refuses until it is mended
    endless    operations that take longer than any time-out
    killers    operations that end each process that renders them
    deadly     events that end each process that reads them, until that is mended: by their times
    without    events, incidents and misfortunes that are left out
    """

    seed: int
    theme: str
    settings: Settings
    workers: int
    storm_s: float
    groups: tuple[str, ...]
    rates: dict[str, float]
    events: list[tuple[str, float, dict[str, Any]]]
    incidents: list[Incident]
    refused: frozenset[str] = frozenset()
    endless: frozenset[str] = frozenset()
    killers: frozenset[str] = frozenset()
    deadly: frozenset[str] = frozenset()
    retries_at_end: bool = True
    without: frozenset[str] = field(default_factory=frozenset)

    def leaving_out(self, without: Iterable[str]) -> Plan:
        """The same without these events, incidents and misfortunes, too."""
        return replace(self, without=self.without | frozenset(without))

    def is_spared(self, actor: str) -> bool:
        """Whether nothing befalls this actor's calls to Redis."""
        return actor.startswith(("director", "nemesis", "person"))

    def has(self, incident: str) -> bool:
        """Whether such an incident is planned."""
        return any(each.what == incident for each in self.incidents)


def plan(seed: int, without: frozenset[str] = frozenset(), *, avoid: frozenset[str] = frozenset()) -> Plan:
    """What a seed means.

    avoid  groups of misfortunes and kinds of incident that are not to be among it
    """
    chance = Random(seed)
    name = chance.choice(("anything", chance.choice(tuple(THEMES))))
    theme = THEMES[name]
    groups = _some(chance, tuple(GROUPS), 4) if theme.groups is None else theme.groups
    incidents = _some(chance, INCIDENTS, 4) if theme.incidents is None else theme.incidents
    groups = tuple(group for group in groups if group not in avoid)
    incidents = tuple(each for each in incidents if each not in avoid)
    rates = {fate: chance.choice(theme.rates) for group in groups for fate in GROUPS[group]}
    storm_s = chance.choice(STORM_SECONDS)
    style = theme.style or chance.choice(STYLES)
    events = _events(chance, storm_s, theme.amount or chance.choice((6, 15, 30, 60)), keyless="keyless" in style)
    at_fault = _at_fault(chance, style, events)
    many = Random(f"many lanes {seed}")
    drawn = Plan(
        seed=seed,
        theme=name,
        settings=_spared(Random(f"spared {seed}"), _settings(chance, theme, incidents)),
        workers=theme.workers or chance.choice((1, 2, 2, 3, 4)),
        storm_s=storm_s,
        groups=groups,
        rates=rates,
        events=events,
        incidents=[*_times(chance, incidents, storm_s), *_flaps(Random(f"flapping {seed}"), storm_s)],
        refused=at_fault if style in ("some", "most", "clears") else frozenset(),
        endless=at_fault if style == "endless" else frozenset(),
        killers=at_fault if "killers" in style else frozenset(),
        deadly=_deadly(Random(f"deadly {seed}"), events),
        retries_at_end=chance.random() < 0.7,
        without=without,
    )
    drawn = _spread(many, drawn) if many.random() < MANY_LANES else drawn
    tails = Random(f"tails {seed}")
    drawn = _with_lost_tails(tails, drawn, avoid) if tails.random() < TAILS else drawn
    return replace(drawn, settings=_ordered(Random(f"exact {seed}"), drawn)) if drawn.refused else drawn


def _spread(chance: Random, drawn: Plan) -> Plan:
    """The same with its events in many segments, in bursts; drawn apart, so that other seeds mean what they meant."""
    events: list[tuple[str, float, dict[str, Any]]] = []
    for producer, at, event in drawn.events:
        segment = event["segment"] | {"id": chance.randint(1, LANES)}
        events.append((producer, at - at % BURST_SECONDS + 0.001 * len(events), event | {"segment": segment}))
    settings = replace(drawn.settings, size=max(4, drawn.settings.size), exactly_once=chance.random() < 0.1)
    return replace(drawn, events=events, settings=settings)


def _with_lost_tails(chance: Random, drawn: Plan, avoid: frozenset[str]) -> Plan:
    """Each begins when something that will be refused was just accepted. Drawn apart from all else, too.

    Nothing is paused, dropped or retried there: whoever has resumed, dropped or retried it would have to do it again.
    And nothing is full: that Redis would make no copy.
    """
    if "lose a tail" in avoid or drawn.killers or drawn.endless:
        return drawn
    refused = drawn.refused or _at_fault(chance, "some", drawn.events)
    times = [at for _, at, event in drawn.events if any(each["op"] in refused for each in event.get("profiles", ()))]
    begin = sorted(chance.sample(times, min(3, len(times))))
    tails = [Incident(round(at + 0.1, 3), "lose a tail", 200 + number) for number, at in enumerate(begin)]
    others = [each for each in drawn.incidents if each.what not in ("pause", "drop integration", "retry", "full")]
    incidents = sorted([*others, *tails], key=lambda incident: incident.at)
    return replace(drawn, settings=replace(drawn.settings, exactly_once=True), incidents=incidents, refused=refused)


def _settings(chance: Random, theme: Theme, incidents: tuple[str, ...]) -> Settings:
    drawn = Settings(
        size=chance.choice((1, 2, 4, 8, 30)),
        timeout_s=chance.choice((0.2, 2.0, 10.0)),
        parallelism=chance.choice((1, 2, 3)),
        exactly_once=chance.random() < 0.5,
        backlog=chance.choice((0, 0, 10)),
        other=chance.random() < 0.3 or "drop integration" in incidents,
    )
    return replace(drawn, **theme.settings)


def _spared(chance: Random, settings: Settings) -> Settings:
    """Drawn apart from all else, too."""
    rate = chance.choice(("2/s", "20/s", "90/m")) if chance.random() < SPARED else ""
    return replace(settings, rate=rate, window=WINDOW if chance.random() < SPARED else "")


def _ordered(chance: Random, drawn: Plan) -> Settings:
    """Drawn apart from all else, too."""
    batched = drawn.settings.size > 1
    return replace(drawn.settings, ordering="exact") if batched and chance.random() < EXACT else drawn.settings


def _times(chance: Random, incidents: tuple[str, ...], storm_s: float) -> list[Incident]:
    whats = [each for each in incidents for _ in range(chance.choice((1, 1, 2, 3)))]
    found = [Incident(round(chance.uniform(0.5, storm_s), 3), what, number) for number, what in enumerate(whats)]
    return sorted(found, key=lambda incident: incident.at)


def _some(chance: Random, among: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(sorted(chance.sample(among, chance.randint(0, most))))


def _at_fault(chance: Random, style: str, events: list[tuple[str, float, dict[str, Any]]]) -> frozenset[str]:
    """The operations that are not as they should be."""
    profiles = [profile for _, _, event in events for profile in event.get("profiles", ())]
    names = [profile["op"] for profile in profiles]
    clears = [event["at"] for _, _, event in events if event["type"] == "clear"]
    found = {
        "some": lambda: chance.sample(names, min(3, len(names))),
        "most": lambda: [name for name in names if chance.random() < MOST],
        "clears": lambda: [*clears, *(name for name in names if chance.random() < MOST)],
        "endless": lambda: chance.sample(names + clears, min(1, len(names + clears))),
        "killers": lambda: chance.sample(names, min(1, len(names))),
        "keyless killers": lambda: [profile["op"] for profile in profiles if "CustomID" not in profile][:1],
    }
    return frozenset(found[style]()) if style in found else frozenset()


def _flaps(chance: Random, storm_s: float) -> list[Incident]:
    if chance.random() >= FLAPPING:
        return []
    return [Incident(round(chance.uniform(0.5, storm_s), 3), "flap", 100 + number) for number in range(3)]


def _deadly(chance: Random, events: list[tuple[str, float, dict[str, Any]]]) -> frozenset[str]:
    """Drawn apart from all else, so that a seed means what it meant before there were any."""
    return frozenset({chance.choice(events)[2]["at"]} if chance.random() < DEADLY else ())


def _events(chance: Random, storm_s: float, amount: int, *, keyless: bool) -> list[tuple[str, float, dict[str, Any]]]:
    segments = chance.choice((1, 2, 3))
    keys = chance.choice((3, 8, 40))
    keyless = keyless or chance.random() < 0.15
    kinds = ("add",) * 8 + ("remove",) * 3 + ("clear",) * 2 + ("segment_upsert", "segment_delete")
    found = []
    for number in range(amount):
        kind = chance.choice(kinds)
        event: dict[str, Any] = {
            "type": kind,
            "segment": {"id": chance.randint(1, segments)},
            "at": f"2020-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        }
        if kind == "segment_upsert":
            event["segment"]["name"] = f"s{number}"
        if kind in ("add", "remove"):
            event["profiles"] = [
                _profile(chance, f"e{number}.{index}", keys, keyless=keyless)
                for index in range(chance.choice((1, 1, 2, 5)))
            ]
        found.append((f"producer-{chance.randint(1, 2)}", round(chance.uniform(0, storm_s * 0.9), 3), event))
    return sorted(found, key=lambda each: each[1])


def _profile(chance: Random, name: str, keys: int, *, keyless: bool) -> dict[str, Any]:
    profile = {"_id": name, "op": name, "CustomID": f"K{chance.randint(1, keys)}"}
    if keyless and chance.random() < 0.2:
        del profile["CustomID"]
    return profile
