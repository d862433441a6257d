"""Small pure geometry for pictures drawn without a browser: smoothing, paths, round numbers, places for labels and marks."""

from __future__ import annotations

import math
from collections.abc import Sequence

Curve = Sequence[tuple[float, float]]  # (x, y), y NaN where the curve breaks


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most about `most` points: of each group the lowest and the highest, and one that is no number if there is one."""
    size = math.ceil(2 * len(points) / most)
    if size <= 2:
        return list(points)
    kept: list[tuple[int, float]] = []
    for group in (points[i : i + size] for i in range(0, len(points), size)):
        finite = [p for p in group if math.isfinite(p[1])]
        broken = [p for p in group if not math.isfinite(p[1])][:1]
        kept += sorted({*broken, *([min(finite, key=lambda p: p[1]), max(finite, key=lambda p: p[1])] if finite else [])})
    return sorted({*kept, points[0], points[-1]}, key=lambda p: p[0])


def smoothed(points: Sequence[tuple[int, float]], width: float = 0.012, least: int = 40) -> list[tuple[int, float]]:
    """A Gaussian over neighbours, `width` of the curve wide. Short curves and values that are no numbers stay as they are."""
    sigma = max(1e-9, len(points) * width)
    reach = math.ceil(2.5 * sigma)
    if len(points) < least:
        return list(points)
    weights = [math.exp(-0.5 * (d / sigma) ** 2) for d in range(reach + 1)]
    found = []
    for i, (x, y) in enumerate(points):
        near = [(weights[abs(j - i)], points[j][1]) for j in range(max(0, i - reach), min(len(points), i + reach + 1))]
        finite = [(w, v) for w, v in near if math.isfinite(v)]
        found.append((x, sum(w * v for w, v in finite) / sum(w for w, _ in finite) if math.isfinite(y) else math.nan))
    return found


def pieces(curve: Curve) -> list[list[tuple[float, float]]]:
    """The curve between its breaks."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in curve:
        if math.isfinite(y):
            found[-1].append((x, y))
        elif found[-1]:
            found.append([])
    return [piece for piece in found if piece]


def breaks(curve: Curve) -> list[tuple[float, float]]:
    """(first x, last x) of every stretch of values that are no numbers."""
    found: list[tuple[float, float]] = []
    whole = True
    for x, y in curve:
        if not math.isfinite(y):
            found.append((x, x) if whole else (found.pop()[0], x))
        whole = math.isfinite(y)
    return found


def line(piece: Curve) -> str:
    """An SVG path through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece)


def area(piece: Curve, base: float) -> str:
    """An SVG path around what lies between points and a level line."""
    return f"M{piece[0][0]:.1f} {base:.1f}L{line(piece)[1:]}L{piece[-1][0]:.1f} {base:.1f}Z"


def at(curve: Curve, x: float) -> float:
    """The height of a curve at x: on the line between neighbours, held beyond its ends; NaN without any number."""
    finite = [(a, b) for a, b in curve if math.isfinite(b)]
    if not finite:
        return math.nan
    after = next((i for i, (a, _) in enumerate(finite) if a >= x), len(finite) - 1)
    (x0, y0), (x1, y1) = finite[max(0, after - 1)], finite[after]
    share = min(1.0, max(0.0, (x - x0) / (x1 - x0))) if x1 > x0 else 1.0
    return y0 + (y1 - y0) * share


def round_steps(top: float, wanted: int) -> list[float]:
    """0 and up to `top` in about `wanted` round steps."""
    power = 10.0 ** math.floor(math.log10(top / wanted))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= top / wanted * 0.999), 10 * power)
    step = max(1.0, step)
    return [step * i for i in range(int(top / step + 1e-9) + 1)]


def flags(wishes: Sequence[tuple[float, float, float]], gap: float, most: int) -> list[int | None]:
    """A row for each flag (pole, left, right): no two texts overlap, and no pole crosses the text of a row below its own.

    Those earlier in the list choose first, the lowest row that is free; None where none of `most` rows is.
    """
    placed: list[tuple[float, float, float, int]] = []
    found: list[int | None] = []
    for pole, left, right in wishes:

        def free(row: int, pole: float = pole, left: float = left, right: float = right) -> bool:
            texts = all(r != row or right + gap <= a or b + gap <= left for _, a, b, r in placed)
            above = all(r <= row or not left - 2 <= p <= right + 2 for p, _, _, r in placed)
            below = all(r >= row or not a - 2 <= pole <= b + 2 for _, a, b, r in placed)
            return texts and above and below

        row = next((row for row in range(most) if free(row)), None)
        if row is not None:
            placed.append((pole, left, right, row))
        found.append(row)
    return found


def spread(wishes: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for marks in rising order, at least `gap` apart within low..high, as near to their wishes as that allows.

    Marks that touch form a group, which stands where its wishes are on average. With too little room the gap shrinks.
    """
    gap = min(gap, (high - low) / max(1, len(wishes) - 1))
    groups: list[tuple[float, int]] = []  # (left of the group, number of marks)
    for wish in wishes:
        now = (min(high, max(low, wish)), 1)
        while groups and groups[-1][0] + groups[-1][1] * gap > now[0]:
            left, n = groups.pop()
            start = (left * n + (now[0] - n * gap) * now[1]) / (n + now[1])
            width = (n + now[1] - 1) * gap
            now = (min(high - width, max(low, start)), n + now[1])
        groups.append(now)
    return [left + i * gap for left, n in groups for i in range(n)]
