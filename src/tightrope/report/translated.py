"""The report's section "Translation": figures beside those of the pictures given, and the best, median and worst cases.

Figures are those records of metrics.jsonl that say what the trivial answer reaches; cases are what `tightrope evaluate` left in the
run's folder `judged`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tightrope.report import pictures
from tightrope.report.records import Record, number, part, read_record, whole
from tightrope.report.words import count, esc, measured

FOLDER, RECORD = "judged", "cases.json"
BOUNDED = {"PSNR": " dB", "PSNR of Y": " dB"}  # figures with a unit
LARGE = 160  # pixels a side of a picture, from which on a case has a line of its own
LOSSLESS = 640  # pixels a strip is wide at most to be kept to the bit
TITLES = {"best": "Best", "median": "Median", "worst": "Worst", "some": "Some of them"}
WORDS = {"given": "Given", "made": "Made", "wanted": "Wanted"}


def section(run: Path, metrics: list[Record]) -> str:
    """The report's section, or nothing where the run does not translate or was not judged."""
    rows, shown = table(metrics), cases(run)
    if not rows and not shown:
        return ""
    of = part(_newest(metrics)[-1], "protocol").get("scored on") if rows else None
    small = f" <small>{esc(of)}</small>" if of else ""
    return f'<section id="translation"><h2>Translation{small}</h2>{rows}{shown}</section>'


# ---------------------------------------------------------------- figures
def table(metrics: list[Record]) -> str:
    """A figure a row: of what is made, of the picture given as it is, and what lies between; then errors without such a rival."""
    found = _newest(metrics)
    if not found:
        return ""
    heads = (("Figure", ""), ("Made", "n"), ("95 %", "n"), ("Given, as it is", "n"), ("Gained", "n"), ("Pictures improved", "n"))
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in heads)
    rows = "".join(map(_row, found))
    notes = dict.fromkeys(str(note) for entry in found for note in entry.get("notes") or [])
    said = "".join(f'<p class="note">{esc(note)}</p>' for note in notes)
    return f'<div class="card flush"><table class="translated"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{said}'


def _newest(metrics: list[Record]) -> list[Record]:
    """The last record of every figure of a translation, in the order of the last evaluation."""
    latest: dict[str, Record] = {}
    for entry in sorted(metrics, key=lambda entry: whole(entry.get("seen"))):
        if "scored on" in part(entry, "protocol") and math.isfinite(number(entry["value"])):
            latest[str(entry["name"])] = entry
    return sorted(latest.values(), key=lambda entry: "beaten" not in part(entry, "trivial"))  # picture by picture first


def _row(entry: Record) -> str:
    usual, value = part(entry, "trivial"), number(entry["value"])
    span, name = entry.get("interval"), str(entry["name"])
    unit = BOUNDED.get(name, "")
    interval = f"{measured(span[0])} … {measured(span[1])}" if isinstance(span, list) and len(span) == 2 else ""
    arrow = {"lower": "↓", "higher": "↑"}.get(str(entry.get("better")), "")
    given = measured(usual["value"]) + unit if "value" in usual else "–"
    share = number(usual.get("beaten"))
    beaten = f"{100 * share:.0f}\u202f%" if math.isfinite(share) else ""
    return (
        f'<tr><th scope="row">{esc(name)} <span class="muted">{arrow}</span></th><td class="n big">{measured(value)}{unit}</td>'
        f'<td class="n">{interval}</td><td class="n">{given}</td>{_gain(entry, number(usual.get("value")))}<td class="n">{beaten}</td></tr>'
    )


def _gain(entry: Record, usual: float) -> str:
    """How far what is made lies from what is given: as a share, of decibels and of likeness as a difference."""
    value, lower = number(entry["value"]), entry.get("better") == "lower"
    if not math.isfinite(usual):
        return '<td class="n"></td>'
    if not lower:
        text = f"{value - usual:+.2f}{BOUNDED.get(str(entry['name']), '')}"
    else:
        text = f"{100 * (value / usual - 1):+.0f}\u202f%" if usual > 0 else ""
    kind = "good" if (value < usual) == lower and value != usual else "bad"
    return f'<td class="n gained {kind}">{text.replace("-", "−")}</td>'


# ---------------------------------------------------------------- cases
def cases(run: Path) -> str:
    """Every case as a strip of the picture given, made and wanted, under its rank."""
    record = read_record(run / FOLDER / RECORD)
    listed = record.get("cases")
    found = [case for case in listed if isinstance(case, dict)] if isinstance(listed, list) else []
    columns = [str(name) for name in record.get("columns") or []]
    key = record.get("ranked by")
    shown = [(case, parts) for case in found if columns and (parts := _parts(run, case, len(columns)))]
    if not shown:
        return ""
    large = shown[0][1][0].width >= LARGE
    blocks = ""
    for rank in dict.fromkeys(str(case.get("rank")) for case, _ in shown):
        figures = "".join(_case(case, parts, columns, key) for case, parts in shown if str(case.get("rank")) == rank)
        blocks += f'<h3>{TITLES.get(rank, esc(rank))}</h3><div class="cases{" large" if large else ""}">{figures}</div>'
    return f'<div class="card gallery {"smooth" if large else "pixelated"}">{_about(record, key)}{blocks}</div>'


def _about(record: Record, key: Any) -> str:
    ranked = f"ranked by {esc(_short(key))}" if key else "evenly chosen: nobody knows what they should become"
    return f'<p class="note">From {count(record.get("pictures"))} pictures, {esc(record.get("of"))}; {ranked}.</p>'


def _short(name: Any) -> str:
    """A figure's name without the network it was taken with."""
    return str(name).partition("[")[0]


def _parts(run: Path, case: Record, many: int) -> list[pictures.Frame]:
    """The pictures of a case, cut out of its strip; only ever a file of the folder itself."""
    image = pictures.opened(run / FOLDER / Path(str(case.get("picture"))).name)
    if image is None or image.width % many:
        return []
    side, quality = image.width // many, None if image.width <= LOSSLESS else 90
    return [pictures.frame(0, image.crop((k * side, 0, (k + 1) * side, image.height)), quality) for k in range(many)]


def _case(case: Record, parts: list[pictures.Frame], columns: list[str], key: Any) -> str:
    figures, usual = part(case, "figures"), number(part(case, "trivial").get(str(key)))
    shown = "".join(
        f'<span>{esc(WORDS.get(name, name))}<img src="{frame.uri}" width="{frame.width}" height="{frame.height}" '
        f'alt="{esc(case.get("rank"))} case, {esc(name)}"></span>'
        for name, frame in zip(columns, parts, strict=True)
    )
    said = f"<b>{esc(_short(key))} {number(figures[key]):.3g}</b>" if key in figures else ""
    said += f' <span class="muted">given {usual:.3g}</span>' if math.isfinite(usual) else ""
    name = f'<span class="muted name">{esc(case["name"])}</span>' if case.get("name") else ""
    others = ", ".join(f"{_short(other)} {measured(figure)}" for other, figure in figures.items() if other != key)
    return f'<figure title="{esc(others)}"><div class="strip">{shown}</div><figcaption>{said}{name}</figcaption></figure>'
