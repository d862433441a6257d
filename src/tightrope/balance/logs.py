"""Logs of finished runs, of whatever toolkit, as the readings that verdicts are functions of.

`read_log` finds out which column is the clock, which are losses and metrics; `Named` says it where a log calls them otherwise.
Values are named as the guardian names them: "loss/D", "loss/G", "metric/COLUMN", "time/seconds".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from pathlib import Path

from tightrope.balance import columns
from tightrope.balance.history import History, Reading
from tightrope.balance.logfiles import Row, files_of, rows_of
from tightrope.core.errors import InputError

SECONDS = "time/seconds"
FALLS = 0.01  # share of rows at which a clock may go back: a log that was resumed
OFTEN = 0.5  # share of rows that must hold the clock
FINE = 1000  # parts of a unit that a clock with fractions (kimg, epochs) is counted in
SINCE_1970 = 1e8  # seconds: times beyond are moments, not durations
GAPS = 3  # runs of NaN between numbers that make NaN a sign of "not written here"
LARGEST = 1e13  # moments that are believed
SHOWN = 12  # columns that an error lists


@dataclasses.dataclass(frozen=True)
class Clock:
    """What a log counts in.

    Attributes:
        name: "step", "kimg", "seen" ...
        scale: readings' `seen` over this is the clock's own number.
    """

    name: str
    scale: int = 1

    def at(self, seen: float) -> str:
        """A moment as people read it: "step 12,400"."""
        return f"{self.name} {round(seen / self.scale, 3):,.10g}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Named:
    """Columns by the user's word; None leaves them to be recognised.

    Attributes:
        clock, d_loss, g_loss: names of columns.
        metric: a column's name, with ":lower" or ":higher" (is better) where its name does not tell.
    """

    clock: str | None = None
    d_loss: str | None = None
    g_loss: str | None = None
    metric: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Log:
    """A log that was read.

    Attributes:
        history: its readings; NaN and infinities are kept.
        losses: {"loss/D": the column or columns it is}.
        metrics: {"metric/fid": "lower" or "higher"}, the one that the run is judged by first.
        notes: what had to be guessed or given up, a sentence each.
    """

    name: str
    clock: Clock
    history: History
    losses: dict[str, str]
    metrics: dict[str, str]
    notes: tuple[str, ...] = ()


def is_log(path: str | Path) -> bool:
    """Whether a path is a log file, or a folder that holds some."""
    return bool(files_of(Path(path)))


def read_log(path: str | Path, named: Named | None = None) -> Log:
    """Read a log.

    Args:
        path: a CSV, TSV, JSON lines or TensorBoard event file, a folder of such, or a StyleGAN run folder.

    Raises:
        InputError: it cannot be read, or holds neither a loss nor a metric over at least two moments.
    """
    path = Path(path)
    files = files_of(path)
    if not files:
        what = "is no log: a log is .csv, .tsv, .jsonl or a TensorBoard event file" if path.exists() else "there is no such file"
        raise InputError(f"{path}: {what}.")
    tables = [rows_of(file) for file in files]
    return log_of([row for table in tables for row in table], path.resolve().name, named, parts=len(tables), source=str(path))


def log_of(rows: Sequence[Row], name: str, named: Named | None = None, *, parts: int = 1, source: str = "") -> Log:
    """A log from rows of numbers that are read already.

    Args:
        parts: files that the rows come from, one after the other; of several, rows are put in the clock's order.
        source: what errors call it.
    """
    named, source = named or Named(), source or name
    names = list(dict.fromkeys(column for row in rows for column in row))
    rows = _without_gaps(rows, names)
    clock, moments, notes = _clock(rows, names, named.clock, parts, source)
    others = [column for column in names if column != clock.name]
    losses, metrics = _roles(others, named, source)
    if not losses and not metrics:
        raise InputError(
            f"{source}: no loss and no metric is recognised among its columns ({_some(others)}); "
            "name them: --d-loss COLUMN, --g-loss COLUMN, --metric COLUMN:lower."
        )
    kept, dropped = _in_order(zip(moments, rows, strict=True), sort=parts > 1)
    if len(kept) < 2:
        raise InputError(f"{source}: holds one moment only; a log has a row for each of many.")
    if dropped:
        notes.append(f"{dropped:,} rows were given up: the log goes back in time, as after a resume, and the later rows count.")
    first, last = kept[0][0], kept[-1][0]
    seconds = _seconds([row for _, row in kept], others)
    readings = [
        Reading(moment, (moment - first) / max(last - first, 1), _values(row, losses, metrics, spent))
        for (moment, row), spent in zip(kept, seconds, strict=True)
    ]
    shown = {of: " + ".join(parts) for of, parts in losses.items()}
    found = {f"metric/{column}": better for column, better in metrics.items()}
    return Log(name=name, clock=clock, history=History(readings), losses=shown, metrics=found, notes=tuple(notes))


def _roles(names: list[str], named: Named, source: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    losses, metrics = columns.losses(names), columns.metrics(names)
    for of, asked in (("loss/D", named.d_loss), ("loss/G", named.g_loss)):
        if asked is not None:
            losses[of] = [_known(asked, names, source)]
    if named.metric is not None:
        column, _, better = named.metric.rpartition(":")
        if better not in ("lower", "higher"):
            column, better = named.metric, ""
        column = _known(column, names, source)
        better = better or metrics.get(column, "")
        if not better:
            raise InputError(
                f"--metric {column}: its name does not tell which way is better; write {column}:lower or {column}:higher."
            )
        metrics = {column: better}
    return losses, metrics


def _known(column: str, names: list[str], source: str) -> str:
    if column not in names:
        raise InputError(f"{source}: has no column {column!r}; there are {_some(names)}.")
    return column


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no others") + more


def _without_gaps(rows: Sequence[Row], names: list[str]) -> list[Row]:
    """Rows without the NaN of columns that only write now and then: NaN comes and goes there, it does not come to stay."""
    drop: dict[str, int] = {}  # column -> rows before this index lose their NaN
    for name in names:
        written = [(i, math.isnan(row[name])) for i, row in enumerate(rows) if name in row]
        runs = [(missing, list(run)) for missing, run in groupby(written, key=lambda pair: pair[1])]
        gaps = [len(run) for missing, run in runs[:-1] if missing]
        if len(gaps) >= GAPS:
            missing, tail = runs[-1]
            drop[name] = tail[0][0] if missing and len(tail) > 2 * max(gaps) else len(rows)
    return [
        {name: value for name, value in row.items() if not (math.isnan(value) and i < drop.get(name, 0))}
        for i, row in enumerate(rows)
    ]


def _clock(rows: list[Row], names: list[str], asked: str | None, parts: int, source: str) -> tuple[Clock, list[int], list[str]]:
    """The clock, its moment in every row (-1 where it has none), and what has to be said of it."""
    for name in [_known(asked, names, source)] if asked else columns.clocks(names):
        values = [row.get(name, math.nan) for row in rows]
        there = [value for value in values if 0 <= value < LARGEST]
        falls = _falls(there)
        joined = _by_epoch(rows, names, name) if falls and not asked and columns.key(name) in columns.IN_EPOCH else []
        if joined and _falls([moment for moment in joined if moment >= 0]) < falls:
            return Clock(name), joined, [f"{name} begins anew in every epoch; it was counted on."]
        if asked or (len(there) >= OFTEN * len(rows) and falls <= parts + FALLS * len(there) and len(set(there)) > 1):
            fine = columns.key(name) == "kimg" or any(value != int(value) for value in there)
            scale = FINE if fine else 1
            label = "kimg" if columns.key(name) == "kimg" else name
            return Clock(label, scale), [round(v * scale) if 0 <= v < LARGEST else -1 for v in values], []
    if parts > 1:
        raise InputError(f"{source}: its files share no clock; name a column of all of them: --clock COLUMN.")
    return (
        Clock("row"),
        list(range(len(rows))),
        ["no clock is known among the columns: rows are counted (--clock COLUMN names one)."],
    )


def _falls(moments: Sequence[float]) -> int:
    return sum(b < a for a, b in pairwise(moments))


def _by_epoch(rows: list[Row], names: list[str], inner: str) -> list[int]:
    """Moments of a clock that begins anew in every epoch; [] where no epoch is written beside it."""
    epoch = next((name for name in names if columns.key(name) in columns.CLOCKS[4]), None)
    if epoch is None:
        return []
    there = [0 <= row.get(inner, -1.0) < LARGEST and 0 <= row.get(epoch, -1.0) < LARGEST for row in rows]
    length = int(max(row[inner] for row, ok in zip(rows, there, strict=True) if ok)) + 1
    return [int(row[epoch]) * length + int(row[inner]) if ok else -1 for row, ok in zip(rows, there, strict=True)]


def _in_order(moments: Iterable[tuple[int, Row]], sort: bool) -> tuple[list[tuple[int, Row]], int]:
    """One row a moment, rising, and how many rows were given up for later ones; rows without a moment are left out."""
    kept: list[tuple[int, Row]] = []
    dropped = 0
    there = [(moment, row) for moment, row in moments if moment >= 0]
    for moment, row in sorted(there, key=lambda pair: pair[0]) if sort else there:
        while kept and kept[-1][0] > moment:
            kept.pop()
            dropped += 1
        if kept and kept[-1][0] == moment:
            kept[-1] = (moment, kept[-1][1] | row)
        else:
            kept.append((moment, row))
    return kept, dropped


def _seconds(rows: list[Row], names: list[str]) -> list[float | None]:
    """Time since the first row, where a column tells it; pauses between resumed parts count."""
    for name, unit in columns.times(names).items():
        values = [row.get(name) for row in rows]
        there = [value for value in values if value is not None and math.isfinite(value)]
        if len(there) > 1 and there[-1] > there[0] and not _falls(there):
            start = there[0] if there[0] > SINCE_1970 else 0.0
            return [None if value is None else (value - start) * unit for value in values]
    return [None] * len(rows)


def _values(row: Row, losses: dict[str, list[str]], metrics: dict[str, str], seconds: float | None) -> dict[str, float]:
    found = {of: sum(row[part] for part in parts) for of, parts in losses.items() if all(part in row for part in parts)}
    found |= {f"metric/{column}": row[column] for column in metrics if column in row}
    return found if seconds is None else found | {SECONDS: seconds}
