"""The model card of a generator: what it is, what it was made of, what it is worth, what it is not for. One page for people.

Sections after Mitchell et al. 2019, "Model cards for model reporting" (arXiv:1810.03993). Everything is read from the files; what
they do not say is "not stated". Beside a run:

    tightrope.interop.card.write("runs/00000-swift-fashion")           # card.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tightrope.core.files import write_text
from tightrope.interop.facts import BEST, UNKNOWN, Facts, Record, gather

NAME = "card.md"
MOST = 20  # classes that are listed


def write(place: str | Path) -> Path:
    """Write card.md into a run's directory (or beside a generator's file) and return its path."""
    facts = gather(place)
    path = facts.file.parent / NAME
    write_text(path, text(facts))
    return path


def text(facts: Facts) -> str:
    """The card, as Markdown."""
    sections = (_details, _data, _metrics, _use, _limits, _sampling, _provenance, _licence)
    of = f" on {_plain(facts.header['data'])}" if facts.header.get("data") else ""
    head = f"# Model card: {_plain(facts.recipe)}{of}"
    return "\n\n".join([head, *(section(facts) for section in sections)]) + "\n"


def _plain(value: Any) -> str:
    """A value on one line that opens no cell, tag, code or link: names of data and classes are their makers'."""
    line = " ".join(str(value).split())
    for mark in ("|", "<", "`", "]("):
        line = line.replace(mark, f"\\{mark}")
    return line


