"""`tightrope leaderboard`: runs and folders side by side, by one metric, each group under one protocol."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.metrics.protocol import differences, line
from tightrope.report.records import number, read_lines

Record = dict[str, Any]
BRACKET = re.compile(r"\[.*?\]")  # the extractor in a metric's name


def leaderboard(places: str | Path | list[str | Path], metric: str | None = None) -> list[Record]:
    """Groups of entries that compare, the largest group first.

    Args:
        places: runs and folders that were evaluated, or folders of such.
        metric: its name, or the name before the bracket; None takes the first metric of most entries ("frechet").

    Returns:
        [{"metric", "better", "protocol", "line", "entries": [{"name", "path", "value", "interval", "seen"}, best first]}]

    Raises:
        InputError: nothing there has been evaluated, or nothing has this metric.
    """
    places = [places] if isinstance(places, (str, Path)) else places
    known = {path: _read(path) for place in places for path in _files(Path(place))}
    records = {path: found for path, found in known.items() if found}
    if not records:
        raise InputError(f"{', '.join(map(str, places))}: nothing there has been evaluated; tightrope evaluate does.")
    first = Counter(BRACKET.sub("", found[0]["name"]) for found in records.values())
    wanted = metric or first.most_common(1)[0][0]
    entries = [entry for path, found in records.items() for entry in _entries(path, found, wanted)]
    if not entries:
        there = sorted({r["name"] for found in records.values() for r in found if math.isfinite(number(r.get("value")))})
        raise InputError(f"--metric {wanted}: none of these has it; there are {', '.join(there)}.")
    groups: list[list[tuple[Record, Record]]] = []
    for entry, record in entries:
        for group in groups:
            if not differences(group[0][1], record):
                group.append((entry, record))
                break
        else:
            groups.append([(entry, record)])
    return [_ranked(group) for group in sorted(groups, key=len, reverse=True)]


def _files(place: Path) -> list[Path]:
    """Files of records: the place itself, or those in it and in the folders in it."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError(f"{place}: no such run or folder.")
    return sorted({*place.glob("*metrics.jsonl"), *place.glob("*/*metrics.jsonl")})


def _read(path: Path) -> list[Record]:
    """The records that can be ranked or shown; damaged lines are passed over."""
    return [
        record for record in read_lines(path) if isinstance(record.get("name"), str) and isinstance(record.get("protocol"), dict)
    ]


def _entries(path: Path, records: list[Record], wanted: str) -> list[tuple[Record, Record]]:
    """The newest record of each protocol and seen, whole name or the name before the bracket."""
    found: dict[str, tuple[Record, Record]] = {}
    stem = path.name.removesuffix("metrics.jsonl").rstrip(".")
    for record in records:
        value = number(record.get("value"))
        if wanted in (record["name"], BRACKET.sub("", record["name"])) and math.isfinite(value):
            shown = {key: record.get(key) for key in ("interval", "std", "seen")}
            entry = {"name": stem or path.parent.resolve().name, "path": str(path), "value": value, **shown}
            found[json.dumps([record["name"], record["protocol"], record.get("seen")], sort_keys=True)] = entry, record
    return list(found.values())


def _ranked(group: list[tuple[Record, Record]]) -> Record:
    first = group[0][1]
    entries = sorted((entry for entry, _ in group), key=lambda entry: entry["value"], reverse=first.get("better") == "higher")
    protocol = first["protocol"]
    return {
        "metric": first["name"],
        "better": first.get("better"),
        "protocol": protocol,
        "line": line(protocol),
        "entries": entries,
    }
