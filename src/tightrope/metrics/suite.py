"""All figures that two sets of features give, in the order people read them. One small function a family.

`figures(real, fake)` is also called on two halves of the real data: what it gives there is the null.

Axes: n real samples, m fake samples, d features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics import bins, diversity, intervals, kernel, manifold, memorisation, scores, sliced
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.features import Features
from tightrope.metrics.frechet import Moments, frechet_caveats, frechet_distance, frechet_from_features
from tightrope.metrics.neighbours import remembering

COVERED = 0.25  # a class counts as covered from this fraction of its real share
MANIFOLD = 10_000  # samples of either set whose neighbours are looked up
KERNEL = 1_000  # samples of a subset of the kernel distance, and at most half of either set
VENDI = 1_000  # samples: their kernel's matrix is decomposed
BINS = 100
LEAST = 10  # samples of either set for more than the Frechet distance
WIDE = 512  # features beyond which the interval of the distance would take minutes
INCEPTION = "inception-v3-fid"  # the one network whose numbers bear the names FID, KID and Inception Score


class Figure(NamedTuple):
    """One number: name, value, direction; what its protocol adds; interval, null and spread where it has its own."""

    name: str
    value: float
    better: str | None
    protocol: dict[str, Any]
    interval: tuple[float, float] | None = None
    null: float | None = None
    std: float | None = None
    notes: tuple[str, ...] = ()


def figures(
    real: Features, fake: Features, extractor: Extractor, seed: int = 0, *, interval: bool = False, quick: bool = False
) -> list[Figure]:
    """Every figure for which the samples are enough.

    Args:
        interval: with the interval of the Frechet distance, 41 times its work.
        quick: the Frechet distance alone.

    Raises:
        InputError: a set is empty, or a feature is not finite.
    """
    x, y = real.values, fake.values
    found = frechet_figures(x, y, extractor.id, interval)
    if quick:
        return found
    if min(len(x), len(y)) >= LEAST:
        x, y = some(x, MANIFOLD, seed), some(y, MANIFOLD, seed)
        with remembering():
            for family in (kernel_figures, sliced_figures, manifold_figures, vendi_figures, bin_figures, copying_figures):
                try:
                    found += family(x, y, extractor.id, seed)
                except InputError as error:  # data too uniform for it: the others say what they can
                    found[0] = found[0]._replace(notes=(*found[0].notes, str(error)))
    if fake.logits is not None and len(fake.logits) >= 100:
        found += score_figures(fake.logits, extractor.id)
    return found


def some(features: Float[Tensor, "n d"], count: int, seed: int) -> Float[Tensor, "m d"]:
    """At most `count` of the samples, drawn at random, the same for the same seed."""
    if len(features) <= count:
        return features
    return features[torch.randperm(len(features), generator=generator(seed, "some"))[:count]]


def frechet_figures(x: Tensor, y: Tensor, id: str, interval: bool) -> list[Figure]:
    """The distance; and, with its interval, what it would be at infinitely many samples."""
    name = "FID" if id == INCEPTION else f"frechet[{id}]"
    sides = Moments(), Moments()
    for moments, features in zip(sides, (x, y), strict=True):
        moments.add(features)
    wide, narrow = x.shape[1] > WIDE, min(len(x), len(y)) <= x.shape[1]
    distance = frechet_from_features(x, y) if narrow else frechet_distance(*sides)
    notes = tuple(frechet_caveats(distance, *sides)) if interval else ()
    plain = Figure(name, distance, "lower", {"ddof": 1}, notes=notes)
    if not interval or wide or min(len(x), len(y)) < 100:
        return [plain]
    found = intervals.frechet_interval(x, y)
    infinite = found.corrected
    return [
        plain._replace(interval=(max(found.plain.low, 0.0), found.plain.high)),
        Figure(f"{name} at infinite n", infinite.value, "lower", {"ddof": 1, "bias": "jackknife, 20 parts"},
               (infinite.low, infinite.high), 0.0),
    ]  # fmt: skip


def kernel_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """KID, or its like on features of one scale."""
    size = max(2, min(KERNEL, len(x) // 2, len(y) // 2))  # a subset of all would have no spread
    name, rule = ("KID", "none") if id == INCEPTION else (f"kernel distance[{id}]", "by the reference's mean and RMS deviation")
    standardise = (lambda features: features) if id == INCEPTION else kernel.standardiser(x)
    kid = kernel.kernel_distance(standardise(x), standardise(y), size=size)
    return [Figure(name, kid.value, "lower", {"subsets": 100, "size": size, "standardised": rule}, null=0.0, std=kid.std)]


def sliced_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """The distance of sorted projections, at equal numbers of samples."""
    even = min(len(x), len(y))
    distance = sliced.monge_distance(some(x, even, seed), some(y, even, seed), seed=seed)
    return [Figure(f"sliced distance[{id}]", distance, "lower", {"directions": 1_000, "n": even})]


def manifold_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """Precision and recall (k = 3), density and coverage (k = 5)."""
    k, close, sizes = min(3, len(x) - 1, len(y) - 1), min(5, len(x) - 1), {"n": [len(x), len(y)]}
    pair = manifold.precision_recall(x, y, k)
    figures = [
        _share(f"precision[{id}]", pair.precision, len(y), "higher", sizes | {"k": k}),
        _share(f"recall[{id}]", pair.recall, len(x), "higher", sizes | {"k": k}),
    ]
    if not bool((x != x[0]).any()):  # balls without a radius hold nothing
        return figures
    reach, null = manifold.density_coverage(x, y, close), manifold.coverage_null(len(x), len(y), close)
    return [
        *figures,
        Figure(f"density[{id}]", reach.density, None, sizes | {"k": close}, null=1.0),
        _share(f"coverage[{id}]", reach.coverage, len(x), "higher", sizes | {"k": close})._replace(null=null),
    ]


def vendi_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """The effective number of different samples against that of real ones."""
    few = min(VENDI, len(x), len(y))
    ours, theirs = some(y, few, seed), some(x, few, seed)
    bandwidth = diversity.vendi_bandwidth(theirs)
    ratio = diversity.vendi(ours, bandwidth) / diversity.vendi(theirs, bandwidth)
    return [Figure(f"vendi ratio[{id}]", ratio, "higher", {"n": few, "kernel": "RBF, half the median distance"}, null=1.0)]


def bin_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """How differently the two fill the cells of k-means on the reference."""
    count = max(2, min(BINS, len(x) // 10))
    centres = bins.kmeans(x, count, seed)
    report = bins.compare_bins(bins.bin_counts(x, centres), bins.bin_counts(y, centres), seed)
    return [
        Figure(f"NDB share[{id}]", report.ndb, "lower", {"bins": count}, null=report.ndb_null),
        Figure(f"JS[{id}]", report.js, "lower", {"bins": count}, null=report.js_null),
    ]


def copying_figures(x: Tensor, y: Tensor, id: str, seed: int) -> list[Figure]:
    """Repetitions, and what tells of copies of the reference without held-out data."""
    scale = diversity.duplicate_scale(some(x, min(len(x), len(y)), seed))
    repeated, found = diversity.near_duplicates(y, scale), memorisation.copies(x, y)
    sizes = {"n": [len(x), len(y)]}
    rule = {"scale": f"{diversity.DUPLICATE} x the median distance of a real sample to its nearest"}
    return [
        _share(f"near-duplicates[{id}]", _mean(repeated), len(y), "lower", rule),
        _share(f"copies[{id}]", _mean(found.copied), len(y), "lower", sizes)._replace(null=found.null),
        _share(f"authenticity[{id}]", memorisation.authenticity(x, y), len(y), None, sizes),
    ]


def score_figures(logits: Tensor, id: str) -> list[Figure]:
    """The Inception Score, or its like."""
    score = scores.inception_score(logits)
    name = "inception score" if id == INCEPTION else f"classifier score[{id}]"
    return [Figure(name, score.value, "higher", {"splits": 10, "shuffle": 2020}, std=score.std)]


def held_out_figures(real: Features, unseen: Features, fake: Features, extractor: Extractor, seed: int = 0) -> list[Figure]:
    """What only data that was not trained on can tell of memorisation; `real` is what was trained on.

    Raises:
        InputError: see the functions of `memorisation`.
    """
    id = extractor.id
    x, held, y = (some(each.values, MANIFOLD, seed) for each in (real, unseen, fake))
    closer = memorisation.closer_to_train(x, held, y, seed)
    attack = memorisation.membership_attack(x, held, y)
    half = 1.96 * closer.null_sd
    sizes = {"n": [len(x), len(held), len(y)]}
    return [
        Figure(f"closer to train[{id}]", closer.share, "lower", sizes, (closer.share - half, closer.share + half), 0.5),
        Figure(f"C_T[{id}]", memorisation.copying(x, held, y, seed=seed), None, sizes | {"cells": 3}, null=0.0),
        Figure(f"membership AUC[{id}]", attack.auc, "lower", sizes, null=0.5),
        Figure(f"membership TPR at 1 % FPR[{id}]", attack.tpr, "lower", sizes, null=memorisation.FALSE_POSITIVES),
    ]


def _share(name: str, value: float, n: int, better: str | None, protocol: dict[str, Any]) -> Figure:
    """A share of n samples with Wilson's interval."""
    found = intervals.share_interval(round(value * n), n)
    return Figure(name, value, better, protocol, (found.low, found.high))


def _mean(outcomes: Tensor) -> float:
    return outcomes.double().mean().item()
