"""The picture in README.md: throughput as a share of the floor's, as SVG."""

from collections.abc import Sequence
from html import escape

from benchmarks.results import Results
from benchmarks.servers import Candidate

_COLORS = ("#0b7285", "#e8590c", "#868e96", "#5f3dc4", "#2b8a3e", "#c2255c", "#1864ab", "#e67700")
_WIDTH, _LEFT, _RIGHT = 860, 210, 120
_BAR, _GAP = 13, 14


def draw(results: Results, connections: int) -> str:
    """Of all work that the floor does too."""
    works = [
        work for work in results.works(connections) if results.ratio("floor", "floor", work.name, connections)
    ]
    shown = [one for one in results.candidates if one.name != "floor"]
    widest = max(
        [
            1.0,
            *(
                results.ratio(one.name, "floor", work.name, connections) or 0
                for work in works
                for one in shown
            ),
        ]
    )
    scale = (_WIDTH - _LEFT - _RIGHT) / widest
    parts: list[str] = []
    y = 64
    for work in works:
        top = y
        for one, color in zip(shown, _COLORS, strict=False):
            share = results.ratio(one.name, "floor", work.name, connections)
            throughput = results.figure("throughput", one.name, work.name, connections)
            if share is not None and throughput is not None:
                parts += _bar(y, share * scale, color, f"{throughput:,.0f}/s · {share:.0%}")
                y += _BAR + 1
        parts.append(_text(_LEFT - 10, (top + y) / 2 + 4, work.title, anchor="end"))
        y += _GAP
    parts.append(
        f'<line x1="{_LEFT + scale:.0f}" y1="52" x2="{_LEFT + scale:.0f}" y2="{y}" stroke="#212529" stroke-dasharray="4 3"/>'
    )
    return _page(y + 8, [*_legend(shown, connections), *parts])


def _bar(y: float, length: float, color: str, label: str) -> list[str]:
    return [
        f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, length):.1f}" height="{_BAR}" fill="{color}"/>',
        _text(_LEFT + length + 6, y + _BAR - 2.5, label, size=11),
    ]


def _legend(shown: Sequence[Candidate], connections: int) -> list[str]:
    parts = [
        _text(
            12, 20, f"Requests a second, as a share of the floor (dashed); {connections} connections", size=14
        )
    ]
    x = 12
    for one, color in zip(shown, _COLORS, strict=False):
        parts.append(f'<rect x="{x}" y="31" width="12" height="12" fill="{color}"/>')
        parts.append(_text(x + 17, 41, one.title))
        x += 40 + 7 * len(one.title)
    return parts


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


def _page(height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        'font-family="system-ui, sans-serif" fill="#212529">'
    )
    return "\n".join(
        [head, f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#fff"/>', *parts, "</svg>", ""]
    )
