"""`tightrope leaderboard`: runs and folders side by side, by one metric, each group under one protocol."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.metrics.protocol import differences, line

Record = dict[str, Any]
BRACKET = re.compile(r"\[.*?\]")  # the extractor in a metric's name


def leaderboard(places: list[str | Path], metric: str | None = None) -> list[Record]:
    """Groups of entries that compare, the largest group first.

    Args:
        places: runs and folders that were evaluated, or folders of such.
        metric: its name, or the name before the bracket; None takes the first metric of most entries ("frechet").

    Returns:
        [{"metric", "better", "protocol", "line", "entries": [{"name", "path", "value", "interval", "seen"}, best first]}]

    Raises:
        InputError: nothing there has been evaluated, or nothing has this metric.
    """
    known = {path: _read(path) for place in places for path in _files(Path(place))}
    records = {path: found for path, found in known.items() if found}
    if not records:
        raise InputError(f"{', '.join(map(str, places))}: nothing there has been evaluated; tightrope evaluate does.")
    wanted = metric or BRACKET.sub("", next(iter(records.values()))[0]["name"])
    entries = [entry for path, found in records.items() for entry in _entries(path, found, wanted)]
    if not entries:
        there = sorted({r["name"] for found in records.values() for r in found if isinstance(r["value"], (int, float))})
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
    """metrics.jsonl files: of the place itself, or of the folders in it."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError(f"{place}: no such run or folder.")
    return [place / "metrics.jsonl"] if (place / "metrics.jsonl").is_file() else sorted(place.glob("*/metrics.jsonl"))


def _read(path: Path) -> list[Record]:
    records = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            found = json.loads(text)
            if {"name", "value", "protocol"} <= set(found):
                records.append(found)
        except (ValueError, TypeError):
            raise InputError(f"{path}: line {number} is not a record; delete the line.") from None
    return records


def _entries(path: Path, records: list[Record], wanted: str) -> list[tuple[Record, Record]]:
    """The newest record of each protocol and seen, whole name or the name before the bracket."""
    found: dict[str, tuple[Record, Record]] = {}
    for record in records:
        fits = wanted in (record["name"], BRACKET.sub("", record["name"]))
        if fits and isinstance(record["value"], (int, float)):
            entry = {"name": path.parent.name if path.name == "metrics.jsonl" else path.stem.removesuffix(".metrics"),
                     "path": str(path), **{key: record.get(key) for key in ("value", "interval", "std", "seen")}}  # fmt: skip
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
