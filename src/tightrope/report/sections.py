"""The parts of the report as HTML, in the order a person wants them. Everything that comes from a run is escaped."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

from tightrope.report.classes import is_by_class
from tightrope.report.records import Record, number, part, scalars, whole
from tightrope.report.words import count, duration, esc, linked, measured, moment, short, value

ARROWS = {"lower": "↓ lower is better", "higher": "↑ higher is better"}
CODE = re.compile(r"`([^`]+)`")
STATES = {"done": "Done", "running": "Running", "interrupted": "Interrupted", "stopped": "Stopped", "unfinished": "Unfinished"}


def header(run: Record, facts: Record) -> str:
    """Name, recipe, paper, data and state."""
    recipe, data = part(run, "recipe"), part(run, "data")
    condition = facts["state"]
    preset = f' <span class="muted">preset {esc(recipe["preset"])}</span>' if recipe.get("preset") else ""
    left = "" if facts["left"] is None else f", about {duration(facts['left'])} left"
    going = condition != "done" and facts["progress"] is not None
    bar = (
        f'<div class="progress {condition}" aria-hidden="true"><i style="width:{100 * facts["progress"]:.1f}%"></i></div>'
        if going
        else ""
    )
    percent = f"{'' if condition == 'running' else ' at'} {100 * facts['progress']:.0f} %{left}" if going else ""
    message = f'<p class="message {condition}">{esc(facts["message"])}</p>' if facts["message"] else ""
    return (
        f'<div class="title"><h1>{esc(facts["name"])}</h1>'
        f'<span class="state {condition}"><i aria-hidden="true"></i>{STATES[condition]}{percent}</span></div>'
        f'<p class="lead"><b>{esc(recipe.get("title") or recipe.get("name") or "unknown recipe")}</b>{preset} on '
        f"<b>{esc(data.get('name') or 'unknown data')}</b>, started {esc(moment(run.get('created')))}</p>"
        f'<p class="paper">{linked(recipe.get("paper"))}</p>{bar}{message}'
    )


def tiles(run: Record, facts: Record, folder: Path) -> str:
    """The key figures."""
    budget = facts["budget"]
    aim = f"budget {value(budget['minutes'])} min" if budget["minutes"] else ""
    aim = f"of {short(budget['seen'])}" if budget["seen"] else aim
    players = " · ".join(f"{esc(name)} {short(n)}" for name, n in part(run, "parameters").items())
    shape = part(run, "data", "spec").get("shape")
    metric = facts["metric"]
    first = ("Main metric", "–", "not measured yet")
    if metric is not None:
        first = (metric["name"], measured(metric["value"]), ARROWS.get(str(metric["better"]), ""))
    found = [
        first,
        ("Samples seen", short(facts["seen"]), aim),
        ("Wall time", duration(facts["seconds"]), "training only" if facts["seconds"] else ""),
        ("Speed", "–" if facts["speed"] is None else short(facts["speed"]), "samples a second"),
        ("Parameters", short(facts["parameters"]), players),
        (*_size(shape, part(run, "data", "spec").get("modality")), _file_size(folder / "generator.safetensors")),
    ]
    cells = (f"<div><dt>{esc(name)}</dt><dd>{figure}</dd><small>{note or '&nbsp;'}</small></div>" for name, figure, note in found)
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def _size(shape: Any, modality: Any) -> tuple[str, str]:
    if not isinstance(shape, list) or not shape:
        return "Sample size", "–"
    if modality == "table":
        return "Numbers of an encoded row", f"{shape[0]:,}"
    if modality != "points" and len(shape) == 3:
        return f"Image size, {'colour' if shape[0] == 3 else 'grey' if shape[0] == 1 else f'{shape[0]} channels'}", (
            f"{whole(shape[2])}\u202f×\u202f{whole(shape[1])}"
        )
    return "Sample size", "\u202f×\u202f".join(esc(value(side)) for side in shape)


def _file_size(path: Path) -> str:
    return f"generator file {path.stat().st_size / 1e6:.3g} MB" if path.is_file() else "no generator file"


def metrics(records: list[Record]) -> str:
    """The newest value of every metric, each with its protocol; then class shares as bars."""
    latest = {str(m["name"]): m for m in sorted(scalars(records), key=lambda m: whole(m.get("seen")))}
    tables = {str(m["name"]): m for m in records if isinstance(m["value"], dict) and not is_by_class(m)}
    order = dict.fromkeys(str(m["name"]) for m in records)
    if not order:
        return '<p class="empty">Nothing has been measured yet. <code>tightrope evaluate</code> adds numbers to a run.</p>'
    rows = "".join(_metric(latest[name]) for name in order if name in latest)
    head = '<thead><tr><th scope="col">Metric</th><th scope="col" class="n">Value</th><th scope="col" class="n">95 % or ± sd</th><th scope="col" class="n">Real data</th><th scope="col">Direction</th><th scope="col" class="n">Seen</th></tr></thead>'
    table = f'<div class="card flush"><table class="metrics">{head}{rows}</table></div>' if rows else ""
    return table + "".join(shares(tables[name]) for name in order if name in tables)


def _metric(record: Record) -> str:
    direction = ARROWS.get(str(record.get("better")), "–")
    span = record.get("interval")
    interval = f"{measured(span[0])} … {measured(span[1])}" if isinstance(span, list) and len(span) == 2 else ""
    if not interval and record.get("std") is not None:
        interval = f"± {measured(record['std'])}"
    null = record.get("null")
    null = part(record, "null").get("value") if isinstance(null, dict) else null
    return (
        f'<tbody><tr><th scope="row">{esc(record["name"])}</th><td class="n big">{esc(measured(record["value"]))}</td>'
        f'<td class="n">{interval}</td><td class="n">{"" if null is None else measured(null)}</td>'
        f'<td>{direction}</td><td class="n">{count(record.get("seen"))}</td></tr>'
        f'<tr class="more"><td colspan="6">{_notes(record)}{_protocol(record)}</td></tr></tbody>'
    )


def _notes(record: Record) -> str:
    notes = record.get("notes")
    return "".join(f"<div>{esc(note)}</div>" for note in notes) if isinstance(notes, list) else ""


def _protocol(record: Record) -> str:
    protocol = part(record, "protocol")
    if not protocol:
        return '<span class="muted">no protocol recorded</span>'
    return f"<details><summary>Protocol</summary>{pairs(protocol)}</details>"


def pairs(entries: Record) -> str:
    """A record as a list of name and value."""
    return '<dl class="pairs">' + "".join(f"<dt>{esc(k)}</dt><dd>{esc(value(v))}</dd>" for k, v in entries.items()) + "</dl>"


def shares(record: Record) -> str:
    """Class shares as bars with the ideal line: the shares of the real data where they are known, else equal shares."""
    found = {str(k): number(v) for k, v in record["value"].items()}
    if not found:
        return ""
    stated = {str(k): number(v) for k, v in part(record, "null").items()}
    ideal = {name: stated.get(name, math.nan) if stated else 1 / len(found) for name in found}
    finite = [v for v in (*found.values(), *ideal.values()) if math.isfinite(v) and v >= 0]
    top = max([*finite, 1e-9]) * 1.08
    bars = "".join(_bar(name, share, ideal[name], top) for name, share in found.items())
    line = "the share in the data" if stated else f"equal shares ({100 / len(found):.3g} %)"
    many = " many" if len(found) > 24 else ""
    seen = f"Seen {count(record['seen'])}." if record.get("seen") is not None else ""
    missing = sum(v == 0 for v in found.values())
    return (
        f'<div class="card shares"><h3>{esc(record["name"])}</h3><p class="muted">How the generated samples fall into the '
        f"{len(found)} classes{f', {missing} of them never' if missing else ''}; "
        f'the <span class="ideal-key">line</span> is {line}. {seen}</p>'
        f'<ul class="bars{many}">{bars}</ul>{_protocol(record)}</div>'
    )


def _bar(name: str, share: float, ideal: float, top: float) -> str:
    width = 100 * max(0.0, share) / top if math.isfinite(share) else 0.0
    mark = f'<u style="left:{100 * ideal / top:.2f}%"></u>' if math.isfinite(ideal) else ""
    text = f"{100 * share:.1f}\u202f%" if math.isfinite(share) else "not a number"
    return f'<li><span>{esc(name)}</span><b aria-hidden="true"><i style="width:{width:.2f}%"></i>{mark}</b><em>{text}</em></li>'


def recipe(run: Record) -> str:
    """Every field of the recipe, those that differ from the default or the paper marked."""
    fields, declared = part(run, "recipe", "fields"), part(run, "recipe", "declared")
    if not fields:
        return '<p class="empty">The run records no fields for its recipe.</p>'
    overrides = part(run, "recipe", "overrides")
    rows = "".join(_field(name, fields[name], part(declared, name), name in overrides) for name in fields)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Field", "Value", "Default", "Paper", "Meaning"))
    return (
        '<label class="check"><input type="checkbox" id="only-changed"> Only fields that differ from the default or the paper</label>'
        f'<div class="card flush"><table class="fields"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _field(name: str, now: Any, declared: Record, given: bool) -> str:
    default = declared.get("default", now)
    paper = default if declared.get("paper") is None else declared["paper"]
    changed, off = now != default, now != paper
    why = "set for this run" if given and changed else "set by the preset" if changed else ""
    tag = f' <span class="tag">{why}</span>' if why else ""
    departs = ' <span class="tag off">paper differs</span>' if off else ""
    kind = " ".join(word for word, on in (("changed", changed), ("off", off)) if on)
    doc = CODE.sub(r"<code>\1</code>", esc(declared.get("doc") or "")) + _bounds(declared)
    return (
        f'<tr class="{kind}"><th scope="row"><code>{esc(name)}</code></th><td data-is="value"><b>{esc(value(now))}</b>{tag}</td>'
        f'<td data-is="default">{esc(value(default))}</td><td data-is="paper">{esc(value(paper))}{departs}</td>'
        f'<td data-is="doc">{doc}</td></tr>'
    )


def _bounds(declared: Record) -> str:
    if declared.get("choices"):
        return f' <span class="muted">({esc(value(declared["choices"]))})</span>'
    low, high = declared.get("low"), declared.get("high")
    if low is None and high is None:
        return ""
    return f' <span class="muted">({esc(value(low))} to {esc(value(high))})</span>'


def provenance(run: Record) -> str:
    """Data, machine, versions and settings."""
    data, spec, machine = part(run, "data"), part(run, "data", "spec"), part(run, "machine")
    classes = spec.get("classes") or []
    about = {
        "name": data.get("name"),
        "samples": data.get("count", spec.get("count")),
        "modality": spec.get("modality"),
        "classes": f"{len(classes)}: {value(classes[:12])}{' …' if len(classes) > 12 else ''}" if classes else "none",
        "licence": data.get("licence") or "not stated by the source",
        "source": data.get("source"),
        "fingerprint": data.get("fingerprint"),
    }
    computer = {**machine, "accelerator": machine.get("accelerator") or "none (CPU)"}
    memory = computer.pop("memory_gb", None)
    computer |= {"memory": f"{value(memory)} GB"} if memory else {}
    settings = {name: run.get(name) for name in ("precision", "seed", "threads", "processes")}
    versions = {"tightrope": run.get("tightrope"), **part(run, "versions")}
    blocks = (("Data", about), ("Machine", computer), ("Settings", settings), ("Versions", versions))
    return '<div class="cards">' + "".join(f'<div class="card"><h3>{t}</h3>{pairs(e)}</div>' for t, e in blocks) + "</div>"


def commands(run: Record, folder: Path, facts: Record) -> str:
    """What to type to make this run again, to go on with it, and to use it."""
    given = [str(word) for word in run.get("command") or [] if isinstance(word, (str, int, float))]
    if given and Path(given[0]).name in ("tightrope", "__main__.py"):
        given[0] = "tightrope"
    where = shlex.quote(place(folder))
    found = [("Make this run again", shlex.join(given))] if given else []
    if facts["state"] != "done":
        found.append(("Go on from the last checkpoint", f"tightrope resume {where}"))
    if facts["seen"]:
        if part(run, "data", "spec").get("given"):
            found.append(("Translate pictures", f"tightrope translate {where} ./pictures --out translated --compare"))
        else:
            found.append(("Generate 64 samples", f"tightrope sample {where} --seeds 0-63 --out samples --grid"))
        found.append(("Measure it", f"tightrope evaluate {where}"))
    found.append(("Write this report anew", f"tightrope report {where}"))
    rows = (
        f'<div class="command"><span>{title}</span><code>{_words(line)}</code>'
        f'<button type="button" class="copy" aria-label="Copy: {title}">Copy</button></div>'
        for title, line in found
    )
    return f'<div class="card">{"".join(rows)}</div>'


def _words(line: str) -> str:
    """A command whose words stay whole where the line wraps; its text is the command itself."""
    return " ".join(f"<em>{esc(word)}</em>" for word in line.split(" "))


def place(folder: Path) -> str:
    """The run's folder as a command names it: below the working directory, else its last two names (no machine path)."""
    full, here = folder.resolve(), Path.cwd()
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else "/".join(full.parts[-2:]).lstrip("/")


def log(events: list[Record]) -> str:
    """The records that are neither ticks nor previews, as a list to unfold."""
    told = [r for r in events if r.get("event") not in ("tick", "preview")]
    rows = "".join(
        f'<tr><td class="n">{count(r.get("seen"))}</td><th scope="row">{esc(r.get("event", "record"))}</th>'
        f"<td>{esc(value({k: v for k, v in r.items() if k not in ('event', 'seen')}))}</td></tr>"
        for r in told
    )
    head = '<thead><tr><th scope="col" class="n">Seen</th><th scope="col">Event</th><th scope="col">Record</th></tr></thead>'
    if not told:
        return ""
    title = f"Log, {len(told)} record{'s' if len(told) > 1 else ''}"
    return f"<details><summary>{title}</summary><table>{head}<tbody>{rows}</tbody></table></details>"


def script_json(record: Any) -> str:
    """JSON that is safe inside a <script> element."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