def _table(rows: list[tuple[str, Any]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {_plain(value)} |" for key, value in rows)])


def _draws(facts: Facts) -> str:
    """What one sample is."""
    shape = facts.spec["shape"]
    if facts.spec["modality"] == "table":
        columns = len(dict.fromkeys(block["column"] for block in facts.spec["blocks"]))
        return f"rows of a table of {columns} columns ({shape[0]:,} encoded numbers)"
    if facts.spec["modality"] != "points":
        colours = "grey" if shape[0] == 1 else "colour"
        return f"{colours} images of {shape[2]} x {shape[1]} pixels"
    return f"{facts.spec['modality']} of shape {tuple(shape)}"


def _seen(facts: Facts) -> str:
    seen = facts.header.get("seen", "")
    return f"{int(seen):,} real samples shown to D" if seen.isdecimal() and int(seen) else UNKNOWN


def _details(facts: Facts) -> str:
    run, by_class = facts.run, facts.by_class
    rows = [
        ("kind", f"generator of a generative adversarial network; draws {_draws(facts)}"),
        ("by class", UNKNOWN if by_class is None else "yes" if by_class else "no"),
        ("recipe", f"{facts.recipe}: {facts.title}"),
        ("paper", facts.paper),
        ("trained", f"{_seen(facts)}, seed {facts.say('seed')}"),
        ("size", f"{facts.numbers:,} numbers"),
        ("precision in training", run.get("precision", UNKNOWN)),
        ("date", run.get("created", UNKNOWN)),
        ("made by", UNKNOWN),
        ("made with", f"Tightrope {facts.header['tightrope']}" if "tightrope" in facts.header else UNKNOWN),
    ]
    fields = json.loads(facts.header.get("fields", "{}"))
    listed = ", ".join(f"{_plain(name)} {_plain(value)}" for name, value in fields.items()) or UNKNOWN
    return f"## Model details\n\n{_table(rows)}\n\nFields of the recipe: {listed}."


def _data(facts: Facts) -> str:
    spec = facts.spec
    classes = spec.get("classes") or []
    shares = spec.get("shares") or [None] * len(classes)
    named = [f"{name} ({share:.1%})" if share else str(name) for name, share in zip(classes, shares, strict=True)]
    shown = ", ".join(named[:MOST]) + (f" and {len(named) - MOST} more" if len(named) > MOST else "")
    rows = [
        ("name", facts.say("data")),
        ("samples", f"{spec['count']:,}" if spec.get("count") else UNKNOWN),
        ("classes", shown or "none"),
        ("licence", facts.say("data_licence")),
        ("fingerprint", facts.say("data_fingerprint")),
        ("how it was collected, who or what it shows", UNKNOWN),
    ]
    return f"## Training data\n\n{_table(rows)}"


def _metrics(facts: Facts) -> str:
    latest = {(record["name"], json.dumps(record.get("protocol"), sort_keys=True)): record for record in facts.metrics}
    found = [record for record in latest.values() if isinstance(record.get("value"), (int, float))]
    if not found:
        return "## Metrics\n\nNot stated: no measurement lies beside this generator."
    head = ["| metric | better | value | 95 % | real data in its place | samples |", "|---|---|---|---|---|---|"]
    of_last = ["These were measured on the last weights of the run; this card is of the best ones, which were not."]
    notes = [_plain(note) for note in dict.fromkeys(note for record in found for note in record.get("notes", []))]
    after = [
        *(of_last if facts.file.name == BEST else []),
        *notes,
        "The data and protocol of each number: the run's metrics.jsonl.",
    ]
    return "\n".join(["## Metrics", "", *head, *map(_metric, found), "", *(f"- {line}" for line in after)])


def _metric(record: Record) -> str:
    """A row: the number, and what it may be held against."""
    null, protocol = record.get("null"), record.get("protocol") or {}
    real = null.get("value") if isinstance(null, dict) else null
    counts = [
        f"{_number(protocol[key])} {of}" for key, of in (("n_real", "real"), ("n_generated", "generated")) if key in protocol
    ]
    span = " to ".join(map(_number, record.get("interval") or ()))
    cells = (_plain(record["name"]), record.get("better") or "", _number(record["value"]), span, _number(real), ", ".join(counts))
    return f"| {' | '.join(cells)} |"


def _number(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _use(facts: Facts) -> str:
    return (
        "## Intended use\n\n"
        "By whoever trained it: not stated. It was trained to draw new samples like its training data, and for nothing else."
        "\n\nOut of scope: passing samples off as records of real things or people; decisions about people."
    )


def _limits(facts: Facts) -> str:
    named = {str(record.get("name")).partition("[")[0] for record in facts.metrics}
    copying = "see copies and near-duplicates above" if {"copies", "near-duplicates"} & named else f"{UNKNOWN} (not measured)"
    lines = [
        "It knows its training data and nothing else: what is rare or missing there is rare or missing here, and what is "
        "lopsided there is lopsided here. How it treats groups of people: not stated (not examined).",
        f"Whether samples copy training data: {copying}.",
        f"It draws {_draws(facts)}; nothing else was trained.",
        "The metrics compare sets of samples; a good number says nothing of a single sample.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _sampling(facts: Facts) -> str:
    if facts.spec["modality"] == "table":
        return (
            "## How to sample\n\n"
            "```\ntightrope sample generator.safetensors -n 10000 --out rows.csv\n```\n\n"
            '```python\nimport tightrope\n\nmodel = tightrope.TableSynthesizer.load("generator.safetensors")\n'
            "rows = model.sample(10_000)\n```\n\n"
            "The same seed gives the same rows."
        )
    return (
        "## How to sample\n\n"
        "```\ntightrope sample generator.safetensors --seeds 0-63 --out samples --grid\n```\n\n"
        '```python\nimport tightrope\n\nimages = tightrope.load("generator.safetensors").sample(seeds=[0, 1, 2])\n```\n\n'
        "The same seed gives the same sample."
    )


def _provenance(facts: Facts) -> str:
    command = " ".join(facts.run.get("command", [])[1:])
    rows = [
        ("sha256 of the generator's file", facts.sha256),
        ("command", f"tightrope {command}" if command else UNKNOWN),
        ("versions", ", ".join(f"{name} {version}" for name, version in facts.run.get("versions", {}).items()) or UNKNOWN),
    ]
    if "source" in facts.header:
        rows += [("read from", facts.say("source")), ("sha256 of that file", facts.say("source_sha256"))]
    return f"## Provenance\n\n{_table(rows)}"


def _licence(facts: Facts) -> str:
    weights, data = (_plain(facts.say(key)).rstrip(".") for key in ("licence", "data_licence"))
    return (
        f"## Licence\n\nOf these weights: {weights}. It is for whoever trained them to say, and the licence of the data ({data}) "
        "may bind it. Tightrope, the program that wrote this file, is Apache-2.0, which says nothing about what is made with it."
    )
