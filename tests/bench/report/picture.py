"""The picture: a bar for everybody's rows a second, on a logarithmic scale, as plain SVG."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from tests.bench.report.throughput import CONTESTANTS, OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.report.figures import Figures

TITLES = {"a": "one hot segment", "b": "1,000 segments, mixed", "c": "events of 1,000 profiles"}
WIDTH, LEFT, RIGHT, ROW, HEAD = 900, 290, 120, 22, 50
LEAST, MOST = 2, 6
"""Powers of ten at the ends of the scale."""
OWN, OTHERS, CEILING = "#1f6f4a", "#8a94a0", "#c9ced4"


def draw(figures: Figures) -> str:
    """All of it; a rival that did not run has no bar."""
    body: list[str] = []
    top = 10
    for workload, title in TITLES.items():
        bars = [
            (key, contestant.title if hasattr(contestant, "title") else key, rate)
            for key, contestant in CONTESTANTS.items()
            if (rate := figures.median(f"{workload}.{key}.rate")) is not None
        ]
        if not bars:
            continue
        body += _panel(f"({workload}) {title}: rows a second, on a logarithmic scale", bars, top)
        top += HEAD + ROW * len(bars) + 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    )
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#222"'
    ground = f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>'
    return "\n".join([f"{head} {style}>", ground, *body, "</svg>\n"])


def _panel(title: str, bars: list[tuple[str, str, float]], top: int) -> Iterator[str]:
    yield f'<text x="10" y="{top + 16}" font-weight="bold">{escape(title)}</text>'
    bottom = top + HEAD + ROW * len(bars)
    for power in range(LEAST, MOST + 1):
        x = _x(10.0**power)
        yield f'<line x1="{x:.1f}" y1="{top + HEAD - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e7ea"/>'
        yield f'<text x="{x:.1f}" y="{top + HEAD - 11}" font-size="10" text-anchor="middle">{10**power:,}</text>'
    for number, (key, who, rate) in enumerate(bars):
        y = top + HEAD + ROW * number
        fill = OWN if key == OURS else CEILING if key in {"bare", "copy"} else OTHERS
        weight = ' font-weight="bold"' if key == OURS else ""
        yield f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end"{weight}>{escape(who)}</text>'
        yield f'<rect x="{LEFT}" y="{y}" width="{max(1.0, _x(rate) - LEFT):.1f}" height="{ROW - 6}" fill="{fill}"/>'
        yield f'<text x="{_x(rate) + 6:.1f}" y="{y + 13}"{weight}>{rate:,.0f}</text>'


def _x(rate: float) -> float:
    share = (math.log10(max(rate, 1.0)) - LEAST) / (MOST - LEAST)
    return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)
