"""What a table is, as plain values and as text: for `tightrope data TABLE` and its --json."""

from __future__ import annotations

from typing import Any

import numpy as np

from tightrope.data.tables.columns import Column
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.drawing import shares
from tightrope.data.tables.marginals import marginal

NAME = 26  # letters of a name that are shown
MOST = 40  # columns in text


def summary(data: TableDataset) -> dict[str, Any]:
    """Keys: width, columns [{name, type, coding, numbers, missing, values, low, high, note, marginal}], constraints
    {text: rows of the data that break it}."""
    blocks = data.spec.blocks
    columns = []
    for column in data.codec.columns:
        mine = [block for block in blocks if block.column == column.name]
        facts: dict[str, Any] = {"name": column.name, "type": column.type}
        facts["coding"] = " + ".join(f"{block.role} {block.kind} {block.size}" for block in mine) or None
        facts["numbers"] = sum(block.size for block in mine)
        facts["missing"] = missing_share(column)
        if column.learned:
            facts |= ends(column)
            nobody = np.zeros(0, np.int64)
            facts["marginal"] = marginal(column, nobody, nobody.astype(np.float64)).to_json()
        columns.append(facts | {"note": column.note})
    return {"width": data.codec.width, "columns": columns, "constraints": data.broken}


def missing_share(column: Column) -> float:
    """Of the rows in which it is learned."""
    if column.type == "constant":
        return float(not column.counts)
    return round(column.counts[-1] / column.rows, 6) if column.missing is not None and column.counts else 0.0


def ends(column: Column) -> dict[str, Any]:
    """Bounds of a number as the file writes them; how many different categories."""
    if column.form is None:
        return {"values": len(column.texts) - (column.missing is not None)}
    low, high = column.form.write(np.asarray([column.low, column.high]))
    return {"low": low.strip(), "high": high.strip()}


def text(facts: dict[str, Any]) -> str:
    """What `inspect` found, one line a column: name, type, what it ranges over, missing cells, bars; notes below."""
    table = facts["table"]
    lines = [
        f"{facts['name']}: {facts['count']:,} rows, {len(table['columns'])} columns, {table['width']} numbers a row for networks"
    ]
    for column in table["columns"][:MOST]:
        name = column["name"] if len(column["name"]) <= NAME else column["name"][: NAME - 1] + "…"
        lacking = f"{column['missing']:.1%} missing" if column["missing"] else ""
        bars = shares(np.asarray(list(column.get("marginal", {}).values()) or [0.0]))
        lines.append(f"  {name:<{NAME}}  {column['type']:<10}  {_range(column):<24}  {lacking:<13}  {bars}".rstrip())
        if column["note"]:
            lines.append(f"  {'':<{NAME}}  {column['note']}")
    if len(table["columns"]) > MOST:
        lines.append(f"  ... and {len(table['columns']) - MOST} more (--json lists all)")
    lines += [f"  {'constraint':<{NAME}}  {rule}{_breaks(count)}" for rule, count in table["constraints"].items()]
    lines.append(f"  fingerprint {facts['fingerprint']}")
    return "\n".join([*lines, f"  cache {facts['cache']}", "  wrong types or bounds are mended in a schema: docs/tables.md"])


def _range(column: dict[str, Any]) -> str:
    if "values" in column:
        return f"{column['values']:,} values"
    return f"{column['low']} … {column['high']}"[:24] if "low" in column else ""


def _breaks(count: int) -> str:
    return f"  (broken by {count:,} rows of the data, by none that comes out)" if count else "  (holds in the data)"
