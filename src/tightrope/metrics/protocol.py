"""A number and how it was measured: records, and the refusal to compare what was measured differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tightrope.core.errors import InputError

Record = dict[str, Any]
BY_CLASS = " by class"  # in the name of a record whose value is a table of one figure a class


def record(
    name: str,
    value: Any,
    better: str | None,
    protocol: Record,
    *,
    interval: tuple[float, float] | None = None,
    null: Any = None,
    std: float | None = None,
    notes: Sequence[str] = (),
) -> Record:
    """One number as stored in metrics.jsonl.

    Args:
        name: of the metric, with its extractor in brackets.
        value: a number, or a table of numbers by name.
        better: "lower", "higher" or None.
        protocol: everything that two values must share to be compared.
        interval: 95 % of the values that other samples of the same sources would give.
        null: what real samples in the place of the generated ones give: the best that can be asked for.
        std: over the subsets or splits that the value is the mean of.
        notes: caveats, a sentence each.
    """
    entry: Record = {"name": name, "value": value, "better": better}
    entry |= {} if interval is None else {"interval": list(interval)}
    entry |= {} if null is None else {"null": null}
    entry |= {} if std is None else {"std": std}
    entry |= {"notes": list(notes)} if notes else {}
    return entry | {"protocol": protocol}


def is_by_class(entry: Record) -> bool:
    """Whether a record holds one figure a class."""
    return isinstance(entry.get("value"), dict) and BY_CLASS in str(entry.get("name"))


def differences(a: Record, b: Record) -> list[str]:
    """What the protocols of two records do not share, a phrase each; empty when the values compare."""
    ours, theirs = a.get("protocol") or {}, b.get("protocol") or {}
    found = [f"the metric ({a['name']} and {b['name']})"] if a["name"] != b["name"] else []
    for key in sorted({*ours, *theirs}):
        if ours.get(key) != theirs.get(key):
            found.append(f"{key} ({ours.get(key, 'not stated')} and {theirs.get(key, 'not stated')})")
    return found


def compare(a: Record, b: Record) -> float:
    """a's value less b's.

    Raises:
        InputError: they were measured differently; names every difference.
    """
    found = differences(a, b)
    if found:
        raise InputError(f"{a['name']}: these two numbers do not compare, they differ in {'; '.join(found)}; measure both alike.")
    return float(a["value"]) - float(b["value"])


def line(protocol: Record) -> str:
    """A protocol on one line, as it is printed with the numbers."""
    weights = str(protocol.get("weights_sha256") or "none")[:12]
    parts = [f"{protocol.get('extractor')} (weights {weights})"]
    counts = protocol.get("n_real"), protocol.get("n_generated")
    parts += [f"{counts[0]:,} real and {counts[1]:,} generated"] if all(isinstance(n, int) for n in counts) else []
    keys = ("reference", "input", "pixels", "quantised", "ddof", "seed")
    return " · ".join(parts + [f"{key} {protocol[key]}" for key in keys if protocol.get(key) is not None])
