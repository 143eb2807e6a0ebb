"""Charts as SVG, without a library: bars and lines on a logarithmic scale, because the stages lie decades apart."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 720, 170, 110, 44, 30
HEIGHT, BOTTOM, LABEL = 320, 40, 14
COLORS = ("#8c8c8c", "#d1495b", "#edae49", "#66a182", "#2e4057", "#00798c", "#7b2d8b")
STYLE = "font: 13px system-ui, sans-serif; background: #fff"


def short(value: float) -> str:
    """Return a number as one reads it: 1.2 M, 350 k, 47."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str) -> str:
    """Return horizontal bars, one a row, each with its value; lengths are logarithmic."""
    most = max((value for _, value in rows), default=1.0)
    least = min((value for _, value in rows if value > 0), default=1.0)
    low, high = math.floor(math.log10(least) - 0.2), math.log10(max(most, least * 10))
    span = WIDTH - LEFT - RIGHT
    parts = [_text(LEFT, 24, f"{title} ({unit}, logarithmic)", weight="bold")]
    for number, (name, value) in enumerate(rows):
        top = TOP + number * ROW
        length = span * (math.log10(value) - low) / (high - low) if value > 0 else 0.0
        parts += [
            _text(LEFT - 8, top + 16, name, anchor="end"),
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{ROW - 8}" fill="{COLORS[number % len(COLORS)]}"/>',
            _text(LEFT + length + 6, top + 16, short(value)),
        ]
    return _svg(TOP + len(rows) * ROW + 10, title, parts)


def lines(title: str, xs: Sequence[float], series: Sequence[tuple[str, Sequence[float]]], unit: str) -> str:
    """Return a line for each series over the values ``xs``; both axes are logarithmic."""
    values = [value for _, ys in series for value in ys if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    high = max(high, low + 1)
    first, last = math.log10(xs[0]), math.log10(xs[-1])
    span, rise = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x_of(x: float) -> float:
        return LEFT + span * ((math.log10(x) - first) / (last - first) if last > first else 0.5)

    def y_of(y: float) -> float:
        return TOP + rise * (high - math.log10(max(y, 10**low))) / (high - low)

    parts = [_text(LEFT, 24, f"{title} ({unit}, logarithmic)", weight="bold")]
    for power in range(low, high + 1):
        height = y_of(10**power)
        parts.append(f'<line x1="{LEFT}" y1="{height:.1f}" x2="{WIDTH - RIGHT}" y2="{height:.1f}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, height + 4, short(10**power), anchor="end"))
    parts += [_text(x_of(x), HEIGHT - BOTTOM + 20, f"{x:g}", anchor="middle") for x in xs]
    for number, (_, ys) in enumerate(series):
        points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in zip(xs, ys, strict=True))
        color = COLORS[number % len(COLORS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
    free = 0.0  # labels at the ends of lines that lie close together move down
    for number, (name, ys) in sorted(enumerate(series), key=lambda each: y_of(each[1][1][-1])):
        free = max(free, y_of(ys[-1]) + 4)
        parts.append(_text(WIDTH - RIGHT + 8, free, name, fill=COLORS[number % len(COLORS)]))
        free += LABEL
    return _svg(HEIGHT, title, parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", fill: str = "#222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-weight="{weight}" fill="{fill}">{escape(text)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" style="{STYLE}">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>"]) + "\n"
