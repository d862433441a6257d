"""The five questions that `metrics.diagnosis` asks of samples, each answered by a Finding with its figure and its null.

Axes: N samples, n samples drawn from them, d features.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tightrope.core.seeds import generator
from tightrope.metrics import diagnosis_figures as figures
from tightrope.metrics.diagnosis_figures import Closeness, Figures, Space
from tightrope.metrics.neighbours import nearest

SCATTER = 3.0  # standard deviations of the null that a gap must exceed
# the gaps that matter
COVERAGE_LOST = 0.08  # of the null's coverage
LOST = 0.03  # of the real samples, in cells that the fakes left
CLASS_LOST = 0.35  # a class below this fraction of its real share is missing
SPREAD_LOST = 0.11  # of the null's spread within cells
DUPLICATES = 0.05  # of the fakes, beyond the null's share
COPIES = 0.03  # of the fakes, beyond the null's share
TRUSTED = 0.025  # strangers, beyond the null's share, up to which a space can tell which modes are reached
STRANGERS = 0.05  # of the fakes, beyond the null's share
MOSTLY = 0.5  # where as many of the fakes are strangers to the extractor, nothing else said of them means much
TWIN = 0.1  # of the real samples' median distance to their neighbour: nearer ones are near-duplicates
COPY_QUANTILE, COPY_HALF, STRANGE_QUANTILE = 0.005, 0.5, 0.99  # of the null's closeness
MOST_TWINS = 10_000  # fakes among which duplicates are looked for
SHOWN = 64  # pieces of evidence kept


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer, with its figure and what real data would give.

    Attributes:
        name: "mode dropping", "shrinking", ...
        alarm: whether it is a fault of the samples.
        figure, null: the figure of the fakes, and of real samples in their place.
        sentence: in plain words.
        evidence: indices to show: see each finding's function.
    """

    name: str
    alarm: bool
    figure: float
    null: float
    sentence: str
    evidence: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "figure": self.figure, "null": self.null, "sentence": self.sentence}


class Near(NamedTuple):
    """Closeness to the real samples, of the fakes and of real samples in their place, in one space."""

    fake: Closeness
    null: Closeness

    def nearer(self) -> tuple[Tensor, float]:
        """Which fakes are nearer than all but 0.5 % of the null's samples and half as far as usual; the null's share."""
        usual = self.null.ratio
        limit = torch.minimum(usual.quantile(COPY_QUANTILE), COPY_HALF * usual.median())
        return self.fake.ratio <= limit, _share(usual <= limit)

    def farther(self) -> tuple[Tensor, float]:
        """Which fakes are farther from every real sample than 99 % of the null's; the null's share."""
        limit = self.null.ratio.quantile(STRANGE_QUANTILE)
        return self.fake.ratio > limit, _share(self.null.ratio > limit)


def nearness(space: Space, seed: int) -> Near:
    """Measure closeness in one space; without held-out samples the null is that of real samples to the other real ones."""
    fake = figures.closeness(space.real, space.fake)
    if space.held_out is not None:
        return Near(fake, figures.closeness(space.real, space.held_out[: figures.DRAWN]))
    own = torch.randperm(len(space.real), generator=generator(seed, "diagnosis", "near"))[: figures.DRAWN]
    return Near(fake, figures.closeness(space.real, space.real[own], own))


def memorising(near: list[Near]) -> Finding:
    """Fakes nearer to a real sample than real ones come. Evidence: `copies`, pairs (fake, real), the nearest first."""
    where = max(near, key=lambda space: _excess(*space.nearer()))
    copies, null = where.nearer()
    share = _share(copies)
    closest = where.fake.ratio.argsort(stable=True)[: min(SHOWN, int(copies.sum()))]
    sentence = f"{share:.1%} of the samples are (nearly) copies of training samples; {null:.1%} of real ones come as near."
    return Finding(
        name="memorising",
        alarm=share - null > max(COPIES, SCATTER * _scatter(null, len(copies), len(where.null.ratio))),
        figure=share,
        null=null,
        sentence=sentence,
        evidence={"copies": [(int(i), int(where.fake.nearest[i])) for i in closest]},
    )


