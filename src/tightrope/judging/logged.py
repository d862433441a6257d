"""The doctor of logs: where a finished run broke, how sure that is, and what it cost. Reads numbers alone; needs neither
data nor torch. `doctor_log` is `tightrope doctor LOG`; `over_the_run` is its part of the page on a run's samples.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from tightrope.balance.breaks import Finding, examine
from tightrope.balance.logfiles import Row, tick_rows
from tightrope.balance.logs import Log, Named, is_log, log_of, read_log
from tightrope.balance.verdict import NAMES, Verdict
from tightrope.core.errors import InputError
from tightrope.report import logged as page
from tightrope.report.records import Record, number, read_events, read_metrics, read_run, scalars, whole

__all__ = ["doctor_log", "is_log", "is_run", "over_the_run"]

FEW = 8  # values of a metric below which it outvotes nothing
NO_NUMBER = ("became", "no longer finite")  # how a run says that it met NaN or an infinity


def is_run(path: str | Path) -> bool:
    """Whether a path is a run of Tightrope's."""
    return (Path(path) / "run.json").is_file()


def doctor_log(what: str | Path, *, out: str | Path | None = None, named: Named | None = None) -> Record:
    """Examine a log and write the page.

    Args:
        what: a log file or folder (see `tightrope.balance.logs.read_log`), or a run of Tightrope's.
        out: the page; default doctor.html in the folder (of a run: log.html), FILE.doctor.html beside a file.
        named: columns by name, where they are not recognised.

    Returns:
        {"verdict", "summary", "findings", "checks", "best", "broke", "cost", "subject", "clock", "columns", "notes", "page",
        "tightrope"}; all plain JSON. "findings" are the checks that are not ok, the most urgent first; each is {"name",
        "check", "series", "ok", "since", "at", "sure", "evidence", "sentence"}.

    Raises:
        InputError: it is no log, or holds nothing that can be judged.
    """
    path = Path(what)
    if is_run(path):
        events = read_events(path)
        log, stops = _of_run(path, events, named), _stopped(events)
        default = path / "log.html"
    else:
        log, stops = read_log(path, named), []
        default = path / "doctor.html" if path.is_dir() else path.with_name(f"{path.name}.doctor.html")
    place = Path(out) if out is not None else default
    if place.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {place}: the page is an HTML file; name it so.")
    record = _record(log, stops) | {"page": str(place), "tightrope": version("tightrope")}
    page.write(place, record, log)
    return record


def over_the_run(run: Path, events: list[Record]) -> Record | None:
    """What a run's own records say of its course, as `doctor_log` returns it but for the page; None where they are too few."""
    try:
        return _record(_of_run(run, events, None), _stopped(events))
    except InputError:
        return None


def _of_run(run: Path, events: list[Record], named: Named | None) -> Log:
    """Ticks, and metrics that were measured more than once."""
    read_run(run)
    measured: list[Row] = [
        {"seen": number(record.get("seen")), str(record["name"]): number(record["value"])}
        for record in scalars(read_metrics(run))
    ]
    rows = list(tick_rows(events))
    if not rows:
        raise InputError(f"{run}: its events.jsonl holds no ticks yet; there is nothing to judge.")
    return log_of([*rows, *measured], run.resolve().name, named, parts=2, source=str(run))


def _stopped(events: list[Record]) -> list[Finding]:
    """That a run met a number that is none: it stops before it would record it."""
    end = next((event for event in reversed(events) if event.get("event") == "end"), {})
    message = str(end.get("message") or "")
    if end.get("reason") != "stopped" or not any(words in message for words in NO_NUMBER):
        return []
    since = whole(end.get("seen"))
    verdict = Verdict(name="non-finite", since=since, sure=1.0, evidence={}, sentence=f"The run stopped: {message}")
    return [Finding("stopped", "run", verdict)]


def _record(log: Log, stops: list[Finding]) -> Record:
    findings = [*stops, *examine(log)]
    if not findings:
        raise InputError(f"{log.name}: holds {len(log.history)} moments, too few to judge; a metric needs 4 values, a loss 20.")
    spoken = [_outvoted(finding, findings, log) for finding in findings]
    checks = [_plain(finding, against, log) for finding, against in zip(findings, spoken, strict=True)]
    order = sorted((c for c in checks if not c["ok"]), key=lambda check: (check["check"] != "metric", NAMES.index(check["name"])))
    main = _main(findings)
    return {
        "verdict": order[0]["name"] if order else main.verdict.name if main else "healthy",
        "summary": _summary(log, order, main),
        "findings": order,
        "checks": checks,
        "best": _best(main, log),
        "broke": {key: order[0][key] for key in ("series", "since", "at", "sure")} if order else None,
        "cost": _cost(order, main),
        "subject": log.name,
        "clock": log.clock.name,
        "columns": {**log.losses, **{name: f"{better} is better" for name, better in log.metrics.items()}},
        "notes": list(log.notes),
    }


def _main(findings: list[Finding]) -> Finding | None:
    """The metric that the run is judged by."""
    return next((finding for finding in findings if finding.check == "metric"), None)


def _outvoted(finding: Finding, findings: list[Finding], log: Log) -> bool:
    """Whether the main metric held, and was still measured after this began: then a loss's ways, or another metric's, are
    no break. Numbers that are none to the end are one in any case."""
    main = _main(findings)
    if finding.verdict.good or main is None or not main.verdict.good or finding is main:
        return False
    if finding.check in ("non-finite", "stopped", "frozen") and "share_after_break" in finding.verdict.evidence:
        return False
    measured = [reading.seen for reading in log.history.readings if main.series in reading.values]
    return finding.check != "stopped" and len(measured) >= FEW and measured[-1] > finding.verdict.since


def _plain(finding: Finding, outvoted: bool, log: Log) -> Record:
    verdict = finding.verdict
    sentence = verdict.sentence + (" The metric did not suffer from it." if outvoted else "")
    return {
        "name": verdict.name,
        "check": finding.check,
        "series": finding.series,
        "ok": verdict.good or outvoted,
        "since": verdict.since,
        "at": log.clock.at(verdict.since),
        "sure": round(verdict.sure, 4),
        "evidence": verdict.evidence,
        "sentence": sentence,
    }


def _summary(log: Log, alarms: list[Record], main: Finding | None) -> str:
    if alarms:
        first = alarms[0]
        return f"It broke at {first['at']} ({_sure(first['sure'])}). {first['sentence']}"
    if main is not None:
        return main.verdict.sentence
    return (
        f"No break found in {_listed(list(log.losses))}. Losses alone do not tell whether samples got better: log a metric too."
    )


def _sure(sure: float) -> str:
    return "certain" if sure >= 1 else f"{min(sure, 0.999):.1%} sure"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _best(main: Finding | None, log: Log) -> Record | None:
    if main is None:
        return None
    found = main.verdict.evidence
    return {"series": main.series, "value": found["best"], "seen": found["best_at"], "at": log.clock.at(found["best_at"])}


def _cost(alarms: list[Record], main: Finding | None) -> dict[str, float]:
    """Shares and seconds after the best and after the break, where there are such."""
    found = {k: v for k, v in (main.verdict.evidence if main else {}).items() if k.endswith("_after_best")}
    return found | {k: v for k, v in (alarms[0]["evidence"] if alarms else {}).items() if k.endswith("_after_break")}
