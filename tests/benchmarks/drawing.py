"""Draws charts as SVG that reads on light and on dark pages. Pure: figures in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, LEFT, RIGHT = 1060, 530, 170
TOP, ROW, BOTTOM = 66, 26, 18
BAR = 14
LONGEST_LABEL = 76
MAX_TIMES = 2.5
"""How far over its target a bar is drawn; what is longer is cut off, and its figure tells."""

_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .faint { fill: #59636e; font-size: 12px }
  .good { fill: #1a7f37 } .bad { fill: #cf222e } .plain { fill: #4f6a8f }
  .mark { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 } .grid { stroke: #d1d9e0 }
  .span { stroke: #4f6a8f; stroke-width: 3; stroke-linecap: round; opacity: .45 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 } .good { fill: #3fb950 } .bad { fill: #f85149 }
    .plain { fill: #79a8e0 } .mark { stroke: #e6edf3 } .grid { stroke: #3d444d } .span { stroke: #79a8e0 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    figure: str
    """What stands beside it."""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of one subject, in milliseconds, from the lowest up."""

    label: str
    points: tuple[tuple[str, float], ...]


def target_bars(title: str, bars: Sequence[Bar]) -> str:
    """Bars whose value is 1 where the target is: what reaches the dashed line has met it."""
    scale = (WIDTH - LEFT - RIGHT) / MAX_TIMES
    # The figures stand in a column, out of the line's way.
    column = WIDTH - RIGHT + 14
    rows = [_bar(number, bar, min(bar.value, MAX_TIMES) * scale, column) for number, bar in enumerate(bars)]
    at, foot = LEFT + scale, _foot(len(bars))
    line = f'<line class="mark" x1="{at:.1f}" y1="{TOP - 6}" x2="{at:.1f}" y2="{foot}"/>'
    label = f'<text class="faint" x="{at:.1f}" y="{TOP - 12}" text-anchor="middle">target</text>'
    return _page(title, len(bars), [*rows, line, label])


def bars(title: str, several: Sequence[Bar]) -> str:
    """Bars from zero to the greatest of them."""
    greatest = max((bar.value for bar in several), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / greatest
    rows = [_bar(number, bar, bar.value * scale, LEFT + bar.value * scale + 8) for number, bar in enumerate(several)]
    return _page(title, len(several), rows)


def latencies(title: str, several: Sequence[Percentiles]) -> str:
    """A dot for each percentile, on a logarithmic scale of milliseconds."""
    values = [value for one in several for _, value in one.points]
    lowest = floor(log10(min(values, default=1.0)))
    highest = max(ceil(log10(max(values, default=10.0))), lowest + 1)
    scale = (WIDTH - LEFT - RIGHT) / (highest - lowest)

    def x(milliseconds: float) -> float:
        return LEFT + (log10(milliseconds) - lowest) * scale

    grid = [_grid(x(10.0**power), f"{10.0**power:g} ms", len(several)) for power in range(lowest, highest + 1)]
    rows = [_dots(number, one, [x(value) for _, value in one.points]) for number, one in enumerate(several)]
    return _page(title, len(several), [*grid, *rows])


def _page(title: str, rows: int, drawn: Sequence[str]) -> str:
    height = _foot(rows) + BOTTOM
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="12" y="26">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


def _foot(rows: int) -> int:
    return TOP + rows * ROW


def _label(number: int, text: str) -> str:
    short = text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1].rstrip()}…"
    y = TOP + number * ROW + BAR - 2
    return f'<text x="{LEFT - 10}" y="{y}" text-anchor="end">{escape(short)}</text>'


def _bar(number: int, bar: Bar, length: float, figure_at: float) -> str:
    kind = {True: "good", False: "bad", None: "plain"}[bar.met]
    y = TOP + number * ROW
    return (
        f'{_label(number, bar.label)}<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
        f'<text x="{figure_at:.1f}" y="{y + BAR - 2}">{escape(bar.figure)}</text>'
    )


def _dots(number: int, one: Percentiles, at: Sequence[float]) -> str:
    y = TOP + number * ROW + BAR / 2
    figure = " / ".join(f"{value:.3g}" for _, value in one.points)
    dots = "".join(f'<circle class="plain" cx="{x:.1f}" cy="{y}" r="4.5"/>' for x in at)
    return (
        f'{_label(number, one.label)}<line class="span" x1="{at[0]:.1f}" y1="{y}" x2="{at[-1]:.1f}" y2="{y}"/>{dots}'
        f'<text x="{WIDTH - RIGHT + 14}" y="{y + 5}">{escape(figure)}</text>'
    )


def _grid(x: float, label: str, rows: int) -> str:
    return (
        f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{_foot(rows)}"/>'
        f'<text class="faint" x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{label}</text>'
    )
