"""From tick records to the curves the report draws: columns of numbers, put together as charts, in groups."""

from __future__ import annotations

import math
import re
from typing import Any

from tightrope.report.records import Record, number, part, scalars, whole

LIMIT = 3000  # points a curve; beyond it an even choice is drawn, with every extreme and every value that is no number
TITLES = {
    "samples": "Samples, as training saw them",
    "balance": "Balance of the players",
    "grad": "Gradients of the players",
    "update": "Updates of the players",
    "spectrum": "Spectra of the players",
    "critic": "What D says",
}
PAIR = re.compile(r"(?<![a-z])real(?![a-z])")
Columns = dict[str, list[float | None]]


def columns(ticks: list[Record]) -> Columns:
    """{curve: one value a tick}, None where a tick does not have it. Names as recorded, knobs as "knob/NAME"."""
    rows = [_row(tick) for tick in ticks]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _row(tick: Record) -> dict[str, float]:
    row = {name: _value(v) for kind in ("terms", "signals") for name, v in part(tick, kind).items()}
    row |= {f"knob/{name}": _value(v) for name, v in _flat(part(tick, "knobs")).items() if v is not None}
    return row | {name: _value(tick[name]) for name in ("speed", "memory_mb") if tick.get(name) is not None}


def _flat(knobs: Record) -> Record:
    """Knobs by name; one that every player has of its own ({"rates": {"D": 0.5}}) as one a player."""
    found: Record = {}
    for name, v in knobs.items():
        found |= {f"{name}/{player}": own for player, own in v.items()} if isinstance(v, dict) else {name: v}
    return found


def _value(value: Any) -> float:
    return float(value) if isinstance(value, bool) else number(value)


def thin(curves: Columns, count: int, limit: int = LIMIT) -> list[int]:
    """The indices of the ticks to draw: an even choice plus each curve's extremes and first non-finite values."""
    if count <= limit:
        return list(range(count))
    kept = {round(i * (count - 1) / (limit - 1)) for i in range(limit)}
    for values in curves.values():
        finite = [i for i, v in enumerate(values) if v is not None and math.isfinite(v)]
        if finite:
            kept |= {min(finite, key=lambda i: values[i] or 0.0), max(finite, key=lambda i: values[i] or 0.0)}
        kept |= set([i for i, v in enumerate(values) if v is not None and not math.isfinite(v)][:20])
    return sorted(kept)


def plain(value: float | None) -> float | str | None:
    """A number as JSON can hold it: six significant digits; NaN and infinities as words."""
    if value is None:
        return None
    if math.isfinite(value):
        return float(f"{value:.6g}")
    return "NaN" if math.isnan(value) else "+inf" if value > 0 else "-inf"


def document(ticks: list[Record], events: list[Record], metrics: list[Record]) -> dict[str, Any]:
    """What charts.js draws: {seen, seconds, curves, groups, constants, resumes, total}."""
    all_curves = columns(ticks)
    kept = thin(all_curves, len(ticks))
    curves = {name: [values[i] for i in kept] for name, values in all_curves.items()}
    constants = {name: values[0] for name, values in curves.items() if _constant(values)}
    series: dict[str, Any] = {name: {"y": [plain(v) for v in values]} for name, values in curves.items() if name not in constants}
    names = list(series)
    for name, points in _histories(metrics).items():
        series[f"metric/{name}"] = {"x": [x for x, _ in points], "y": [plain(y) for _, y in points]}
    return {
        "seen": [ticks[i]["seen"] for i in kept],
        "seconds": [plain(number(ticks[i].get("seconds"))) for i in kept],
        "series": series,
        "groups": _groups(names, [name for name in series if name.startswith("metric/")]),
        "constants": {name: plain(value) for name, value in constants.items()},
        "resumes": sorted({whole(r.get("seen")) for r in events if r.get("event") == "resume"}),
        "total": len(ticks),
    }


def _constant(values: list[float | None]) -> bool:
    """Whether a curve says nothing: at least three ticks, every one with the same finite value."""
    first = values[0]
    return len(values) > 2 and first is not None and math.isfinite(first) and all(v == first for v in values)


def _histories(metrics: list[Record]) -> dict[str, list[tuple[int, float]]]:
    """{metric: [(seen, value)]} of the metrics that were measured more than once."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in scalars(metrics):
        points.setdefault(str(record["name"]), []).append((whole(record.get("seen")), number(record["value"])))
    return {name: sorted(found) for name, found in points.items() if len(found) > 1}


def _groups(names: list[str], metrics: list[str]) -> list[dict[str, Any]]:
    """Charts in the order people read them: metrics, each player, speed and memory, knobs."""
    moved = {name.split("/")[1] for name in names if name.startswith("update/")}  # the players, where a gauge told of them
    players = dict.fromkeys(name.split("/")[0] for name in names if "/" in name and not name.startswith("knob/"))
    groups = [{"title": "Metrics over the run", "charts": [[name] for name in metrics]}]
    for player in players:
        title = TITLES.get(player, f"Player {player}" if player in moved or not moved else f"Phase {player}")
        groups.append({"title": title, "charts": _pairs([n for n in names if n.startswith(f"{player}/")])})
    loose = [[n] for n in names if "/" not in n and n not in ("speed", "memory_mb")]
    groups.append({"title": "Other terms and signals", "charts": loose})
    groups.append({"title": "Knobs", "charts": [[n] for n in names if n.startswith("knob/")]})
    groups.append({"title": "Speed and memory", "charts": [[n] for n in ("speed", "memory_mb") if n in names]})
    return [group for group in groups if group["charts"]]


def _pairs(names: list[str]) -> list[list[str]]:
    """One chart a curve, but "real" and "fake" of the same signal share one: their distance is what matters."""
    charts, done = [], set[str]()
    for name in names:
        twin = PAIR.sub("fake", name)
        if name in done or ("fake" in name and name.replace("fake", "real") in names):
            continue
        pair = [name, twin] if twin != name and twin in names else [name]
        done.update(pair)
        charts.append(pair)
    return sorted(charts, key=lambda chart: len(chart) == 1)
