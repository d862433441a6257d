"""Rows of numbers from log files: CSV and TSV, JSON lines, JSON, TensorBoard event files. Text is only ever parsed as numbers.

A row is {column: number}. What is empty or a word is not there; "nan" and "inf" are, as the numbers they are.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError

Row = dict[str, float]
TABLES, LINES = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json")
EVENT_FILE = "tfevents"
MOST_BYTES = 1 << 30
FOLDER_FILES = ("stats.jsonl", "metric-*.jsonl")  # of StyleGAN's run folders
DEPTH = 3  # folders below the named one in which event files are looked for
MISSING = ("", "na", "n/a", "none", "null", "-", "--")
SNAPSHOT = re.compile(r"(\d+)\.pkl$")  # network-snapshot-000400.pkl: after 400,000 samples
SNAPSHOT_CLOCK = "Progress/kimg"  # what the same toolkit's stats.jsonl calls it
WALL_TIME = "wall_time"


def files_of(path: Path) -> list[Path]:
    """The log files that a path stands for: itself, or those in a folder; [] where it is no log."""
    if path.is_file():
        return [path] if path.suffix.lower() in (*TABLES, *LINES) or EVENT_FILE in path.name else []
    if not path.is_dir() or (path / "run.json").is_file():
        return []
    if found := [file for pattern in FOLDER_FILES for file in sorted(path.glob(pattern)) if file.is_file()]:
        return found
    patterns = ("/".join(["*"] * depth + [f"*{EVENT_FILE}*"]) for depth in range(DEPTH + 1))
    return [file for pattern in patterns for file in sorted(path.glob(pattern)) if file.is_file()]


def rows_of(path: Path) -> list[Row]:
    """The rows of one file, in order.

    Raises:
        InputError: it cannot be read, or holds no numbers.
    """
    if EVENT_FILE in path.name:
        rows = _tensorboard(path)
    else:
        text = _text(path)
        rows = list(_table(path, text) if path.suffix.lower() in TABLES else _objects(path, text))
    rows = [row for row in rows if row]
    if not rows:
        raise InputError(f"{path}: holds no numbers; a log has named columns with numbers in them.")
    return rows


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: is larger than 1 GiB; give a log with fewer rows.")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if b"\0" in raw[:4096]:
        raise InputError(f"{path}: is no text; a log is CSV, JSON lines or a TensorBoard event file.")
    if not raw.strip():
        raise InputError(f"{path}: is empty.")
    return raw.decode("utf-8-sig", errors="replace")


def _table(path: Path, text: str) -> Iterator[Row]:
    lines = text.splitlines()
    head = next(line for line in lines if line.strip())
    delimiter = max("\t;,|", key=head.count) if path.suffix.lower() == ".csv" else "\t"
    comments = (line for line in lines if line.strip() and (line is head or not line.startswith("#")))
    try:
        table = list(csv.reader(comments, delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{path}: is no table ({error}).") from None
    names = [name.strip().lstrip("#").strip() for name in table[0]]
    if all(cell(name) is not None for name in names):
        raise InputError(f"{path}: its first line holds numbers; name the columns there.")
    for line in table[1:]:
        commas = (entry.replace(",", ".") for entry in line) if delimiter == ";" else line
        cells = ((name, cell(entry)) for name, entry in zip(names, commas, strict=False) if name)
        yield {name: value for name, value in cells if value is not None}


def cell(text: str) -> float | None:
    """A cell's number; None where there is none."""
    text = text.strip()
    if text.lower() in MISSING:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _objects(path: Path, text: str) -> Iterator[Row]:
    """JSON lines; or one JSON document: a list of objects, or an object of lists."""
    records = list(_records(text))
    if not records:
        raise InputError(f"{path}: holds no JSON objects, one a line; a log does.")
    if any("event" in record for record in records):
        yield from tick_rows(records)
        return
    for record in records:
        row = dict(_flat(record))
        if found := SNAPSHOT.search(str(record.get("snapshot_pkl", ""))):
            row[SNAPSHOT_CLOCK] = float(found.group(1))
        yield row


def _records(text: str) -> Iterator[dict[str, Any]]:
    lines = [line for line in text.split("\n") if line.strip()]
    whole = _parsed(text) if len(lines) < 2 or not isinstance(_parsed(lines[0]), dict) else None
    if isinstance(whole, list):
        yield from (record for record in whole if isinstance(record, dict))
    elif isinstance(whole, dict) and any(isinstance(value, list) for value in whole.values()):
        columns = {name: value for name, value in whole.items() if isinstance(value, list)}
        for i in range(max(len(value) for value in columns.values())):
            yield {name: value[i] for name, value in columns.items() if i < len(value)}
    else:
        yield from (record for record in map(_parsed, lines) if isinstance(record, dict))


def _parsed(text: str) -> Any:
    """A line's value; None where it was cut short, or nests without end."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def tick_rows(events: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """A run of Tightrope's: clock, time, terms and signals of its ticks. Knobs and progress are no readings."""
    for event in events:
        if event.get("event") == "tick":
            parts = [event[kind] for kind in ("terms", "signals") if isinstance(event.get(kind), dict)]
            inner = {name: value for part in parts for name, value in part.items()}
            yield dict(_flat({"seen": event.get("seen"), "seconds": event.get("seconds"), **inner}))


def _flat(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Numbers by path; {"mean": ...} is its mean."""
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            mean = _plain(value.get("mean"))
            yield from [(path, mean)] if mean is not None else _flat(value, f"{path}/")
        elif (number := _plain(value)) is not None:
            yield path, number


def _plain(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return cell(value) if isinstance(value, str) else float(value)
    except OverflowError:
        return math.inf


def _tensorboard(path: Path) -> list[Row]:
    """A row a step; "step" is its clock and the time of its writing is in seconds since 1970."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise InputError(
            f"{path}: event files need TensorBoard's package: pip install 'tightrope[tensorboard]', or save them as CSV."
        ) from None
    everything = {"scalars": 0, "tensors": 0}  # 0: all of them
    read = EventAccumulator(str(path), size_guidance=everything).Reload()
    tags = read.Tags()
    rows: dict[int, Row] = {}
    points = [(tag, e.step, e.wall_time, e.value) for tag in tags["scalars"] for e in read.Scalars(tag)]
    points += [(tag, e.step, e.wall_time, value) for tag in tags["tensors"] for e in read.Tensors(tag) for value in _single(e)]
    for tag, step, wall, value in points:
        rows.setdefault(step, {"step": float(step), WALL_TIME: wall})[tag] = value
    return [rows[step] for step in sorted(rows)]


def _single(event: Any) -> Iterable[float]:
    """The number of a tensor event that holds exactly one (what Keras writes); else nothing."""
    from tensorboard.util.tensor_util import make_ndarray

    proto = event.tensor_proto
    if proto.string_val or math.prod(d.size for d in proto.tensor_shape.dim) != 1:
        return []
    array = make_ndarray(proto)
    return [float(array.reshape(-1)[0])] if array.dtype.kind in "fiu" else []
