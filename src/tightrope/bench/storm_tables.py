"""The storm's tables: who became usable, who was harmed, what was seen how soon, and every configuration's row.

**Usable** (points): at least 90 % of the modes, and a share of high quality of at least 70 % of what the default recipe reaches
in the same budget and batch; (images): coverage over null of at least 80 % of what it reaches. All numbers finite.
**Hopeless by construction**: the relativistic game with R1 and R2, which is the default recipe's for points, played on the
configuration's own networks from the first move, does not make them usable in the whole budget either.
**The break** of an unusable run: where its figure was best for the last time; of one that never came half of the way to usable,
the moment at which the default recipe had come so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tightrope.balance.decision import Facts
from tightrope.balance.guardian import Guardian
from tightrope.bench.protocol import Result, Table

MODES = {"ring8": 8, "grid25": 25}
PART, QUALITY, COVERAGE = 0.9, 0.7, 0.8  # shares that are usable
DRAWS = 2_000  # of the bootstrap


class Level(NamedTuple):
    """What usable means for a data set and a batch, and at which progress the default recipe had come half of the way."""

    modes: float
    figure: float
    half: float


class Row(NamedTuple):
    """One configuration, both arms."""

    name: str
    number: int
    level: Level
    alone: Result | None
    guarded: Result | None

    def score(self, figures: dict[str, Any] | list[float]) -> float:
        """A figure over what is usable: 1 and above is."""
        if isinstance(figures, list):
            modes, figure = (figures[0], figures[1]) if self.name in MODES else (0.0, figures[-1])
        elif self.name in MODES:
            modes, figure = figures["modes"], figures["high quality"]
        else:
            modes, figure = 0.0, figures["coverage"]
        return min(figure / self.level.figure, modes / self.level.modes if self.level.modes else np.inf)

    def usable(self, result: Result) -> bool:
        return not result.figures["bad"] and self.score(result.figures) >= 1

    @property
    def hopeless(self) -> bool:
        calm = self.guarded.figures.get("calm") if self.guarded else None
        return bool(calm) and not self.usable(self.guarded) and self.score(list(calm)) < 1  # type: ignore[arg-type]


def tables(results: list[Result]) -> list[Table]:
    """Of every storm, points and images apart."""
    levels = _levels(results)
    found = []
    for storm in sorted({r.case.settings["storm"] for r in results if "storm" in r.case.settings}):
        rows = _rows(results, storm, levels)
        for kind, some in (
            ("points", [r for r in rows if r.name in MODES]),
            ("images", [r for r in rows if r.name not in MODES]),
        ):
            if some:
                part = "development" if storm == 0 else "test"
                found += [_summary(f"Storm {storm} ({part}), {kind}", some), _failures(some), _remedies(some), _all(some)]
    return found


def _levels(results: Iterable[Result]) -> dict[tuple[str, int], Level]:
    """From the references of each data set and batch."""
    groups: dict[tuple[str, int], list[Result]] = {}
    for result in results:
        if result.case.method == "reference":
            groups.setdefault((result.case.settings["data"], result.case.settings["batch"]), []).append(result)
    found = {}
    for (name, batch), some in groups.items():
        points = name in MODES
        figure = float(np.mean([r.figures["high quality" if points else "coverage"] for r in some]))
        least = (QUALITY if points else COVERAGE) * figure
        halves = [next((p for p, v in _curve(r) if v >= least / 2), 1.0) for r in some]
        found[name, batch] = Level(PART * MODES.get(name, 0), least, float(np.median(halves)))
    return found


def _curve(result: Result) -> list[tuple[float, float]]:
    """(progress, the figure that is judged) at the readings."""
    readings = result.figures["readings"]
    if result.case.settings["data"] in MODES:
        return [(progress, truth[2]) for (_, progress, _), truth in zip(readings, result.figures["truths"], strict=False)]
    return [(p, values["samples/coverage"]) for _, p, values in readings if "samples/coverage" in values]


def _rows(results: list[Result], storm: int, levels: dict[tuple[str, int], Level]) -> list[Row]:
    arms: dict[tuple[str, int], dict[str, Result]] = {}
    for result in results:
        given = result.case.settings
        if given.get("storm") == storm:
            arms.setdefault((given["data"], result.case.seed), {})[result.case.method] = result
    found = []
    for (name, number), arm in sorted(arms.items()):
        batch = next(iter(arm.values())).case.settings["fields"]["batch"]
        if (name, batch) in levels:
            found.append(Row(name, number, levels[name, batch], arm.get("alone"), arm.get("guarded")))
    return found


# --- what the guardian would have said of a run that it only watched


class Seen(NamedTuple):
    """What a watching guardian says of a run."""

    unusable: bool
    alarms: list[float]  # progress at the readings at which it held that something has to be done


def watched(row: Row, result: Result) -> Seen:
    """Replay the readings of a run through a guardian that only watches: verdicts are functions of readings alone."""
    guardian = Guardian(_facts(row, result), act=False)
    alarms = []
    for seen, progress, values in result.figures["readings"]:
        last = [seen, progress, values] == result.figures["readings"][-1]
        guardian.observe(seen, progress, values, result.figures["bad"] if last else "")
        if guardian.troubled:
            alarms.append(progress)
    return Seen(not guardian.usable, alarms)


def _facts(row: Row, result: Result) -> Facts:
    target = {"reach": 0.7, "faithful": row.level.figure} if row.name in MODES else {"coverage": row.level.figure}
    return Facts(rates={}, sizes={}, target=target)


def began(row: Row, result: Result) -> bool:
    """Whether an unusable run came at least half of the way to usable."""
    return max((v for _, v in _curve(result)), default=0.0) >= row.level.figure / 2


def broke(row: Row, result: Result) -> float:
    """Progress at the break of an unusable run."""
    if not began(row, result):
        return row.level.half
    curve = _curve(result)
    best = max(v for _, v in curve)
    return max(p for p, v in curve if v >= 0.9 * best)


def delay(row: Row, result: Result, seen: Seen) -> float:
    """From the break to the first alarm; of a run that never came half of the way, to the first alarm at all."""
    after = broke(row, result)
    alarms = [p for p in seen.alarms if p >= after or not began(row, result)]
    return max(0.0, min(alarms, default=1.0) - after)


# --- tables


def _summary(title: str, rows: list[Row]) -> Table:
    pairs = [r for r in rows if r.alone and r.guarded]
    before, after = ([r.usable(arm(r)) for r in pairs] for arm in (_alone, _guarded))
    lost = [r for r, ok in zip(pairs, before, strict=True) if not ok]
    hoped = [r for r in lost if not r.hopeless]
    rescued = [r.usable(_guarded(r)) for r in hoped]
    harmed = [not r.usable(_guarded(r)) for r, ok in zip(pairs, before, strict=True) if ok]
    told = [(r, watched(r, r.alone), r.usable(r.alone)) for r in rows if r.alone]
    recall = [seen.unusable for _, seen, ok in told if not ok]
    alarms = [seen.unusable for _, seen, ok in told if ok]
    delays = [delay(r, _alone(r), seen) for r, seen, ok in told if not ok]
    ends = [_guarded(r).figures["ended"] - broke(r, _guarded(r)) for r in pairs if not r.usable(_guarded(r))]
    lines: list[tuple[str, ...]] = [
        ("configurations", str(len(rows)), "", ""),
        ("usable alone", _share(before), _interval(before), ""),
        ("usable with the guardian", _share(after), _interval(after), "at least 90 %"),
        ("hopeless by construction", str(sum(r.hopeless for r in pairs)), "", ""),
        ("rescued of the others", _share(rescued), _interval(rescued), "at least 80 %"),
        ("usable alone, unusable with it", _share(harmed), _interval(harmed), "at most 1 %"),
        ("unusable runs reported", _share(recall), _interval(recall), "at least 97 %"),
        ("false alarms on usable ones", _share(alarms), _interval(alarms), "at most 2 %"),
        ("delay after the break, median", _percent(np.median(delays) if delays else None), "", "under 5 % of the run"),
        ("end after the break, median", _percent(np.median(ends) if ends else None), "", "at most 30 %"),
        ("end after the break, at most 30 %", _share([e <= 0.3 for e in ends]), "", ""),
        ("final over best, median, alone", _ratio(rows, _alone), "", ""),
        ("final over best, median, with the guardian", _ratio(pairs, _guarded), "", ""),
        ("share of CPU time for watching", _cost(rows), "", "3 % images, 10 % points"),
    ]
    return Table(title=title, head=("", "measured", "95 %", "bar"), rows=lines, notes=())


def _alone(row: Row) -> Result:
    assert row.alone is not None
    return row.alone


def _guarded(row: Row) -> Result:
    assert row.guarded is not None
    return row.guarded


def _share(outcomes: list[bool]) -> str:
    return f"{sum(outcomes)} of {len(outcomes)} ({np.mean(outcomes):.1%})" if outcomes else "none"


def _percent(value: Any) -> str:
    return "–" if value is None else f"{value:.1%}"


def _interval(outcomes: list[bool]) -> str:
    """Percentile bootstrap over configurations."""
    if len(outcomes) < 2:
        return ""
    random = np.random.RandomState(0)
    means = np.asarray(outcomes, float)[random.randint(len(outcomes), size=(DRAWS, len(outcomes)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{low:.1%} … {high:.1%}"


def _ratio(rows: list[Row], arm: Callable[[Row], Result]) -> str:
    found = []
    for row in rows:
        if (row.alone if arm is _alone else row.guarded) is None:
            continue
        values = [v for _, v in _curve(arm(row))]
        if values and max(values) > 0:
            name = "high quality" if row.name in MODES else "coverage"
            found.append(min(1.0, arm(row).figures[name] / max(values)))
    return f"{np.median(found):.2f}" if found else "–"


def _cost(rows: list[Row]) -> str:
    some = [r.alone for r in rows if r.alone]
    shares = [r.figures["watched"] / max(r.figures["trained"] - r.figures["watched"], 1e-9) for r in some]
    return _percent(np.median(shares) if shares else None)


def _failures(rows: list[Row]) -> Table:
    """Everything that is unusable with the guardian, and why."""
    lines: list[tuple[str, ...]] = []
    for row in rows:
        if row.guarded is None or row.usable(row.guarded):
            continue
        figures = row.guarded.figures
        tried = [t["name"] + ("" if t.get("back_to") is None else "*") for t in figures["told"] if t["event"] == "remedy"]
        lines.append(
            (
                f"{row.name} {row.number}", row.guarded.case.settings["fields"]["game"], "yes" if row.hopeless else "no",
                f"{row.score(figures):.2f}", figures["verdict"], f"{figures['ended']:.0%}", ", ".join(tried) or "none",
            )
        )  # fmt: skip
    head = ("configuration", "game", "hopeless", "score", "last verdict", "ended at", "remedies (* with a rollback)")
    return Table(title="Unusable with the guardian", head=head, rows=lines, notes=("Score 1 is usable.",))


def _remedies(rows: list[Row]) -> Table:
    counts: dict[str, list[bool]] = {}
    for row in rows:
        for record in row.guarded.figures["told"] if row.guarded else ():
            if record["event"] == "remedy":
                counts.setdefault(record["name"], []).append(row.usable(_guarded(row)))
    lines: list[tuple[str, ...]] = [(name, str(len(ended)), _share(ended)) for name, ended in sorted(counts.items())]
    return Table(title="Remedies", head=("remedy", "applied", "run became usable"), rows=lines)


def _all(rows: list[Row]) -> Table:
    lines: list[tuple[str, ...]] = []
    for row in rows:
        some = row.alone or row.guarded
        assert some is not None
        f = some.case.settings["fields"]
        scores = [f"{row.score(r.figures):.2f}" if r else "–" for r in (row.alone, row.guarded)]
        g = f"{f['g_depth']}x{f['g_width']} {f['g_activation']}{' bn' if f['g_norm'] else ''}"
        d = f"{f['d_depth']}x{f['d_width']} {f['d_activation']} {f['d_norm']}"
        rates = f"{f['lr_g']:.1e} {f['lr_d']:.1e}"
        lines.append((f"{row.name} {row.number}", f["game"], rates, f"{f['beta1']:.2f}", str(f["critic_steps"]), g, d, *scores))
    head = ("configuration", "game", "rates G D", "beta1", "repeats", "G", "D", "alone", "guarded")
    return Table(title="Every configuration (score: 1 is usable)", head=head, rows=lines)
