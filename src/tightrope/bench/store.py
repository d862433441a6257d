"""results.jsonl: one line a finished case, appended whole or not at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from tightrope.bench.protocol import Result

NAME = "results.jsonl"


def read(folder: Path) -> list[Result]:
    """The results in a folder, the last one of each case; a line that a killed process left half-written is passed over."""
    path = folder / NAME
    if not path.exists():
        return []
    found: dict[str, Result] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            result = Result.from_json(json.loads(line))
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
        found[result.case.key] = result
    return list(found.values())


def append(folder: Path, result: Result) -> None:
    """One line, in one write, flushed to the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    line = json.dumps(_plain(result.to_json()), ensure_ascii=False, allow_nan=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        if _torn(path):
            line = "\n" + line
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _torn(path: Path) -> bool:
    """True where the last line has no end."""
    with open(path, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
