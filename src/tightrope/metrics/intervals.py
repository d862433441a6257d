"""How sure a number is: 95 % intervals, and what it would be with infinitely many samples.

Resampling with replacement repeats samples, and every distance between sets takes repeats for structure: bootstrapped
Frechet distances lie above the value itself, nearest neighbours find their own copies. So there are two ways here:

- `bootstrap` (Efron 1979) and `share_interval` (Wilson 1927) for means, shares and other averages over samples;
- `jackknife` for distances: it leaves out groups of samples, one after the other, and repeats none.

By Efron and Stein (1981) the jackknife's variance is too large rather than too small: exact for statistics that are
linear in the samples, twice too large for purely quadratic ones, such as a distance between two sets of one source.

Axes: N samples, d features, G groups.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.frechet import Moments, frechet_distance
from tightrope.metrics.neighbours import feature_sets

LEVEL = 0.95  # of every interval
POINTS = 15  # sizes through which the line to infinite N is drawn
SMALLEST = 0.25  # of N: smaller ones bend the line, larger ones shorten it

Part = TypeVar("Part")


class Estimate(NamedTuple):
    """The mean of a statistic over parts of the samples and its standard deviation (ddof 0): the spread of parts, no interval."""

    value: float
    std: float


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Jackknife(NamedTuple):
    """What leaving out groups of samples says of a statistic.

    Attributes:
        plain: the statistic; its interval is for its expectation at these numbers of samples.
        corrected: less the part that falls as 1/N; its interval is for the value at infinitely many samples. It may be
            negative: a distance that cannot be told from 0 has 0 in its interval.
    """

    plain: Interval
    corrected: Interval


class Line(NamedTuple):
    """value = intercept + slope / n, and the share of the variance that the line explains."""

    intercept: float
    slope: float
    explained: float


def share_interval(count: int, n: int) -> Interval:
    """Wilson's interval of a share (precision, recall, coverage, duplicates ...): `count` of `n`, in [0, 1]."""
    if not 0 <= count <= n or n < 1:
        raise InputError(f"share_interval: {count} of {n} is no share; 0 <= count <= n with n >= 1 was expected.")
    z, share = _normal_quantile(), count / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, centre - half if count else 0.0, centre + half if count < n else 1.0)


def bootstrap(statistic: Callable[..., float], *samples: Tensor, resamples: int = 1_000, seed: int = 0) -> Interval:
    """Percentile interval of `statistic(*samples)` over resamples of the rows of each set. Not for distances between sets.

    Raises:
        InputError: an empty set, or fewer than 100 resamples.
    """
    if not samples or not all(map(len, samples)) or resamples < 100:
        sizes = [len(s) for s in samples]
        raise InputError(f"bootstrap: sets of {sizes} rows, {resamples} resamples; at least one row each and 100 are needed.")
    draw = generator(seed, "bootstrap")
    values = [float(statistic(*(s[torch.randint(len(s), (len(s),), generator=draw)] for s in samples))) for _ in range(resamples)]
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    low, high = torch.tensor(values, dtype=torch.float64).quantile(ends).tolist()
    return Interval(float(statistic(*samples)), low, high)


def jackknife(
    statistic: Callable[[Sequence[Part], Sequence[Part]], float], real: Sequence[Part], fake: Sequence[Part]
) -> Jackknife:
    """Intervals of a statistic of two sets, each given as G parts of equal size drawn at random: 2 G + 1 evaluations.

        Var(t) = sum over both sets of (G - 1) / G sum_g (t_-g - mean t_-g)^2
        t - bias = t - sum over both sets of (G - 1) (mean t_-g - t)

    Parts are whatever `statistic` takes lists of: tensors of features (see `groups`), or Moments.

    Raises:
        InputError: fewer than 5 parts of either set.
    """
    if min(len(real), len(fake)) < 5:
        raise InputError(f"jackknife: {len(real)} and {len(fake)} parts were given; at least 5 of each are needed.")
    value = statistic(real, fake)
    sides = (
        [statistic([*real[:g], *real[g + 1 :]], fake) for g in range(len(real))],
        [statistic(real, [*fake[:g], *fake[g + 1 :]]) for g in range(len(fake))],
    )
    variance = sum((len(left) - 1) * statistics.pvariance(left) for left in sides)
    corrected = value - sum((len(left) - 1) * (statistics.fmean(left) - value) for left in sides)
    z, freedom = _normal_quantile(), sum(len(left) - 1 for left in sides)
    half = (z + (z**3 + z) / (4 * freedom)) * math.sqrt(variance)  # Student's quantile by its first term
    return Jackknife(
        Interval(value, value - half, value + half),
        Interval(corrected, corrected - half, corrected + half),
    )


