"""Does the generator return its training samples? Distances, fidelity and coverage cannot tell: copies are their best score.

Each figure is read against what held-out real samples give; a set that has shrunk or lost classes moves some of them too.

Axes: n training samples, h held-out samples, m fakes, d features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.bins import assign, kmeans
from tightrope.metrics.diversity import DUPLICATE
from tightrope.metrics.neighbours import feature_sets, members, nearest

FEWEST = 10  # samples of either kind that a cell needs for the normal approximation of its rank test
FALSE_POSITIVES = 0.01


class MannWhitney(NamedTuple):
    """The rank test of a against b.

    Attributes:
        auc: probability that a random a is above a random b, ties counting one half.
        z: standard deviations of that from one half, ties corrected for; 0 when all values are equal.
    """

    auc: float
    z: float


class CloserToTrain(NamedTuple):
    """What `closer_to_train` finds.

    Attributes:
        share: of the fakes that are nearer to the training samples than to as many held-out ones; 0.5 without memory.
        null_sd: standard deviation of the share if training and held-out samples were swapped at random.
    """

    share: float
    null_sd: float


class Attack(NamedTuple):
    """What `membership_attack` reaches; 0.5 and 0.01 by guessing.

    Attributes:
        auc: probability that a training sample scores above a held-out one.
        tpr: share of the training samples found at 1 % of false positives among the held-out ones.
    """

    auc: float
    tpr: float


class Copies(NamedTuple):
    """What `copies` finds.

    Attributes:
        copied: nearer than `scale` to a training sample.
        null: share of the training samples that are as near to another one: what honest samples may show.
        scale: the distance, in the features' units.
    """

    copied: Bool[Tensor, " m"]
    null: float
    scale: float


def mann_whitney(a: Float[Tensor, " n"], b: Float[Tensor, " m"]) -> MannWhitney:
    """Mann and Whitney 1947, by mid-ranks.

    Raises:
        InputError: an empty vector, or a NaN.
    """
    if not len(a) or not len(b) or a.isnan().any() or b.isnan().any():
        raise InputError("mann_whitney: two vectors of at least one number each, without NaN, were expected.")
    n, m = len(a), len(b)
    _, inverse, counts = torch.cat([a.double(), b.double()]).unique(return_inverse=True, return_counts=True)
    ties = counts.double()
    rank = (ties.cumsum(0) - (ties - 1) / 2)[inverse]
    u = rank[:n].sum().item() - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - (ties**3 - ties).sum().item() / (total * (total - 1)))
    return MannWhitney(u / (n * m), (u - n * m / 2) / variance**0.5 if variance > 1e-9 else 0.0)


def authentic(train: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> Bool[Tensor, " m"]:
    """Which fakes are farther from their nearest training sample than that one is from its own nearest.

    Raises:
        InputError: fewer than 2 training samples; see `feature_sets`.
    """
    train, fake = feature_sets("authentic", train=train, fake=fake)
    if len(train) < 2:
        raise InputError("authentic: one training sample has no neighbour; give at least 2.")
    own = nearest(train, train, apart=True).distance[:, 0]
    found = nearest(fake, train)
    return found.distance[:, 0] > own[found.index[:, 0]]


def authenticity(train: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """Share of the fakes that are `authentic` (Alaa et al. 2022, section 3.3), 0 for copies.

    Fresh real samples give about 0.5, in few dimensions up to 0.6: compare with those.

    Raises:
        InputError: see `authentic`.
    """
    return authentic(train, fake).double().mean().item()


def copying(
    train: Float[Tensor, "n d"], held_out: Float[Tensor, "h d"], fake: Float[Tensor, "m d"], cells: int = 3, seed: int = 0
) -> float:
    """C_T (Meehan et al. 2020, section 3.2): far below 0 when fakes lie nearer to the training data than held-out samples do.

    The mean z of the rank tests of distances to the training data over the cells of k-means, weighted by the held-out
    samples in them; cells with fewer than 10 samples of either kind are left out.

    Raises:
        InputError: no cell holds enough samples; fewer training samples than cells; see `feature_sets`.
    """
    train, held_out, fake = feature_sets("copying", train=train, held_out=held_out, fake=fake)
    centres = kmeans(train, cells, seed)
    distance = [nearest(x, train).distance[:, 0] for x in (fake, held_out)]
    cell = [assign(x, centres) for x in (fake, held_out)]
    total = weight = 0.0
    for i in range(cells):
        of_fake, of_real = (values[where == i] for values, where in zip(distance, cell, strict=True))
        if min(len(of_fake), len(of_real)) >= FEWEST:
            total += len(of_real) * mann_whitney(of_fake, of_real).z
            weight += len(of_real)
    if not weight:
        raise InputError(f"copying: no cell holds {FEWEST} fakes and {FEWEST} held-out samples; give more, or fewer cells.")
    return total / weight


def closer_to_train(
    train: Float[Tensor, "n d"], held_out: Float[Tensor, "h d"], fake: Float[Tensor, "m d"], seed: int = 0
) -> CloserToTrain:
    """Share of the fakes whose nearest training sample is nearer than their nearest held-out one; ties count one half.

    The larger of the two sets is cut at random to the size of the smaller: more samples are nearer by themselves.

    Raises:
        InputError: see `feature_sets`.
    """
    train, held_out, fake = feature_sets("closer_to_train", train=train, held_out=held_out, fake=fake)
    size = min(len(train), len(held_out))
    draw = generator(seed, "closer to train")
    to_train, to_held = (nearest(fake, x[torch.randperm(len(x), generator=draw)[:size]]) for x in (train, held_out))
    a, b = to_train.distance[:, 0], to_held.distance[:, 0]
    share = ((a < b).double() + (a == b).double() / 2).mean().item()
    # Swapping labels at random moves all fakes of one neighbour together; half of the 2 * size labels are "train".
    neighbour = torch.where(a <= b, to_train.index[:, 0], to_held.index[:, 0] + size)
    load = torch.bincount(neighbour, minlength=2 * size).double() / len(fake)
    variance = (load.square().sum() - 1 / (2 * size)) * (2 * size) / (2 * size - 1) / 4
    return CloserToTrain(share, variance.clamp(min=0).sqrt().item())


def membership_attack(train: Float[Tensor, "n d"], held_out: Float[Tensor, "h d"], fake: Float[Tensor, "m d"]) -> Attack:
    """How well "a fake is near" tells training from held-out samples: GAN-Leaks' full black box (Chen et al. 2020, section 4.2).

    The rate at 1 % of false positives is what an attacker can be sure of (Carlini et al. 2022, section 3).

    Raises:
        InputError: see `feature_sets`.
    """
    train, held_out, fake = feature_sets("membership_attack", train=train, held_out=held_out, fake=fake)
    member, other = (nearest(x, fake).distance[:, 0] for x in (train, held_out))
    # The reach is up to, not including, the first held-out sample that would be one false positive too many.
    limit = other.sort().values[int(FALSE_POSITIVES * len(other))]
    return Attack(mann_whitney(-member, -other).auc, (member < limit).double().mean().item())


def copies(train: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> Copies:
    """Fakes nearer to a training sample than a quarter of the median distance of training samples to their nearest other.

    Exact duplicates within the training data are left out of that median; they stay in the null.

    Raises:
        InputError: fewer than 2 different training samples; see `feature_sets`.
    """
    train, fake = feature_sets("copies", train=train, fake=fake)
    unique = train[members(train)[:, 0]]
    if len(unique) < 2:
        raise InputError("copies: the training data holds fewer than 2 different samples; give more.")
    own = nearest(train, train, apart=True).distance
    different = own if own.all() else nearest(unique, unique, apart=True).distance
    scale = DUPLICATE * different.median().item()
    return Copies(nearest(fake, train).distance[:, 0] < scale, (own < scale).double().mean().item(), scale)
