"""The page of the doctor of logs: the verdict, the curves with the best point, the break and what came after, the checks."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tightrope.core.files import write_text
from tightrope.report.records import Record
from tightrope.report.words import duration, esc, measured

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1000.0, 240.0, 62.0, 14.0, 26.0, 26.0
POINTS = 700  # of a curve that is drawn; of more, the extremes of every stretch
DECADES = 20.0  # largest over smallest, from which a scale is logarithmic
CHECKS = {
    "metric": "metric",
    "non-finite": "finite",
    "collapsing": "not gone",
    "exploding": "on its scale",
    "frozen": "moving",
    "swinging": "steady",
    "stopped": "stopped",
}


class Point(NamedTuple):
    x: float
    y: float


def write(path: Path, record: Record, log: Any) -> Path:
    """Write the page atomically and return its path.

    Args:
        record: what `tightrope doctor LOG --json` prints.
        log: what was read: `history` with `readings`, `clock` with `at`.
    """
    from tightrope.report.html import asset, page  # brings torch along: what is wrong with a log is told before

    main = (
        f'<header class="head">{_header(record)}</header>'
        f'<section id="curves"><h2>Curves</h2>{_charts(record, log)}</section>'
        f'<section id="findings"><h2>Findings</h2>{findings(record["checks"])}</section>'
        f'<section id="columns"><h2>Columns</h2>{_columns(record)}</section>'
    )
    text = page(
        title=f"{record['subject']} · Tightrope doctor",
        css=asset("report.css") + asset("doctor.css") + asset("logged.css"),
        brand="Tightrope doctor",
        links=("Curves", "Findings", "Columns"),
        main=main,
        footer=f"<p>Tightrope {esc(record['tightrope'])}. This file is complete in itself and loads nothing from the network.</p>",
    )
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))
    return path


def paragraph(record: Record | None) -> str:
    """The same in one section of another page; empty without a record."""
    if record is None:
        return ""
    alarms = [check for check in record["checks"] if not check["ok"]]
    return (
        f'<section id="over"><h2>Over the run</h2><div class="verdict {_tone(record)}"><b>{_word(record)}</b>'
        f"<p>{esc(record['summary'])}</p></div>{findings(alarms[1:])}</section>"
    )


def findings(checks: list[Record]) -> str:
    """The checks as a list; those that failed come first."""
    rows = "".join(
        f'<li class="card{"" if check["ok"] else " alarm"}"><span class="what"><i aria-hidden="true"></i>'
        f"{esc(CHECKS.get(check['check'], check['check']) if check['ok'] else check['name'])}</span>"
        f'<p>{esc(check["sentence"])}</p><span class="sure">{_sure(check)}</span></li>'
        for check in sorted(checks, key=lambda check: check["ok"])
    )
    return f'<ul class="findings logged">{rows}</ul>' if rows else ""


def _sure(check: Record) -> str:
    if check["ok"]:
        return esc(check["series"].removeprefix("metric/"))
    return "certain" if check["sure"] >= 1 else f"{min(check['sure'], 0.999):.1%} sure"


def _tone(record: Record) -> str:
    return "bad" if record["broke"] else "good"


def _word(record: Record) -> str:
    return "broke" if record["broke"] else esc(record["verdict"])


def _header(record: Record) -> str:
    notes = "".join(f'<p class="note">{esc(note)}</p>' for note in record["notes"])
    return (
        f'<div class="title"><h1>{esc(record["subject"])}</h1></div><p class="lead">The log of a run, counted in {esc(record["clock"])}</p>'
        f'<div class="verdict {_tone(record)}"><b>{_word(record)}</b><p>{esc(record["summary"])}</p></div>{_tiles(record)}{notes}'
    )


def _tiles(record: Record) -> str:
    """Best, break and cost as large figures."""
    cost, tiles = record["cost"], []
    if best := record["best"]:
        tiles.append((f"best {best['series'].removeprefix('metric/')}", measured(best["value"]), f"at {best['at']}"))
    if broke := record["broke"]:
        tiles.append(("broke at", broke["at"].split(" ")[-1], f"{broke['at'].rsplit(' ', 1)[0]}, {_sure(broke | {'ok': False})}"))
    for key, words in (("best", "after the best"), ("break", "after the break")):
        if f"share_after_{key}" in cost:
            spent = cost.get(f"seconds_after_{key}")
            tiles.append(
                (f"steps {words}", f"{cost[f'share_after_{key}']:.0%}", duration(spent) if spent is not None else "of all")
            )
    made = "".join(f"<div><dt>{esc(a)}</dt><dd>{esc(b)}</dd><small>{esc(c)}</small></div>" for a, b, c in tiles)
    return f'<dl class="tiles logged">{made}</dl>' if made else ""


def _columns(record: Record) -> str:
    rows = "".join(f"<tr><td>{esc(name)}</td><td>{esc(of)}</td></tr>" for name, of in record["columns"].items())
    return f'<div class="card flush"><table><tr><th>series</th><th>read from</th></tr>{rows}</table></div>'


def _charts(record: Record, log: Any) -> str:
    """One chart a series, in the order of the record's columns."""
    worst: dict[str, Record] = {}
    for check in record["findings"]:
        worst.setdefault(check["series"], check)
    names = sorted(record["columns"], key=lambda name: not name.startswith("metric/"))
    charts = []
    for name in names:
        read = [Point(r.seen, r.values[name]) for r in log.history.readings if name in r.values]
        points = [point for point in read if math.isfinite(point.y)]
        if len(points) > 1:
            own = next((c for c in record["checks"] if c["series"] == name and c["check"] == "metric"), None)
            best = own["evidence"]["best_at"] if own else None
            charts.append(_chart(name.removeprefix("metric/"), points, log, best, worst.get(name)))
    return "".join(charts)


