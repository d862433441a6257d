"""`tightrope augment`, as one call: every way of every seed, what came of it, and what is written.

OUT/trials.jsonl    a line a seed: where it stopped, the same call goes on
    outcome.json    figures, the recommendation, the audit
    report.html     the same, drawn
    augmented.csv   real rows, then generated ones; of pictures a folder `made` with one a class; if recommended or insisted on
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tightrope import __version__
from tightrope import data as data_room
from tightrope.core.errors import InputError
from tightrope.core.files import append_line, write_json
from tightrope.core.seeds import derive
from tightrope.scarce import images, makers, page, rows, tables
from tightrope.scarce import pictures as picture_room
from tightrope.scarce.learners import LEARNERS
from tightrope.scarce.outcome import Outcome, outcome
from tightrope.scarce.pictures import Pictures
from tightrope.scarce.rows import Maker, Rows

TRIALS, OUTCOME, REPORT, AUGMENTED, MADE = "trials.jsonl", "outcome.json", "report.html", "augmented.csv", "made"
FINAL = tables.FOLDS + 1  # trainings for what is written: to choose how many, and on all rows
PICTURE_MINUTES = 30.0  # of all generators of pictures together
Told = Callable[[int, int], None]  # trainings done, of how many


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """How it is done.

    Attributes:
        out: where results are kept; None keeps none.
        minutes: of all trainings together; None: a number of rows each, or half an hour for pictures.
        anyway: write what was made though it is not recommended. Copies are refused all the same.
    """

    out: Path | None = None
    seeds: int = 5
    minutes: float | None = None
    anyway: bool = False
    told: Told = lambda done, total: None

    @property
    def trainings(self) -> int:
        """Of a GAN, all in all."""
        return FINAL * (self.seeds + 1)

    def each(self, usual: float | None = None) -> float | None:
        """Minutes of a training."""
        minutes = self.minutes if self.minutes is not None else usual
        return None if minutes is None else minutes / self.trainings


@dataclasses.dataclass(frozen=True)
class Found:
    """What came of it: the outcome that decides, all of them by learner and figure, and what was written."""

    title: str
    main: Outcome
    others: Sequence[Outcome]
    facts: Mapping[str, Any]
    written: Path | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tightrope": __version__, "data": self.title, "recommended": self.main.recommended, "recommendation": self.main.words,
            "outcome": self.main.record(), "others": [other.record() for other in self.others], **self.facts,
            "written": None if self.written is None else str(self.written),
        }  # fmt: skip


# ---------------------------------------------------------------- tables
def augment_table(data: str | Path, target: str, job: Job, maker: Maker | None = None) -> Found:
    """Compare the ways on a table's rows; see the head of the file.

    Raises:
        InputError: what `rows.load` says.
    """
    whole = rows.load(data, target)
    if job.out is not None and "synthetic" in whole.cells:
        raise InputError(f"{data}: has a column `synthetic` already; rename it, since it says which rows are generated.")
    make = maker or rows.gan(job.each())
    key = {"data": whole.name, "rows": len(whole), "target": target, "minutes": job.each(), "sha256": _digest(whole.cells)}
    kept, trials = _kept(job, key), []
    for seed in range(job.seeds):
        if seed not in kept:
            told = _counted(job, FINAL * seed)
            kept[seed] = dataclasses.asdict(tables.trial(*tables.split(whole, seed), make, seed, told))
            _keep(job, key | {"seed": seed}, kept[seed])
        trials.append(tables.Trial(**kept[seed]))
        job.told(FINAL * (seed + 1), job.trainings)
    outcomes = tables.judged(whole, trials)
    main = outcomes[LEARNERS[0]][tables.figure_of(whole)]
    others = [found for of in outcomes.values() for found in of.values() if found is not main]
    ours = [way for way in tables.GENERATED if way in trials[0].scores]
    facts = {
        "target": target, "rows": len(whole), "copies_dropped": sum(trial.copied for trial in trials),
        "generated": sum(trial.made for trial in trials),
        "amounts": {way: [trial.amounts[way][LEARNERS[0]] for trial in trials] for way in ours},
    }  # fmt: skip
    found = Found(f"{whole.name}, {target}", main, others, facts)
    return _finished(found, job, lambda best: _write_rows(whole, make, best, job))


def _write_rows(whole: Rows, make: Maker, best: str, job: Job) -> tuple[Path, Mapping[str, Any]] | str:
    """What was written and the audit, or why nothing was."""
    assert job.out is not None
    amount = tables.chosen(whole, make, derive(0, "final") % 2**31, _counted(job, FINAL * job.seeds))[best, LEARNERS[0]]
    if not amount and not job.anyway:
        return "on all rows, cross-validation chooses to add none."
    made, audit = tables.added(whole, make, amount or 1.0, derive(0, "written") % 2**31)
    job.told(job.trainings, job.trainings)
    rows.write_csv(job.out / AUGMENTED, tables.augmented(whole, made))
    many = len(next(iter(made.values()), ()))
    return job.out / AUGMENTED, {"audit": audit.record() if audit else None, "added": many, "amount": amount or 1.0}


# ---------------------------------------------------------------- pictures
def augment_pictures(data: str | Path, job: Job) -> Found:
    """Compare the ways on pictures with classes: half of them are kept apart by each seed.

    Raises:
        InputError: what `pictures.pictures` says.
    """
    whole = picture_room.pictures(data_room.load(data))
    minutes = job.each(PICTURE_MINUTES) or 1.0
    key = {
        "data": Path(data).name,
        "pictures": len(whole),
        "minutes": minutes,
        "sha256": _digest(whole.images.numpy().tobytes().hex()),
    }
    kept = _kept(job, key)
    for seed in range(job.seeds):
        if seed not in kept:
            kept[seed] = _picture_trial(whole, minutes, seed)
            _keep(job, key | {"seed": seed}, kept[seed])
        job.told(FINAL * (seed + 1), job.trainings)
    trials = [kept[seed] for seed in range(job.seeds)]
    scores = [trial["scores"] for trial in trials]
    generated = [way.name for way in images.WAYS if way.generated]
    main = outcome("balanced accuracy", scores, generated, repeated=1.0, made="pictures")
    facts = {"pictures": len(whole), "copies_dropped": sum(t["copied"] for t in trials), "shares": [t["share"] for t in trials]}
    return _finished(Found(Path(data).name, main, (), facts), job, lambda best: _write_pictures(whole, minutes, best, job))


def _picture_trial(whole: Pictures, minutes: float, seed: int) -> dict[str, Any]:
    """One seed: the share chosen on folds of one half, all ways scored on the other."""
    train, test = (whole.at(part) for part in whole.folds(2, seed))
    way = next(way for way in images.WAYS if way.generated and way.lesson.classic)
    shares = images.chosen_share(way, train, minutes, seed)
    share = max(shares, key=shares.__getitem__)
    found = images.trial(train, test, minutes, seed, share)
    return {"scores": found.scores, "share": share, "copied": sum(int(audit.copied.sum()) for audit in found.audits)}


def _write_pictures(whole: Pictures, minutes: float, best: str, job: Job) -> tuple[Path, Mapping[str, Any]] | str:
    assert job.out is not None
    way = next(way for way in images.WAYS if way.name == best)
    shares = images.chosen_share(way, whole, minutes, derive(0, "final") % 2**31)
    share = max(shares, key=shares.__getitem__)
    if not share and not job.anyway:
        return "on all pictures, cross-validation chooses to add none."
    made = makers.train(whole, minutes, derive(0, "written") % 2**31)
    audits = images.write(made, job.out / MADE, max(whole.counts))
    job.told(job.trainings, job.trainings)
    return job.out / MADE, {"dropped": [int(audit.copied.sum()) for audit in audits], "share": share or 0.5}


# ---------------------------------------------------------------- keeping and writing
def _finished(found: Found, job: Job, write: Callable[[str], tuple[Path, Mapping[str, Any]] | str]) -> Found:
    """Write what is recommended, then the record and the page; a failed audit turns the recommendation."""
    if job.out is None:
        return found
    job.out.mkdir(parents=True, exist_ok=True)
    refused: InputError | None = None
    if found.main.recommended or job.anyway:
        try:
            said = write(found.main.best)
        except InputError as error:
            refused, said = error, str(error)
        if isinstance(said, str):
            found = dataclasses.replace(found, main=found.main.refused(said))
        else:
            found = dataclasses.replace(found, written=said[0], facts={**found.facts, **said[1]})
    write_json(job.out / OUTCOME, found.record())
    page.write(job.out / REPORT, found.title, found.main, found.others, found.record())
    if refused is not None:
        raise refused
    return found


def _counted(job: Job, before: int) -> Callable[[], None]:
    """Tells of one training more each time."""
    done = iter(range(before + 1, job.trainings + 1))
    return lambda: job.told(next(done), job.trainings)


def _digest(content: Any) -> str:
    """The data, so that trials of other data are not taken for these."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _kept(job: Job, key: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """The trials of this very comparison that are in the folder already, by seed; a line cut short is left out."""
    path = job.out / TRIALS if job.out is not None else None
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if key.items() <= entry["of"].items():
            found[entry["of"]["seed"]] = entry["trial"]
    return found


def _keep(job: Job, key: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
    if job.out is not None:
        job.out.mkdir(parents=True, exist_ok=True)
        append_line(job.out / TRIALS, json.dumps({"of": key, "trial": trial}))