def groups(features: Float[Tensor, "N d"], count: int = 20, seed: int = 0) -> list[Float[Tensor, "n d"]]:
    """The samples in `count` parts, dealt out at random; sizes differ by one at most.

    Raises:
        InputError: fewer samples than parts.
    """
    if len(features) < count:
        raise InputError(f"groups: {len(features)} samples do not make {count} parts; give more samples.")
    order = torch.randperm(len(features), generator=generator(seed, "groups"))
    return [features[index] for index in order.tensor_split(count)]


def frechet_interval(real: Float[Tensor, "N d"], fake: Float[Tensor, "M d"], count: int = 20, seed: int = 0) -> Jackknife:
    """The Frechet distance at these numbers of samples and at infinitely many, by `jackknife`; ddof 1.

    Takes 2 `count` + 1 eigenvalue problems of size d and one pass over the features.

    Raises:
        InputError: see `feature_sets`; fewer samples than 2 `count` in either set.
    """
    real, fake = feature_sets("frechet_interval", least=2 * count, real=real, fake=fake)
    real_parts, fake_parts = ([_moments(part) for part in groups(x, count, seed)] for x in (real, fake))
    return jackknife(_frechet_of_parts, real_parts, fake_parts)


def extrapolate(sizes: Sequence[float], values: Sequence[float]) -> Line:
    """The line through (1/n, value) by least squares; its intercept is the value at infinite n (Chong and Forsyth 2020).

    Raises:
        InputError: fewer than 3 points, sizes below 1 or all equal, or a value that is not finite.
    """
    if len(sizes) != len(values) or len(values) < 3 or min(sizes) < 1 or not all(map(math.isfinite, values)):
        raise InputError(
            f"extrapolate: {len(sizes)} sizes, {len(values)} values; 3 or more of each, n >= 1 and finite, are needed."
        )
    if len(set(sizes)) < 2:
        raise InputError(f"extrapolate: all values are at n = {sizes[0]}; at least two different sizes are needed.")
    inverse = [1 / n for n in sizes]
    slope, intercept = statistics.linear_regression(inverse, values)
    spread = statistics.pvariance(values)
    explained = 1.0 if spread == 0 else statistics.correlation(inverse, values) ** 2
    return Line(intercept, slope, explained)


def frechet_infinity(real: Float[Tensor, "N d"], fake: Float[Tensor, "M d"], count: int = 10, seed: int = 0) -> Interval:
    """The Frechet distance at infinitely many samples by the line through 15 sizes, both sets shrinking together.

    dgm-eval and fadtk shrink the generated set alone and leave the bias of the reference in; with a reference many times
    larger than the generated set the difference is small. The interval is the jackknife's, around the whole procedure.
    `frechet_interval(...).corrected` estimates the same with half the spread and a tenth of the work.

    Raises:
        InputError: see `feature_sets`; fewer samples than 15 `count` in either set.
    """
    least = count * POINTS
    real, fake = feature_sets("frechet_infinity", least=least, real=real, fake=fake)
    real_parts, fake_parts = ([_slices(part) for part in groups(x, count, seed)] for x in (real, fake))
    return jackknife(_intercept_of_parts, real_parts, fake_parts).plain


def _slices(part: Float[Tensor, "n d"]) -> list[Moments]:
    """The part's first quarter, and what each larger size adds to the one before."""
    edges = [round(len(part) * (SMALLEST + (1 - SMALLEST) * i / (POINTS - 1))) for i in range(POINTS)]
    return [_moments(part[start:end]) for start, end in zip([0, *edges], edges, strict=False)]


def _intercept_of_parts(real: Sequence[list[Moments]], fake: Sequence[list[Moments]]) -> float:
    sizes, values = [], []
    so_far = Moments(), Moments()
    for step in range(POINTS):
        so_far = _merged([so_far[0], *(p[step] for p in real)]), _merged([so_far[1], *(p[step] for p in fake)])
        sizes.append(so_far[1].n)
        values.append(frechet_distance(*so_far))
    return extrapolate(sizes, values).intercept


def _frechet_of_parts(real: Sequence[Moments], fake: Sequence[Moments]) -> float:
    return frechet_distance(_merged(real), _merged(fake))


def _merged(parts: Sequence[Moments]) -> Moments:
    return functools.reduce(Moments.merge, parts)


def _moments(features: Float[Tensor, "n d"]) -> Moments:
    moments = Moments()
    moments.add(features)
    return moments


def _normal_quantile() -> float:
    return statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)
