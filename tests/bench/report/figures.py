"""What a run has measured, by name and round, and the medians that are shown of it."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Figures:
    """All that one run has found; kept as JSON, so that the page can be drawn again without measuring.

    values   by name, as in "a.segsync.rate": one for each round; rates are operations a second
    wrong    by name, as in "a.segsync": rows that differed from the model, over all rounds
    missing  rivals that did not run, and why
    about    machine, versions, command, date, load
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """One round's value."""
        self.values.setdefault(name, []).append(value)

    def check(self, name: str, rows: int) -> None:
        """How many rows differed; 0 is right."""
        self.wrong[name] = self.wrong.get(name, 0) + rows

    def busy(self, workload: str, before: dict[str, float], after: dict[str, float], seconds: float) -> None:
        """How many cores each process kept busy, told by its processor seconds before and after."""
        for name, spent in after.items():
            self.note(f"{workload}.cores.{name}", (spent - before[name]) / seconds)

    def median(self, name: str) -> float | None:
        """Over the rounds; None where it was not measured."""
        found = self.values.get(name)
        return statistics.median(found) if found else None

    def spread(self, name: str) -> tuple[float, float] | None:
        """The smallest and the largest of the rounds; None where there are not two."""
        found = self.values.get(name, [])
        return (min(found), max(found)) if len(found) > 1 else None

    def relate(self, name: str, one: str, other: str) -> None:
        """Notes `one` divided by `other` for each round, as `name`, so that its median is that of ratios."""
        pairs = zip(self.values.get(one, []), self.values.get(other, []), strict=False)
        if found := [first / second for first, second in pairs if second]:
            self.values[name] = found

    def save(self, path: Path) -> None:
        """Writes it down."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True))

    def take_over(self, part: str, again: Figures) -> None:
        """What one part has found when it was measured again takes the place of what it had found before."""
        self.values |= again.values
        self.wrong |= again.wrong
        old = {name for name in self.missing if name.partition(".")[0] == part}
        self.missing = {name: why for name, why in self.missing.items() if name not in old} | again.missing
        when = f"{part} on {again.about['date']} at commit {again.about['commit']}"
        self.about["again"] = ", ".join(filter(None, (self.about.get("again"), when)))

    @classmethod
    def read(cls, path: Path) -> Figures:
        """What `save` wrote."""
        return cls(**json.loads(path.read_text()))
