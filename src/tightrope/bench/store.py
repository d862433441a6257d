"""results.jsonl: one line a finished case, appended whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tightrope.bench.protocol import Result
from tightrope.core.files import append_line

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
    append_line(folder / NAME, json.dumps(_plain(result.to_json()), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
