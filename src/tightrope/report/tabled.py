"""The report's section "Table": the scorecard, marginals laid over each other, associations, pairs of numbers, some rows.

It draws what `tightrope evaluate` left in the run's folder `judged`, and the records that were measured on rows.
"""

from __future__ import annotations

from pathlib import Path

from tightrope.report import tables
from tightrope.report.records import Record, part, read_record, whole
from tightrope.report.words import esc

FOLDER, RECORD = "judged", "table.json"
READER = "rows as a file holds them"  # the extractor of these records


def section(run: Path, metrics: list[Record]) -> str:
    """The report's section, or nothing where the run makes no table or was not judged."""
    found = read_record(run / FOLDER / RECORD)
    scores = tables.figures(_newest(metrics))
    if not found and not scores:
        return ""
    shown = (
        ("", scores),
        ("Columns", tables.marginals(found.get("marginals") or [])),
        ("Pairs of columns", tables.associations(found.get("association") or {})),
        ("Pairs of numbers", tables.clouds(found.get("clouds") or [])),
        ("Generated rows", rows(found.get("rows") or {})),
    )
    body = "".join((f"<h3>{title}</h3>" if title else "") + drawn for title, drawn in shown if drawn)
    return f'<section id="table"><h2>Table</h2>{body}</section>'


def rows(cells: Record) -> str:
    """Generated rows as a file holds them."""
    if not cells:
        return ""
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in cells)
    lines = zip(*cells.values(), strict=True)
    body = "".join("<tr>" + "".join(f"<td>{esc(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<div class="card flush rows"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _newest(metrics: list[Record]) -> list[Record]:
    """The last record of every figure of rows, in the order of the last evaluation."""
    latest: dict[str, Record] = {}
    for entry in sorted(metrics, key=lambda entry: whole(entry.get("seen"))):
        if part(entry, "protocol").get("extractor") == READER:
            latest[str(entry["name"])] = entry
    return list(latest.values())