def unfaithful(near: list[Near]) -> Finding:
    """Fakes farther from every real sample than 99 % of real ones.

    Evidence: `strangers`, the farthest first; `mostly`, whether most fakes are strangers to the extractor.
    """
    where = max(near, key=lambda space: _excess(*space.farther()))
    strangers, null = where.farther()
    share = _share(strangers)
    farthest = where.fake.ratio.argsort(descending=True, stable=True)[: min(SHOWN, int(strangers.sum()))]
    return Finding(
        name="unfaithful",
        alarm=share - null > max(STRANGERS, SCATTER * _scatter(null, len(strangers), len(where.null.ratio))),
        figure=share,
        null=null,
        sentence=f"{share:.1%} of the samples are unlike any real one, where {null:.1%} of real ones are.",
        evidence={
            "strangers": farthest.tolist(),
            "mostly": _share(near[0].farther()[0]) > MOSTLY,
        },
    )


def duplicating(spaces: list[Space], seed: int) -> Finding:
    """Fakes that nearly equal another fake. Evidence: `clusters`, lists of fakes that are one picture, the largest first."""
    found = [_twins(space, seed) for space in spaces]
    pairs, null, n = max(found, key=lambda entry: len(entry[0]) / entry[2] - entry[1])
    share = len(pairs) / n
    return Finding(
        name="duplicating",
        # half of the kinds left out double the density of the rest, and so the natural twins: that is no repetition
        alarm=share - null > max(DUPLICATES + null, SCATTER * _scatter(null, n, n)),
        figure=share,
        null=null,
        sentence=f"{share:.1%} of the samples have a near-duplicate among them, where {null:.1%} of real ones do.",
        evidence={"clusters": _groups(pairs)},
    )


def _twins(space: Space, seed: int) -> tuple[list[tuple[int, int]], float, int]:
    """Fakes with a near-duplicate among n of them, and that duplicate; the share of real samples that have one; n."""
    n = min(len(space.real), len(space.fake), MOST_TWINS)
    draw = generator(seed, "diagnosis", "duplicates")
    real, fake = (torch.randperm(len(points), generator=draw)[:n] for points in (space.real, space.fake))
    usual = nearest(space.real[real], space.real[real], apart=True).distance[:, 0]
    among = nearest(space.fake[fake], space.fake[fake], apart=True)
    limit = TWIN * usual.median()
    twins = among.distance[:, 0] <= limit
    pairs = zip(fake[twins].tolist(), fake[among.index[twins, 0]].tolist(), strict=True)
    return list(pairs), _share(usual <= limit), n


