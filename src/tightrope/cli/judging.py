"""The verbs that judge: evaluate, doctor, leaderboard. Each is what `tightrope.judging` does in one call."""

from __future__ import annotations

import json
import math
import textwrap
from argparse import Namespace
from typing import Any

from tightrope import judging
from tightrope.cli.console import counting
from tightrope.core.errors import InputError
from tightrope.metrics.protocol import is_by_class, line

LEAST = 100  # samples that --count may ask for at least
WORST = 3  # classes that are shown of all
Record = dict[str, Any]


def evaluate(arguments: Namespace) -> None:
    """Measure one place or several."""
    asked, more = _asked(arguments), {"quick": arguments.quick, "perceptual": arguments.perceptual}
    asked["target"] = arguments.target
    if len(arguments.what) > 1 and arguments.out:
        raise InputError("--out: names one file for several places; evaluate them one by one, or leave it out.")
    found: dict[str, list[Record]] = {}
    failed: list[InputError] = []
    for what in arguments.what:
        try:
            with counting(arguments.json) as progress:
                found[what] = judging.evaluate(what, arguments.data, out=arguments.out, progress=progress, **more, **asked)
        except InputError as error:  # the others are judged all the same
            failed.append(error)
            continue
        if not arguments.json:
            print(("" if len(arguments.what) == 1 else f"{what}\n") + metrics_table(found[what]) + "\n")
    if arguments.json and found:
        print(json.dumps(found if len(arguments.what) > 1 else found[arguments.what[0]], indent=2, ensure_ascii=False))
    if failed:
        others = f" ({len(failed) - 1} more could not be judged either)" if len(failed) > 1 else ""
        raise InputError(f"{failed[0]}{others}")


def doctor(arguments: Namespace) -> None:
    """One page on what is wrong with samples."""
    with counting(arguments.json) as progress:
        found = judging.doctor(arguments.what[0], arguments.data, out=arguments.out, progress=progress, **_asked(arguments))
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print(f"{found['verdict'].upper()}  {found['summary']}\n")
    for finding in found["checks"]:
        mark = "ok" if finding["ok"] else "!!"
        print(textwrap.fill(finding["sentence"], 110, initial_indent=f"{mark}  ", subsequent_indent="    "))
    if over := found.get("over_the_run"):
        print("\n" + textwrap.fill(f"over the run: {over['summary']}", 110))
    print(f"\n{line(found['protocol'])}")
    for note in found["notes"]:
        print(f"note: {note}")
    print(f"page   {found['page']}")


def leaderboard(arguments: Namespace) -> None:
    """What was evaluated, ranked."""
    groups = judging.leaderboard(arguments.places or ["runs"], arguments.metric)
    if arguments.json:
        print(json.dumps(groups, indent=2, ensure_ascii=False))
        return
    for group in groups:
        hint = f", {group['better']} is better" if group["better"] else ""
        print(f"{group['metric']}{hint}\n{group['line']}")
        names = [entry["name"] for entry in group["entries"]]
        for place, entry in enumerate(group["entries"], 1):
            name = entry["name"] if names.count(entry["name"]) == 1 else entry["path"]
            seen = f"  seen {entry['seen']:,}" if isinstance(entry["seen"], int) else ""
            print(f"{place:>4}  {_number(entry['value']):>10}  {_span(entry):<20}  {name}{seen}")
        print()


def _asked(arguments: Namespace) -> dict[str, Any]:
    if arguments.count < LEAST:
        raise InputError(f"--count {arguments.count}: the metrics need at least {LEAST} samples.")
    return {key: getattr(arguments, key) for key in ("held_out", "count", "extractor", "weights", "size", "recipe", "seed")}


def metrics_table(records: list[Record]) -> str:
    """Records as aligned lines: value, 95 % interval, what real data gives; then tables, notes and the protocol."""
    numbers = [record for record in records if not isinstance(record["value"], dict)]
    beside = any("trivial" in record for record in numbers)  # pictures made of pictures, and those as they are
    given = f"{'as given':>10}" if beside else ""
    lines = [f"{'':<42}{'value':>10}  {'95 % or ± sd':<20}{'real data':>10}{given}"] if numbers else []
    for record in numbers:
        hint = {"lower": "↓", "higher": "↑"}.get(str(record.get("better")), " ")
        given = f"{_number(record.get('trivial', {}).get('value')):>10}" if beside else ""
        lines.append(
            f"{record['name']:<40}{hint:<2}{_number(record['value']):>10}  {_span(record):<20}{_null(record):>10}{given}"
        )
    for record in records:
        if is_by_class(record):
            lines.append(f"{record['name']:<42}{_worst(record)}")
        elif isinstance(record["value"], dict):
            lines.append(f"{record['name']:<42}" + "  ".join(f"{name} {share:.1%}" for name, share in record["value"].items()))
    lines += [f"note: {note}" for note in dict.fromkeys(note for record in records for note in record.get("notes", []))]
    return "\n".join(lines + [line(records[0]["protocol"])] if records else [])


def _worst(record: Record) -> str:
    """The classes that are farthest on the wrong side of their nulls; --json and the report have them all."""
    lower = record.get("better") == "lower"
    write = _number if lower else "{:.0%}".format
    values, nulls = record["value"], record.get("null") or {}
    behind = {name: (value - nulls.get(name, 0)) * (1 if lower else -1) for name, value in values.items()}
    shown = sorted(behind, key=behind.__getitem__, reverse=True)[:WORST]
    text = "  ".join(f"{name} {write(values[name])} (real {write(nulls.get(name, math.nan))})" for name in shown)
    return text if len(values) <= WORST else f"worst of {len(values)}: {text}"


def _number(value: Any) -> str:
    if value is None or isinstance(value, dict):
        return ""
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e9 else f"{value:.4g}" if math.isfinite(value) else str(value)


def _span(record: Record) -> str:
    if isinstance(record.get("interval"), list) and len(record["interval"]) == 2:
        return f"{_number(record['interval'][0])} … {_number(record['interval'][1])}"
    return f"± {_number(record['std'])}" if record.get("std") is not None else ""


def _null(record: Record) -> str:
    null = record.get("null")
    return _number(null.get("value") if isinstance(null, dict) else null)
