"""The pages: what is measured stands between two marks, written anew by each run; the rest is by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.report.capacity import capacity
from tests.bench.report.goals import GOALS, told
from tests.bench.report.picture import draw
from tests.bench.report.throughput import CONTESTANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.bench.report.figures import Figures

BEGIN, END = "<!-- measured: this part is written by `make bench` -->", "<!-- end of what is measured -->"
WORKLOADS = {"a": "(a)", "b": "(b)", "c": "(c)"}
PARTS = ("route", "deliver", "upkeep", "beat", "redis", "postgresql")


class MarksMissingError(ValueError):
    """The page has no place for what was measured."""


def write_all(docs: Path, figures: Figures) -> None:
    """Both pages of the folder, and the picture."""
    picture = docs / "benchmarks.svg"
    write(docs / "benchmarks.md", _measured(figures, picture.name))
    write(docs / "scaling.md", capacity(figures))
    picture.write_text(draw(figures), encoding="utf-8")


def write(page: Path, measured: Iterable[str]) -> None:
    """Puts lines between the marks of a page; MarksMissingError where it has none."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise MarksMissingError(f"{page}: expected the lines {BEGIN!r} and {END!r}, between which the figures go")
    lines = "\n".join(measured)
    page.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}", encoding="utf-8")


def _measured(figures: Figures, picture: str) -> Iterator[str]:
    yield from _about(figures)
    yield f"\n![rows a second of everybody, on a logarithmic scale]({picture})\n"
    yield from _throughput(figures)
    yield from _goals(figures)
    yield from _cores(figures)
    yield from _costs(figures)


def _about(figures: Figures) -> Iterator[str]:
    yield f"Measured on {figures.about['date']} by `{figures.about['command']}` at commit {figures.about['commit']}."
    yield f"Machine: {figures.about['machine']}. Versions: {figures.about['versions']}."
    yield f"Load average before it began: {figures.about['load']}."
    if again := figures.about.get("again"):
        yield f"Parts that were measured once more since: {again}."
    if warning := figures.about.get("warning"):
        yield f"\n**{warning}**"


def _throughput(figures: Figures) -> Iterator[str]:
    yield "| workload | who | rows/s | of the bare driver | segsync is so many times as fast | the table is right |"
    yield "|---|---|---|---|---|---|"
    for workload, title in WORKLOADS.items():
        for key, contestant in CONTESTANTS.items():
            who = contestant.title if hasattr(contestant, "title") else key
            name = f"{workload}.{key}"
            if reason := figures.missing.get(name):
                yield f"| {title} | {who} | did not run: {reason.replace('|', '/')} | | | |"
            elif (rate := figures.median(f"{name}.rate")) is not None:
                over = "" if key == "segsync" else _number(figures, f"{workload}.over.{key}", ".2g")
                yield (
                    f"| {title} | {_bold(who, key)} | {rate:,.0f} | {_number(figures, f'{name}.of_bare', '.2f')} |"
                    f" {over} | {_right(figures, name)} |"
                )


def _bold(who: str, key: str) -> str:
    return f"**{who}**" if key == "segsync" else who


def _number(figures: Figures, name: str, form: str) -> str:
    """The median, and the smallest and largest of the rounds."""
    value, spread = figures.median(name), figures.spread(name)
    if value is None:
        return ""
    shown = _plain(value, form)
    return f"{shown} ({_plain(spread[0], form)} … {_plain(spread[1], form)})" if spread else shown


def _plain(value: float, form: str) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1g}" if value < 0.1 else f"{value:{form}}"


def _right(figures: Figures, name: str) -> str:
    wrong = figures.wrong.get(name)
    if wrong is None:
        return ""
    return "yes" if wrong == 0 else f"no: {wrong:,} rows differ"


def _goals(figures: Figures) -> Iterator[str]:
    yield "\n### The goals\n"
    if figures.about.get("warning"):
        yield "Of this run, which is not to be quoted: neither `reached` nor `not reached` is a finding.\n"
    yield "| what | goal | measured | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        value = figures.median(goal.figure)
        if value is None:
            yield f"| {goal.text} | {goal.wanted} | not measured in this run | |"
            continue
        shown = goal.shown.format(value)
        missed = f"**not reached**: {told(goal, figures) or 'no cause found yet'}"
        verdict = "reached" if goal.reached(value) else missed
        yield f"| {goal.text} | {goal.wanted} | {shown} | {verdict} |"
    wrong = {name: rows for name, rows in figures.wrong.items() if rows and _ours(name)}
    said = "all were right" if not wrong else f"these differed: {wrong}"
    for name, reason in figures.missing.items():
        if "." not in name:
            yield f"\n({name}) was not measured: {reason}"
    yield f"\nTables that segsync kept, of {sum(map(_ours, figures.wrong))} workloads, beside the model: {said}."


