"""How different the samples of one set are from each other. Compare with a real set of the same size.

Axes: n samples, d features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.neighbours import BLOCK, feature_sets, nearest, squared_distances, within

DUPLICATE = 0.25  # of the median distance to the nearest neighbour: what counts as the same sample again
PAIRS_A_BATCH = 64


class Support(NamedTuple):
    """What `birthday_support` finds.

    Attributes:
        samples: of the distribution, as many as would collide as often when drawn evenly; a lower bound without pairs.
        pairs: that collide.
    """

    samples: float
    pairs: int


class PairDiversity(NamedTuple):
    """What `pair_diversity` finds.

    Attributes:
        mean: distance of two samples, in the distance's units.
        standard_error: of that mean, from the spread of the pairs.
    """

    mean: float
    standard_error: float


def mean_pairwise_distance(features: Float[Tensor, "n d"]) -> float:
    """Mean Euclidean distance of two different samples, over all pairs, in the features' units.

    Raises:
        InputError: fewer than 2 samples; see `feature_sets`.
    """
    (features,) = feature_sets("mean_pairwise_distance", least=2, features=features)
    origin = features[0].double()  # a set that has collapsed onto one point gives 0 exactly
    total = 0.0
    for rows in features.split(BLOCK[0]):
        for columns in features.split(BLOCK[1]):
            squares = squared_distances(rows.double() - origin, columns.double() - origin)
            total += squares.clamp_(min=0).sqrt_().sum().item()
    return total / (len(features) * (len(features) - 1))


def duplicate_scale(real: Float[Tensor, "n d"]) -> float:
    """A quarter of the median distance of a real sample to its nearest other one: nearer samples are duplicates.

    Distances shrink as n grows: take as many real samples as there are generated ones.

    Raises:
        InputError: fewer than 2 samples; see `feature_sets`.
    """
    (real,) = feature_sets("duplicate_scale", least=2, real=real)
    return DUPLICATE * nearest(real, real, apart=True).distance.median().item()


def near_duplicates(fake: Float[Tensor, "n d"], scale: float) -> Bool[Tensor, " n"]:
    """Which samples have another one of the set nearer than `scale`; their share is the mean. See `duplicate_scale`.

    Raises:
        InputError: fewer than 2 samples; a negative scale; see `feature_sets`.
    """
    (fake,) = feature_sets("near_duplicates", least=2, fake=fake)
    _require_scale("near_duplicates", scale)
    return nearest(fake, fake, apart=True).distance[:, 0] < scale


def birthday_support(fake: Float[Tensor, "n d"], scale: float) -> Support:
    """n (n - 1) / (2 pairs), pairs being those nearer than `scale` (the birthday test; Arora and Zhang 2017).

    When half of all sets of n samples hold a pair, the support is about n^2.

    Raises:
        InputError: fewer than 2 samples; a negative scale; see `feature_sets`.
    """
    (fake,) = feature_sets("birthday_support", least=2, fake=fake)
    _require_scale("birthday_support", scale)
    n = len(fake)
    inside = within(fake, fake, torch.full((n,), scale, dtype=torch.float64), strict=True).per_query
    pairs = int(inside.sum() - (n if scale > 0 else 0)) // 2
    return Support(n * (n - 1) / (2 * max(pairs, 1)), pairs)


def vendi_bandwidth(real: Float[Tensor, "n d"]) -> float:
    """Half the median distance of two real samples (over at most 2,048 of them): a bandwidth for `vendi`.

    Raises:
        InputError: fewer than 2 samples, or half of the pairs at distance 0; see `feature_sets`.
    """
    (real,) = feature_sets("vendi_bandwidth", least=2, real=real)
    some = real[: 2 * BLOCK[0]].double() - real[0].double()
    above = torch.triu_indices(len(some), len(some), offset=1)
    half = squared_distances(some, some)[above[0], above[1]].clamp(min=0).median().sqrt().item() / 2
    if not half:
        raise InputError("vendi_bandwidth: half of the pairs are at distance 0; the data holds hardly two different samples.")
    return half


def vendi(features: Float[Tensor, "n d"], bandwidth: float | None = None) -> float:
    """exp of the entropy of the eigenvalues of K / n: the effective number of different samples, in [1, n].

    Friedman and Dieng 2023, equation 2. With a bandwidth h the kernel is exp(-|x - y|^2 / 2 h^2) and n x n numbers are
    held; without one it is the cosine, by the eigenvalues of the smaller of X X^T and X^T X.

    Raises:
        InputError: a bandwidth of 0 or less; a sample of length 0 and no bandwidth; see `feature_sets`.
    """
    (features,) = feature_sets("vendi", features=features)
    x, n = features.double(), len(features)
    if bandwidth is None:
        length = x.norm(dim=1, keepdim=True)
        if not length.all():
            raise InputError("vendi: a sample is all zeros and has no direction; give a bandwidth, or other features.")
        x = x / length
        kernel = x @ x.T if n < x.shape[1] else x.T @ x
    elif bandwidth > 0:
        kernel = squared_distances(x - x[0], x - x[0]).clamp_(min=0).mul_(-0.5 / bandwidth**2).exp_().fill_diagonal_(1)
    else:
        raise InputError(f"vendi: the bandwidth is {bandwidth}; give a number above 0.")
    share = torch.linalg.eigvalsh(kernel / n).clamp(min=0)
    return torch.special.entr(share).sum().exp().item()


def pair_diversity(
    distance: Callable[[Tensor, Tensor], Float[Tensor, " pairs"]], samples: Tensor, pairs: int = 1_000, seed: int = 0
) -> PairDiversity:
    """Mean distance of random pairs of different samples by any distance, such as LPIPS (Zhu et al. 2017, section 5).

    Args:
        distance: takes two batches of samples, gives one number a pair.
        samples: (n, ...), all outputs, or all outputs of one input.
        pairs: drawn with replacement, seeded.

    Raises:
        InputError: fewer than 2 samples or pairs; a distance that is not finite or not one a pair.
    """
    n = len(samples)
    if n < 2 or pairs < 2:
        raise InputError(f"pair_diversity: {n} samples and {pairs} pairs were given; at least 2 of both are needed.")
    draw = generator(seed, "pair diversity")
    first = torch.randint(n, (pairs,), generator=draw)
    second = (first + torch.randint(1, n, (pairs,), generator=draw)) % n
    parts = zip(first.split(PAIRS_A_BATCH), second.split(PAIRS_A_BATCH), strict=True)
    found = torch.cat([distance(samples[a], samples[b]).detach().cpu().double() for a, b in parts])
    if found.shape != (pairs,) or not torch.isfinite(found).all():
        raise InputError("pair_diversity: the distance must give one finite number a pair; look at its output.")
    return PairDiversity(found.mean().item(), (found.std() / pairs**0.5).item())


def _require_scale(caller: str, scale: float) -> None:
    if not 0 <= scale < float("inf"):
        raise InputError(f"{caller}: the scale is {scale}; give a finite distance of at least 0, such as duplicate_scale(real).")