def _groups(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Pairs joined to groups, the largest first."""
    head: dict[int, int] = {}

    def find(i: int) -> int:
        while head.setdefault(i, i) != i:
            head[i] = head[head[i]]
            i = head[i]
        return i

    for i, j in pairs:
        head[find(i)] = find(j)
    groups: dict[int, list[int]] = {}
    for i in sorted(head):
        groups.setdefault(find(i), []).append(i)
    return sorted(groups.values(), key=lambda group: (-len(group), group[0]))[:SHOWN]


def _share(outcomes: Tensor) -> float:
    return outcomes.double().mean().item()


def _excess(outcomes: Tensor, null: float) -> float:
    return _share(outcomes) - null


def _scatter(null: float, fakes: int, reals: int) -> float:
    """Standard deviation of the gap between two shares, the null's taken as at least one sample."""
    share = max(null, 1 / min(fakes, reals))
    return (share * (1 - share) * (1 / fakes + 1 / reals)) ** 0.5


class Variety(NamedTuple):
    """How the fakes and real samples in their place fill one space, over several draws."""

    fake: tuple[Figures, ...]
    null: tuple[Figures, ...]
    draws: list[figures.Draw]
    strangers: float  # share of the fakes, beyond the null's; strangers reach no real sample, whatever modes they have

    def gap(self, name: str) -> tuple[float, float, float]:
        """Means of the figure, of its null, and the null's standard deviation."""
        fake, null = ([getattr(entry, name) for entry in side] for side in (self.fake, self.null))
        return statistics.fmean(fake), statistics.fmean(null), statistics.stdev(null)


def variety(space: Space, near: Near, seed: int) -> Variety:
    """Measure coverage, lost cells and spread in one space."""
    held_out = None if space.held_out is None else len(space.held_out)
    drawn = figures.draws(len(space.real), len(space.fake), held_out, seed)
    pairs = []
    for draw in drawn:
        null = (space.real if space.held_out is None else space.held_out)[draw.null]
        pairs.append(figures.compare(space.real[draw.reference], [space.fake[draw.fake], null], seed))
    fake, others = zip(*pairs, strict=True)
    return Variety(fake, others, drawn, _excess(*near.farther()))


def shrinking(spaces: list[Variety]) -> Finding:
    """Fakes that vary less than real samples of the same kind do."""
    fake, null, scatter = min((space.gap("spread") for space in spaces), key=lambda gap: gap[0] / gap[1])
    sentence = f"Samples of one kind vary {fake / null:.2f} times as much as real ones do (in standard deviation)."
    alarm = 1 - fake / null > max(SPREAD_LOST, SCATTER * scatter / null)
    return Finding(name="shrinking", alarm=alarm, figure=fake / null, null=1.0, sentence=sentence)


def mode_dropping(spaces: list[Variety], shares: Shares | None) -> Finding:
    """Kinds of real samples that the fakes leave out.

    Evidence: `classes`, names of the missing ones; `uncovered` and `covered`, real samples that are the farthest from and
    the nearest to a fake.
    """
    trusted = [space for space in spaces if space.strangers <= TRUSTED]
    judged = trusted or [min(spaces, key=lambda space: space.strangers)]
    worst = min(judged, key=lambda space: space.gap("coverage")[0] / space.gap("coverage")[1] - space.gap("lost")[0])
    (coverage, null, scatter), (lost, lost_null, _) = worst.gap("coverage"), worst.gap("lost")
    order = worst.draws[0].reference[worst.fake[0].reach.argsort(descending=True)]
    evidence: dict[str, Any] = {"classes": [], "uncovered": order[:SHOWN].tolist(), "covered": order.flip(0)[:SHOWN].tolist()}
    # where many fakes are strangers they reach less of everything: only cells that they left say that modes are missing
    alarm = (bool(trusted) and 1 - coverage / null > max(COVERAGE_LOST, SCATTER * scatter / null)) or lost - lost_null > LOST
    if shares and shares.missing and spaces[0].strangers <= TRUSTED:  # the logits come from the first space's features
        return _missing_classes(shares, evidence)
    sentence = f"The samples reach {coverage:.1%} of the real data, where real samples in their place reach {null:.1%}."
    return Finding(name="mode dropping", alarm=alarm, figure=coverage, null=null, sentence=sentence, evidence=evidence)


class Shares(NamedTuple):
    """Shares of the classes as the extractor reads real and fake samples alike, by name, and which are missing."""

    real: dict[str, float]
    fake: dict[str, float]
    missing: list[str]


def class_shares(classes: tuple[str, ...], real: Tensor, fake: Tensor) -> Shares:
    """From the logits. A class is missing below 35 % of its real share: confusions keep the share of a missing one above 0."""
    ours, theirs, lost = figures.shares(real.argmax(1), fake.argmax(1), CLASS_LOST, count=len(classes))
    of_real, of_fake = (dict(zip(classes, side.tolist(), strict=True)) for side in (ours, theirs))
    return Shares(of_real, of_fake, [name for name, gone in zip(classes, lost.tolist(), strict=True) if gone])


def _missing_classes(shares: Shares, evidence: dict[str, Any]) -> Finding:
    missing = shares.missing
    figure, null = (sum(side[name] for name in missing) for side in (shares.fake, shares.real))
    names = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
    are = "class is" if len(missing) == 1 else "classes are"
    what = f"{len(missing)} of {len(shares.real)} {are} missing ({names})"
    sentence = f"{what}: {figure:.1%} of the samples, where real data has {null:.1%}."
    evidence = evidence | {"classes": missing}
    return Finding(name="mode dropping", alarm=True, figure=figure, null=null, sentence=sentence, evidence=evidence)