def _chart(name: str, points: list[Point], log: Any, best: float | None, broke: Record | None) -> str:
    ends = log.history.readings[0].seen, log.history.readings[-1].seen
    across = _across(*ends)
    low, high = min(p.y for p in points), max(p.y for p in points)
    logarithmic = low > 0 and high / low > DECADES
    up = _up(low, high, logarithmic)
    line = " L".join(f"{across(p.x):.1f} {up(p.y):.1f}" for p in _thin(points))
    shades, marks = "", ""
    if best is not None and broke is not None:
        shades += _shade("lost", across(best), across(ends[1]))
    if broke is not None:
        x = across(broke["since"])
        shades += _shade("after", x, across(ends[1]))
        marks += f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        marks += _label("cut", x, TOP - 9, f"{broke['name']}, {broke['at']}")
    if best is not None:
        at = min(points, key=lambda p: abs(p.x - best))
        marks += f'<circle class="best" cx="{across(at.x):.1f}" cy="{up(at.y):.1f}" r="5"/>'
        marks += _label(
            "best",
            across(at.x),
            up(at.y) + (-12 if up(at.y) > HEIGHT / 2 else 22),
            f"best {measured(at.y)}, {log.clock.at(at.x)}",
        )
    scale = ", logarithmic" if logarithmic else ""
    return (
        f'<figure class="chart logged"><figcaption><b>{esc(name)}</b><span class="muted">{measured(points[-1].y)} at the end{scale}'
        f'</span></figcaption><svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{esc(name)} over the run">'
        f'{shades}{_axes(low, high, up, ends, across, log)}<path class="line cone" d="M{line}"/>{marks}</svg></figure>'
    )


def _across(first: float, last: float) -> Any:
    return lambda x: LEFT + (WIDTH - LEFT - RIGHT) * (x - first) / max(last - first, 1e-9)


def _up(low: float, high: float, logarithmic: bool) -> Any:
    bend = math.log if logarithmic else float
    bottom, top = bend(low), bend(high)
    pad = (top - bottom) * 0.07 or max(abs(top), 1e-9) * 0.07
    return lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (bend(y) - bottom + pad) / (top - bottom + 2 * pad)


def _axes(low: float, high: float, up: Any, ends: tuple[int, int], across: Any, log: Any) -> str:
    values = dict.fromkeys((low, high))
    made = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(v):.1f}" y2="{up(v):.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{up(v) + 4:.1f}" text-anchor="end">{measured(v)}</text>'
        for v in values
    )
    for moment, anchor in ((ends[0], "start"), (ends[1], "end")):
        made += f'<text class="tick" x="{across(moment):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{esc(log.clock.at(moment))}</text>'
    return made


def _shade(kind: str, left: float, right: float) -> str:
    return f'<rect class="{kind}" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'


def _label(kind: str, x: float, y: float, text: str) -> str:
    left = x < WIDTH * (0.3 if kind == "best" else 0.7)
    return (
        f'<text class="mark-{kind}" x="{x + (7 if left else -7):.1f}" y="{y:.1f}" text-anchor="{"start" if left else "end"}">'
        f"{esc(text)}</text>"
    )


def _thin(points: list[Point]) -> list[Point]:
    """At most POINTS: the lowest and the highest of every stretch, in order."""
    if len(points) <= POINTS:
        return points
    edges = [round(i * len(points) / (POINTS // 2)) for i in range(POINTS // 2 + 1)]
    kept: list[Point] = []
    for a, b in pairwise(edges):
        stretch = points[a:b]
        kept += sorted({min(stretch, key=lambda p: p.y), max(stretch, key=lambda p: p.y)})
    return kept