def _ours(name: str) -> bool:
    return name.endswith(".segsync") or name.startswith("lane.") or "." not in name


def _cores(figures: Figures) -> Iterator[str]:
    yield "\n### Where the time goes\n"
    yield "Cores kept busy while segsync worked, by process (a worker with its children).\n"
    yield f"| workload | {' | '.join(PARTS)} | together |"
    yield f"|---|{'---|' * (len(PARTS) + 1)}"
    for workload in ("a", "b", "c", "d"):
        values = [figures.median(f"{workload}.cores.{part}") for part in PARTS]
        known = [value for value in values if value is not None]
        if known:
            cells = " | ".join("" if value is None else f"{value:.2f}" for value in values)
            yield f"| ({workload}) | {cells} | {sum(known):.2f} |"


COSTS = (
    ("one profile as JSON", "bytes.json", "{:.0f} bytes"),
    ("the same in the intake, events of one profile", "bytes.intake_of_one", "{:.0f} bytes"),
    ("in the intake, events of 1,000", "bytes.intake_of_1000", "{:.0f} bytes"),
    ("in a filled lane, from events of one", "bytes.lane_of_one", "{:.0f} bytes"),
    ("in a filled lane, from events of 1,000", "bytes.lane_of_1000", "{:.0f} bytes"),
    ("copies for three integrations, of the bytes for one", "bytes.copies", "{:.2f}"),
    ("a lane of one operation (a segment's first), few lanes", "j.few.bytes_of_a_lane", "{:,.0f} bytes"),
    ("the same, many lanes", "j.many.bytes_of_a_lane", "{:,.0f} bytes"),
    ("idle lanes, many", "j.many.lanes", "{:,.0f}"),
    ("Redis with that many", "j.many.redis_mb", "{:,.0f} MB"),
    ("ledger, for a million events in batches of 1,000", "ledger.rows_full", "{:,.0f} rows"),
    ("ledger, for a million events in batches of ten", "ledger.rows_of_ten", "{:,.0f} rows"),
    ("the ledger's file for the latter", "ledger.mb_of_ten", "{:,.0f} MB"),
    ("from starting three workers to the first row", "start.first_row_s", "{:.1f} s"),
    ("`segsync --help`", "look.few.--help", "{:.2f} s"),
    ("`segsync status`, few idle lanes", "look.few.status", "{:.2f} s"),
    ("`segsync status`, many idle lanes", "look.many.status", "{:.2f} s"),
    ("memory of a worker's main process", "memory.few.deliver.parent_mb", "{:.0f} MB"),
    ("memory of each of its children", "memory.few.deliver.child_mb", "{:.0f} MB"),
    ("memory of beat", "memory.few.beat.parent_mb", "{:.0f} MB"),
    ("(f) lateness of the timeout, median", "f.lateness.p50_ms", "{:.0f} ms"),
    ("(f) the plain loop, which waits for no batch: push to visible, median", "f.loop.latency.p50_ms", "{:.0f} ms"),
    ("(f) the plain loop, 99th percentile", "f.loop.latency.p99_ms", "{:.0f} ms"),
    ("(h) pushed", "h.rate", "{:,.0f} events/s"),
    ("(h) Redis's data, the most after the first minute", "h.redis.later_mb", "{:.1f} MB"),
    ("(i) batches a second of one worker, 50 ms a statement", "i.1.rate", "{:.1f}"),
    ("(i) of two", "i.2.rate", "{:.1f}"),
    ("(i) of four", "i.4.rate", "{:.1f}"),
)


def _costs(figures: Figures) -> Iterator[str]:
    yield "\n### What use costs\n"
    yield "| what | so much |"
    yield "|---|---|"
    for text, name, form in COSTS:
        value = figures.median(name)
        if value is not None:
            yield f"| {text} | {form.format(value)} |"
    yield "\nIdle processes, in % of one core:\n"
    yield "| idle lanes | route | upkeep | deliver (two processes) | beat | Redis |"
    yield "|---|---|---|---|---|---|"
    for name in ("few", "many"):
        shown = [figures.median(f"j.{name}.percent.{part}") for part in ("route", "upkeep", "deliver", "beat", "redis")]
        lanes = figures.median(f"j.{name}.lanes")
        if lanes is not None:
            yield f"| {lanes:,.0f} | {' | '.join('' if value is None else f'{value:.1f}' for value in shown)} |"
