"""What came of a comparison of ways: paired gains, their intervals, and a recommendation in words.

Axes: s seeds.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from tightrope.core.errors import InputError
from tightrope.metrics.intervals import Interval, bootstrap

STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # 97.5 % quantiles of t by degrees of freedom
NORMAL = 1.96
AGAINST = "Do not use synthetic data here"


@dataclasses.dataclass(frozen=True)
class Line:
    """One way.

    Attributes:
        mean: of its figure over the seeds, with its interval.
        gain: over the best way without a GAN, seed by seed; None of that way itself.
        generated: it learns from rows or pictures of a GAN too.
    """

    way: str
    mean: Interval
    gain: Interval | None
    generated: bool


@dataclasses.dataclass(frozen=True)
class Outcome:
    """All ways, the best first, and what to do.

    Attributes:
        figure: what was measured; higher is better.
        baseline: the best way without a GAN.
        best: the best way with one.
        recommended: whether to use what the GAN makes.
        words: the recommendation.
        notes: what else has to be said.
    """

    figure: str
    seeds: int
    lines: Sequence[Line]
    baseline: str
    best: str
    recommended: bool
    words: str
    notes: Sequence[str] = ()

    def refused(self, why: str) -> Outcome:
        """The same where what was made may not be used, whatever it would gain."""
        return dataclasses.replace(self, recommended=False, words=f"{AGAINST}: {why}")

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"lines": [_plain(line) for line in self.lines]}


def outcome(
    figure: str, scores: Sequence[Mapping[str, float]], generated: Collection[str], *, repeated: float = 0.0,
    notes: Sequence[str] = (), made: str = "rows",
) -> Outcome:  # fmt: skip
    """Compare ways that were scored with the same seeds.

    Args:
        scores: way -> figure, of each seed.
        generated: the ways that take what a GAN makes.
        repeated: rows tested on / rows learned from, where all seeds split the same rows. Their scores are then alike, and
            intervals are wider by sqrt(1 + s * repeated) (Nadeau and Bengio 2003, section 3). 0: every seed has its own rows.
            Few seeds make them wider still, as Student's t does: resampling a handful says too little of their spread.
        made: what the GAN makes, as words call it.

    Raises:
        InputError: no seed, or only ways of one kind.
    """
    ways = list(scores[0]) if scores else []
    plain, ours = [way for way in ways if way not in generated], [way for way in ways if way in generated]
    if not plain or not ours:
        raise InputError("outcome: a comparison needs a seed, a way with a GAN and one without.")
    wider = math.sqrt(1 + len(scores) * repeated) * few(len(scores))
    means = {way: statistics.fmean(each[way] for each in scores) for way in ways}
    baseline, best = (max(some, key=means.__getitem__) for some in (plain, ours))
    lines = [
        Line(
            way,
            paired([each[way] for each in scores], wider),
            None if way == baseline else paired([each[way] - each[baseline] for each in scores], wider),
            way in generated,
        )
        for way in sorted(ways, key=means.__getitem__, reverse=True)
    ]
    gain = next(line.gain for line in lines if line.way == best)
    assert gain is not None
    enough = len(scores) > 1 and gain.low > 0
    words = _words(figure, means, (baseline, best), gain, enough, len(scores), made)
    return Outcome(figure, len(scores), lines, baseline, best, enough, words, tuple(notes))


def few(seeds: int) -> float:
    """How much wider than its bootstrap interval that of a mean of few values is: t / normal * sqrt(s / (s - 1))."""
    if not 1 < seeds <= len(STUDENT) + 1:
        return 1.0
    return STUDENT[seeds - 2] / NORMAL * math.sqrt(seeds / (seeds - 1))


def paired(values: Sequence[float], wider: float = 1.0) -> Interval:
    """The mean of a figure or of paired differences over seeds, with a bootstrap interval made wider by a factor."""
    found = bootstrap(lambda x: x.mean().item(), torch.tensor(values, dtype=torch.float64))
    mean = found.value
    return Interval(mean, mean - wider * (mean - found.low), mean + wider * (found.high - mean))


def _words(
    figure: str, means: Mapping[str, float], names: tuple[str, str], gain: Interval, enough: bool, seeds: int, made: str
) -> str:  # fmt: skip
    baseline, best = names
    figure = f"an {figure}" if figure.startswith("R2") else f"a {figure}"
    without = "nothing added" if baseline == "none" else baseline
    span = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] over {seeds} seed{'s' * (seeds > 1)}"
    if enough:
        return (
            f"Use the GAN's {made}: {best} reaches {figure} of {means[best]:.3f} where {without}, the best way without, "
            f"reaches {means[baseline]:.3f}; the gain is {span}."
        )
    how = "is worse" if gain.high < 0 else "cannot be told from it" if seeds > 1 else "was tried once, which tells nothing"
    against = f"Do not use the GAN's {made} here" if baseline == "SMOTE" else AGAINST  # whose rows are synthetic too
    do = "learn from the examples as they are" if baseline == "none" else f"use {baseline}"
    return (
        f"{against}: {without} reaches {figure} of {means[baseline]:.3f}, and {best} {how} ({span}); {do} "
        "or collect more examples."
    )


def _plain(line: Line) -> dict[str, Any]:
    gain = None if line.gain is None else line.gain._asdict()
    return {"way": line.way, "generated": line.generated, "mean": line.mean._asdict(), "gain": gain}
