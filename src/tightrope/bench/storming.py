"""How a case of the storm is played: one game in its budget, watched all along, with or without a guardian that acts.

Axes: N samples.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tightrope import recipes
from tightrope.balance import remedies
from tightrope.balance.guardian import Guardian
from tightrope.bench.playing import fashion, samples
from tightrope.bench.protocol import Case, Figures
from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.errors import RunStopped
from tightrope.core.game import Knobs, Recipe
from tightrope.core.turns import Turns
from tightrope.data import PointDataset, load
from tightrope.data.part import Part
from tightrope.metrics.extractors import load as load_extractor
from tightrope.metrics.features import Features, read
from tightrope.metrics.judge import judge_for
from tightrope.metrics.manifold import coverage_null, density_coverage
from tightrope.metrics.modes import mode_report
from tightrope.metrics.online import Window
from tightrope.steadied import Steadied
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.gauge import Gauge, HeldOut
from tightrope.training.guard import Guard
from tightrope.training.loop import play
from tightrope.training.meter import Meter
from tightrope.training.ring import Ring
from tightrope.watching import guardian_for

GAME = str(Path(__file__).parent / "games" / "stormy.py")
TICKS = {"points": 40, "images": 20}  # readings of a run
LOOK = {"points": 512, "images": 128}  # samples of one
JUDGED = 2_000  # images of the last figure
FEW = 500
Truth = tuple[float, ...]  # points: modes, share of high quality; images: coverage over null


class Ended(Exception):
    """The guardian ended the run."""


@functools.cache
def dataset(name: str) -> Dataset:
    """ring8, grid25, fashion (32 px), fashion-500 (500 of them)."""
    if name == "fashion-500":
        whole = fashion(32)
        return Part(whole, torch.randperm(len(whole), generator=seeds.generator(0, "storm"))[:FEW], name)
    return fashion(32) if name == "fashion" else load(name)


@functools.cache
def held_out(name: str) -> Dataset | None:
    """Images beside the 500; where data is plenty none are held back."""
    if name != "fashion-500":
        return None
    whole = fashion(32)
    return Part(whole, torch.randperm(len(whole), generator=seeds.generator(0, "storm"))[FEW : 3 * FEW], "held out")


@functools.cache
def _window(name: str) -> Window:
    data = dataset(name)
    return Window(judge_for(data.spec), data)


@functools.cache
def _real(name: str) -> Features:
    data = dataset(name)
    index = torch.randperm(len(data), generator=seeds.generator(0, "storm", "reals"))[:JUDGED]
    return _features(data.modality.to_array(data.batch(index)))


def _features(images: np.ndarray) -> Features:
    return read(load_extractor("fashion-cnn"), (images[i : i + 500] for i in range(0, len(images), 500)))


def truth(name: str, drawn: np.ndarray) -> Truth:
    """What the benchmark judges by: modes and share of high quality, or coverage over null."""
    data = dataset(name)
    if isinstance(data, PointDataset):
        assert data.centres is not None and data.sigma is not None
        report = mode_report(torch.from_numpy(drawn), torch.from_numpy(data.centres), data.sigma)
        return float(report.captured), report.high_quality
    real, fake = _real(name).values, _features(drawn).values
    return (density_coverage(real, fake).coverage / coverage_null(len(real), len(fake)),)


@dataclass
class Course:
    """A game in play, and what was read on its course."""

    name: str
    recipe: Steadied
    game: Game
    meter: Meter
    budget: Budget
    guard: Guard
    guardian: Guardian
    step: int  # samples between two ticks
    readings: list[list[Any]] = field(default_factory=list)
    truths: list[list[float]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    spent: float = 0.0  # CPU seconds of watching
    bad: str = ""
    stop: str = ""

    def tick(self, knobs: Knobs) -> None:
        """Read, tell the guardian, do what it says."""
        done = self.budget.done(self.game.seen)
        if self.game.seen // self.step == self._last // self.step and not done:
            return
        self._last, began = self.game.seen, time.process_time()
        progress = self.budget.progress(self.game.seen)
        values, bad = self.guard.gauge_now(self.meter.take())
        drawn = None if bad else self._drawn(2_500 if self.recipe.modality == "points" else LOOK["images"])
        if drawn is not None:
            looked = _window(self.name).look(drawn[: LOOK[self.recipe.modality]])
            values |= {f"samples/{name}": value for name, value in looked.items()}
        elif not bad:
            bad = "the samples are not finite"
        self.readings.append([self.game.seen, round(progress, 4), {k: float(f"{v:.4g}") for k, v in values.items()}])
        self.bad = bad
        decision = self.guard.decide(progress, values, bad)
        self.told += decision.told
        self.stop = decision.stop
        if decision.back_to is not None:
            _window(self.name).forget()
        self.spent += time.process_time() - began
        if drawn is not None and self.recipe.modality == "points":
            self.truths.append([self.game.seen, *truth(self.name, drawn)])
        if self.stop or (bad and not self.guard.guardian.acts):
            raise Ended

    _last: int = 0

    def _drawn(self, count: int) -> np.ndarray | None:
        try:
            return samples(self.recipe, self.game.average.nets, dataset(self.name), count)
        except RunStopped:
            return None


def run(case: Case) -> Figures:
    """Play a case: "alone" is watched, "guarded" is acted upon, "reference" is the default recipe in the same budget.

    Where a guarded run fails, "calm" says what the safer game makes of the same networks from the first move.
    """
    figures = _played(case, act=case.method == "guarded")
    if case.method == "guarded" and not figures["usable said"]:
        calm = _played(case, act=False, turns=_calm)
        figures["calm"] = [calm[key] for key in ("modes", "high quality", "coverage") if key in calm]
    return figures


def _calm(guardian: Guardian) -> Turns:
    return remedies.safer.change(Turns(), guardian.facts)


def _played(case: Case, act: bool, turns: Callable[[Guardian], Turns] | None = None) -> Figures:
    given = case.settings
    name, data = given["data"], dataset(given["data"])
    recipe, seen = _recipe(case, data)
    torch.set_num_threads(1)
    engine, meter = Engine("cpu"), Meter()
    game = Game(recipe, data.spec, engine, case.seed)
    guardian = guardian_for(game, data.spec, seen, act=act, target=given["target"], safer=given["safer"])
    others = held_out(name)
    gauge = Gauge(game, HeldOut(data, others, recipe.logits) if others else None)
    guard = Guard(game, meter, guardian, gauge, Ring())
    course = Course(name, recipe, game, meter, Budget(seen=seen), guard, guardian, max(1, seen // TICKS[recipe.modality]))
    if turns:
        game.turns = turns(guardian)
    _window(name).forget()
    began = time.process_time()
    course.guard.begin()
    try:
        play(game, Feed(recipe, data, engine, case.seed), course.budget, meter, course.tick)
        course.told += course.guard.finish()
    except Ended:
        if not course.bad:
            course.told += course.guard.finish()
    trained = time.process_time() - began
    return _figures(course, trained)


def _recipe(case: Case, data: Dataset) -> tuple[Steadied, int]:
    """The recipe, and the budget in the clock's samples: in the storm's game every move counts, in the default's those of D."""
    given, spec = case.settings, data.spec
    inner: Recipe
    if case.method == "reference":
        inner = recipes.build("swift", spec, None, {"batch": given["batch"]}, data.name)
        return Steadied(inner, spec), given["moves"] // 2 * given["batch"]
    inner = recipes.find(GAME)(**given["fields"])
    return Steadied(inner, spec), given["moves"] * inner.batch


def _figures(course: Course, trained: float) -> Figures:
    points = course.recipe.modality == "points"
    drawn = None if course.bad else course._drawn(2_500 if points else JUDGED)
    found = truth(course.name, drawn) if drawn is not None else (0.0, 0.0) if points else (0.0,)
    named: Mapping[str, float] = dict(zip(("modes", "high quality") if points else ("coverage",), found, strict=True))
    verdict = course.guardian.verdict
    return {
        **named, "verdict": verdict.name, "sentence": verdict.sentence, "usable said": course.guardian.usable,
        "ended": course.budget.progress(course.game.seen), "stop": course.stop, "bad": course.bad,
        "readings": course.readings, "truths": course.truths, "told": course.told,
        "watched": course.spent, "trained": trained,
    }  # fmt: skip
