"""Bins of the feature space and how differently two sets fill them: NDB and JS (Richardson and Weiss 2018).

The bins are the cells of k-means on real samples. A bin differs when a two-proportion z-test says so at 5 %.

Axes: n samples, d features, K bins.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.neighbours import BLOCK, feature_sets, squared_distances

LLOYD = 10  # iterations; bins need to be even, not optimal
SIGNIFICANT = 1.959963985  # standard deviations: 5 %, both sides
NULL_DRAWS = 200


class BinReport(NamedTuple):
    """What `compare_bins` finds, each with its mean for two sets of these sizes from one distribution.

    Attributes:
        ndb: share of the bins that differ, NDB / K.
        js: Jensen-Shannon divergence of the proportions in nats, in [0, log 2].
        js_limit: js that one distribution exceeds in 5 % of draws.
    """

    ndb: float
    ndb_null: float
    js: float
    js_null: float
    js_limit: float


def kmeans(features: Float[Tensor, "n d"], count: int, seed: int = 0) -> Float[Tensor, "K d"]:
    """Centres in float64 by k-means++ (Arthur and Vassilvitskii 2007) and a few Lloyd iterations; the same for a seed.

    Raises:
        InputError: fewer different samples than `count`; see `feature_sets`.
    """
    (features,) = feature_sets("kmeans", features=features)
    if not 1 <= count <= len(features):
        raise InputError(f"kmeans: {count} bins were asked of {len(features)} samples; ask for 1 ... {len(features)}.")
    x = features.double()
    origin = x.mean(0)
    x = x - origin
    centres = _spread(x, count, generator(seed, "kmeans", count))
    for _ in range(LLOYD):
        cell = _assign(x, centres)
        sizes = torch.bincount(cell, minlength=count)[:, None]
        means = torch.zeros_like(centres).index_add_(0, cell, x) / sizes.clamp(min=1)
        centres = torch.where(sizes > 0, means, centres)
    return centres + origin


def assign(features: Float[Tensor, "n d"], centres: Float[Tensor, "K d"]) -> Int[Tensor, " n"]:
    """The nearest centre of each sample.

    Raises:
        InputError: see `feature_sets`.
    """
    features, centres = feature_sets("assign", features=features, centres=centres)
    origin = centres.double().mean(0)
    return _assign(features, centres.double() - origin, origin)


def bin_counts(features: Float[Tensor, "n d"], centres: Float[Tensor, "K d"]) -> Int[Tensor, " K"]:
    """Samples in each bin.

    Raises:
        InputError: see `feature_sets`.
    """
    return torch.bincount(assign(features, centres), minlength=len(centres))


def bin_proportions(features: Float[Tensor, "n d"], centres: Float[Tensor, "K d"]) -> Float[Tensor, " K"]:
    """Share of the samples in each bin.

    Raises:
        InputError: see `feature_sets`.
    """
    return bin_counts(features, centres).double() / len(features)


def compare_bins(real: Int[Tensor, " K"], fake: Int[Tensor, " K"], seed: int = 0) -> BinReport:
    """NDB / K and JS of two `bin_counts`, against their means over seeded draws from the pooled proportions.

    Raises:
        InputError: counts of different length, negative, or of no samples.
    """
    if real.shape != fake.shape or real.ndim != 1 or min(real.sum(), fake.sum()) < 1 or min(real.min(), fake.min()) < 0:
        raise InputError("compare_bins: give two vectors of counts over the same bins, each of at least one sample.")
    sizes = [int(real.sum()), int(fake.sum())]
    pooled, draw = (real + fake).double(), generator(seed, "bins")
    drawn = [_draws(pooled, size, draw) for size in sizes]
    null_js = js(*drawn)
    return BinReport(
        ndb=_differing(real, fake).item(),
        ndb_null=_differing(*drawn).mean().item(),
        js=js(real, fake).item(),
        js_null=null_js.mean().item(),
        js_limit=null_js.quantile(0.95).item(),
    )


def js(a: Int[Tensor, "*draws K"], b: Int[Tensor, "*draws K"]) -> Float[Tensor, "*draws"]:
    """Jensen-Shannon divergence of the proportions of counts over the same bins, in nats, in [0, log 2]."""
    p, q = (counts.double() / counts.sum(-1, keepdim=True) for counts in (a, b))
    entropy = [torch.special.entr(share).sum(-1) for share in ((p + q) / 2, p, q)]
    return (entropy[0] - (entropy[1] + entropy[2]) / 2).clamp(min=0)


def _spread(x: Float[Tensor, "n d"], count: int, draw: torch.Generator) -> Float[Tensor, "K d"]:
    """k-means++: each next centre is a sample drawn in proportion to its squared distance from the centres so far."""
    chosen = [int(torch.randint(len(x), (1,), generator=draw))]
    gap = (x - x[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        if not gap.any():
            raise InputError(f"kmeans: {count} bins were asked of {len(chosen)} different samples; ask for fewer bins.")
        # By the cumulated sum, as torch.multinomial refuses more than 2^24 samples.
        place = torch.rand(1, generator=draw, dtype=torch.float64) * gap.sum()
        chosen.append(min(int(torch.searchsorted(gap.cumsum(0), place, right=True)), int(gap.nonzero().max())))
        gap = torch.minimum(gap, (x - x[chosen[-1]]).square().sum(1))
    return x[chosen]


def _assign(x: Float[Tensor, "n d"], centres: Float[Tensor, "K d"], origin: Tensor | float = 0.0) -> Int[Tensor, " n"]:
    return torch.cat([squared_distances(block.double() - origin, centres).argmin(1) for block in x.split(BLOCK[0])])


def _draws(weights: Float[Tensor, " K"], size: int, draw: torch.Generator) -> Int[Tensor, "draws K"]:
    """Counts of `size` samples over the bins, many times."""
    one = [torch.multinomial(weights, size, replacement=True, generator=draw) for _ in range(NULL_DRAWS)]
    return torch.stack([torch.bincount(bins, minlength=len(weights)) for bins in one])


def _differing(a: Int[Tensor, "*draws K"], b: Int[Tensor, "*draws K"]) -> Float[Tensor, "*draws"]:
    n, m = (counts.sum(-1, keepdim=True).double() for counts in (a, b))
    pooled = (a + b) / (n + m)
    deviation = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    return ((a / n - b / m).abs() > SIGNIFICANT * deviation).double().mean(-1)
