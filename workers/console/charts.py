"""Charts as SVG, made on the server: shapes with classes, which the style sheet colours; no script, no inline style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 600, 120
"""Of a chart, in its own units; it is drawn as wide as there is room."""
SPARK_WIDTH, SPARK_HEIGHT = 96, 20
"""Of a sparkline, in pixels."""
TOP: Final = 4
"""Units above the highest bar."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar: what it says when it is pointed at, and its parts from below, each with a class."""

    title: str
    parts: Sequence[tuple[str, float]]

    @property
    def total(self) -> float:
        """Its height."""
        return sum(value for _, value in self.parts)


def bars(name: str, found: Sequence[ChartBar], unit: str = "") -> Markup:
    """A figure of bars side by side, with its name and the highest value."""
    highest = max((bar.total for bar in found), default=0.0)
    label = f"{name}: at most {_short(highest)}{unit}"
    shapes = Markup("").join(_bars(found, highest))
    line = Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(HEIGHT, WIDTH)
    most = Markup("<figcaption><span>{}</span><span>{}</span></figcaption>").format(name, f"{_short(highest)}{unit}")
    return Markup("<figure>{}{}</figure>").format(most, _svg(label, WIDTH, HEIGHT + 1, "chart", line + shapes))


def spark(name: str, values: Sequence[float]) -> Markup:
    """A line the height of text; nothing where all is zero."""
    highest = max(values, default=0.0)
    if not highest:
        return Markup("")
    step = SPARK_WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{n * step:.1f},{SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * value / highest:.1f}"
        for n, value in enumerate(values)
    )
    return _svg(
        f"{name}: at most {_short(highest)} in an hour",
        SPARK_WIDTH,
        SPARK_HEIGHT,
        "spark",
        Markup('<polyline points="{}"/>').format(points),
    )


def _bars(found: Sequence[ChartBar], highest: float) -> Iterable[Markup]:
    if not found:
        return
    width = WIDTH / len(found)
    gap = min(2.0, width / 4)
    for n, bar in enumerate(found):
        upto, shapes = float(HEIGHT), Markup("")
        for kind, value in bar.parts:
            tall = (HEIGHT - TOP) * value / highest if highest else 0.0
            # What is there at all is seen.
            tall = max(tall, 1.5) if value else 0.0
            upto -= tall
            shapes += Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
                kind, n * width + gap / 2, upto, width - gap, tall
            )
        whole = Markup('<rect class="whole" x="{:.2f}" y="0" width="{:.2f}" height="{}"/>').format(
            n * width, width, HEIGHT
        )
        yield Markup("<g><title>{}</title>{}{}</g>").format(bar.title, whole, shapes)


def _svg(label: str, width: int, height: int, kind: str, inside: Markup) -> Markup:
    return Markup(
        '<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
    ).format(kind, label, width, height, inside)


def _short(value: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g} {letter}"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"  # noqa: PLR2004 - two digits
