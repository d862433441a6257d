"""Reading what a run wrote down: run.json, events.jsonl, metrics.jsonl. Tolerant of crashes, standard library only.

A run may have been killed in the middle of a line and resumed: the line is then lost, the record after it is not. Records
after a `resume` replace those that an earlier attempt wrote for a larger `seen`.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError

Record = dict[str, Any]
MARKS = ("start", "resume", "end")  # the records that change a run's state
SILENT_SECONDS = 900.0  # a run that wrote nothing for so long, and left no end record, is called unfinished
END_STATES = ("done", "interrupted", "stopped")


def read_run(run: Path) -> Record:
    """The content of run.json.

    Raises:
        InputError: the folder does not exist, is not a run, or its run.json is damaged.
    """
    if not run.is_dir():
        raise InputError(f"{run}: there is no such run folder; `ls runs` shows the runs you have.")
    path = run / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{run}: this folder is not a run (it has no run.json); name a folder that training wrote.") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore the file or train again.") from None
    if not isinstance(record, dict):
        raise InputError(f"{path}: must hold one JSON object; restore the file or train again.")
    return record


def read_record(path: Path) -> Record:
    """A record beside the run; {} where there is none or it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def read_lines(path: Path) -> list[Record]:
    """Every JSON object of a file with one a line; lines cut short by a crash are left out. [] when there is no file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check its permissions.") from None
    records = (_parse(line) for line in text.split("\n") if line.strip())
    return [record for record in records if record is not None]


def _parse(line: str) -> Record | None:
    """One line's object; when a killed process left half a record before it, the whole record that follows."""
    start = 0
    while start >= 0:
        try:
            record = json.loads(line[start:])
            return record if isinstance(record, dict) else None
        except ValueError:
            found = (line.find('{"event"', start + 1), line.find('{"seen"', start + 1))
            start = min((at for at in found if at > 0), default=-1)
    return None


def read_events(run: Path) -> list[Record]:
    """The records of a run that count, in the order they were written.

    On a `resume` at `seen` = S, ticks, previews and checkpoints beyond S belong to an attempt that was given up: dropped.
    """
    kept: list[Record] = []
    for record in read_lines(run / "events.jsonl"):
        if record.get("event") == "resume":
            limit = number(record.get("seen"))
            kept = [r for r in kept if r.get("event") in MARKS or number(r.get("seen")) <= limit]
        kept.append(record)
    return kept


def ticks(events: list[Record]) -> list[Record]:
    """The tick records with `seen` strictly rising: where two overlap, the later one counts."""
    rising: list[Record] = []
    for record in events:
        if record.get("event") != "tick" or not math.isfinite(number(record.get("seen"))):
            continue
        seen = whole(record["seen"])
        while rising and rising[-1]["seen"] >= seen:
            rising.pop()
        rising.append({**record, "seen": seen})
    return rising


def read_metrics(run: Path) -> list[Record]:
    """The measurements of a run, one a (name, seen) in order of first appearance; of repetitions the last counts."""
    latest: dict[tuple[str, float], Record] = {}
    for record in read_lines(run / "metrics.jsonl"):
        if "name" in record and "value" in record:
            latest[str(record["name"]), number(record.get("seen"))] = record
    return list(latest.values())


def number(value: Any) -> float:
    """A recorded value as a float; NaN when it is missing or not a number ("nan" and "inf" in words are accepted)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def whole(value: Any) -> int:
    """A recorded count as an int; 0 when it is missing or not finite."""
    as_float = number(value)
    return int(as_float) if math.isfinite(as_float) else 0


def part(record: Record, *names: str) -> Record:
    """A nested object of a record; {} wherever it is missing or something else."""
    for name in names:
        inner = record.get(name)
        record = inner if isinstance(inner, dict) else {}
    return record


def state(run: Path, events: list[Record]) -> tuple[str, str]:
    """(state, message): "done", "interrupted", "stopped", "running", or "unfinished" (no end record, and silent)."""
    last = next((r for r in reversed(events) if r.get("event") in MARKS), None)
    if last is not None and last["event"] == "end":
        reason = str(last.get("reason", "done"))
        return (reason if reason in END_STATES else "stopped"), str(last.get("message") or "")
    try:
        silent = time.time() - (run / "events.jsonl").stat().st_mtime
    except OSError:
        return "unfinished", "Nothing has been recorded yet."
    if silent < SILENT_SECONDS:
        return "running", ""
    return "unfinished", "There is no end record and nothing was written for a while: the process was probably killed."


def scalars(metrics: list[Record]) -> list[Record]:
    """The metrics whose value is one number, as opposed to a table such as class shares."""
    return [m for m in metrics if not isinstance(m["value"], (dict, list))]


def main_metric(metrics: list[Record]) -> Record | None:
    """The number a run is judged by: the newest Frechet distance, else the newest of the first metric with a direction."""
    candidates = scalars(metrics)
    names = [str(m["name"]) for m in candidates if str(m["name"]).startswith("frechet")]
    names += [str(m["name"]) for m in candidates if m.get("better")] + [str(m["name"]) for m in candidates]
    if not names:
        return None
    return max((m for m in candidates if m["name"] == names[0]), key=lambda m: whole(m.get("seen")))


def summary(run: Path) -> Record:
    """What a person asks first of a run; every value is plain JSON (None where unknown).

    Keys: name, recipe, preset, data, created, state, message, seen, budget, progress (0..1), left (seconds), seconds,
    speed (samples a second over the whole run), parameters (of all players), metric ({name, value, better, seen} or None).
    """
    run = Path(run)
    record, events = read_run(run), read_events(run)
    last = (ticks(events) or [{}])[-1]
    end = next((r for r in reversed(events) if r.get("event") in MARKS), {})
    newest = end if end.get("event") == "end" else last
    seconds, seen = number(newest.get("seconds", last.get("seconds"))), whole(newest.get("seen"))
    seconds = seconds if math.isfinite(seconds) else 0.0
    condition, message = state(run, events)
    metric = main_metric(read_metrics(run))
    budget, progress, left = part(record, "budget"), number(last.get("progress")), number(last.get("left"))
    return {
        "name": run.resolve().name,
        "recipe": part(record, "recipe").get("name"),
        "preset": part(record, "recipe").get("preset"),
        "data": part(record, "data").get("name"),
        "created": record.get("created"),
        "state": condition,
        "message": message,
        "seen": seen,
        "budget": {"seen": budget.get("seen"), "minutes": budget.get("minutes")},
        "progress": 1.0 if condition == "done" else min(1.0, max(0.0, progress)) if math.isfinite(progress) else None,
        "left": left if condition == "running" and math.isfinite(left) else None,
        "seconds": seconds,
        "speed": seen / seconds if seconds > 0 else None,
        "parameters": sum(whole(n) for n in part(record, "parameters").values()),
        "metric": None if metric is None else {key: metric.get(key) for key in ("name", "value", "better", "seen")},
    }
