"""The measurements behind `metrics.diagnosis`: each on real samples in the fakes' place as well, which is its null.

Everything is measured in up to two spaces: the extractor's features, and the principal components of plain pixels, which
know nothing of classes and see what a classifier was trained to overlook. Copies are looked for in a third.

Axes: N samples, n samples drawn from them, d dimensions of a space, K cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.bins import assign, kmeans
from tightrope.metrics.neighbours import nearest

K_NEAREST = 5
MOST_DIMENSIONS = 128  # of features; more are reduced to their principal components
PIXELS = 1_024  # values of a picture before its principal components are taken
COMPONENTS = 64  # of the pixels
SCALED = 10_000  # real samples among which a 5th neighbour is looked for
FITTED = 5_000  # real samples that components are fitted on
ITERATIONS = 8  # of the search for components
DRAWN = 2_500  # samples a side of one comparison
LEAST_IN_CELL = 10
CHANCE = 3.5  # standard deviations by which a lost cell falls short
EMPTY = 0.25  # a cell or class is lost below this fraction of its real share


class Space(NamedTuple):
    """One set of coordinates for all samples."""

    name: str
    real: Float[Tensor, "N d"]
    fake: Float[Tensor, "M d"]
    held_out: Float[Tensor, "H d"] | None


class Draw(NamedTuple):
    """Indices of equally many samples: the reference among the real ones, the null's among `held_out` or the other real ones."""

    reference: Int64[Tensor, " n"]
    null: Int64[Tensor, " n"]
    fake: Int64[Tensor, " n"]


class Figures(NamedTuple):
    """How n samples stand to n reference samples.

    Attributes:
        reach: distance of each reference sample to the nearest sample over that to its 5th neighbour in the reference.
        coverage: share of the reference with a reach below 1 (Naeem et al. 2020).
        lost: share of the reference in cells that the samples left, or visit less than a quarter as often.
        spread: standard deviation within a cell over that of the reference, for the median cell.
    """

    reach: Float[Tensor, " n"]
    coverage: float
    lost: float
    spread: float


class Closeness(NamedTuple):
    """Of each query, in the real set: its nearest sample, and how near it is.

    Attributes:
        nearest: index of the nearest real sample.
        ratio: distance to it over that sample's distance to its own 5th neighbour; about 1 for real samples.
    """

    nearest: Int64[Tensor, " N"]
    ratio: Float[Tensor, " N"]


def feature_space(real: Tensor, fake: Tensor, held_out: Tensor | None) -> Space:
    """The extractor's features; reduced where there are more than 128."""
    rule = _identity if real.shape[1] <= MOST_DIMENSIONS else principal(real[:FITTED], MOST_DIMENSIONS)
    return Space("features", rule(real), rule(fake), None if held_out is None else rule(held_out))


def image_spaces(real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None) -> tuple[Space, Space]:
    """Principal components of plain pixels, and of the amplitude spectrum, fitted on the real images.

    The spectrum is where copies show that were moved by some pixels or mirrored.

    Raises:
        InputError: images of different shapes.
    """
    for images in (fake, held_out):
        if images is not None and images.shape[1:] != real.shape[1:]:
            raise InputError(f"diagnose: images of the shapes {real.shape[1:]} and {images.shape[1:]}; bring them to one size.")
    pictures = [None if images is None else _small(images) for images in (real, fake, held_out)]
    pixels = _components("pixels", [None if part is None else part.flatten(1) for part in pictures])
    return pixels, _components("spectrum", [None if part is None else _spectrum(part) for part in pictures])


def _components(name: str, sets: list[Tensor | None]) -> Space:
    real, fake, held_out = sets
    assert real is not None and fake is not None
    rule = principal(real[:FITTED], COMPONENTS)
    return Space(name, rule(real), rule(fake), None if held_out is None else rule(held_out))


def principal(fitted: Float[Tensor, "n d"], components: int) -> Callable[[Tensor], Tensor]:
    """Centred principal components of `fitted`, and as last coordinate the length of what they leave out."""
    mean = fitted.mean(0)
    axes = _subspace((fitted - mean).double(), components).float()

    def rule(points: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        centred = points - mean
        inside = centred @ axes
        outside = (centred.square().sum(1) - inside.square().sum(1)).clamp(min=0).sqrt()
        return torch.cat([inside, outside[:, None]], 1)

    return rule


def _subspace(centred: Float[Tensor, "n d"], components: int) -> Float[Tensor, "d k"]:
    """Orthonormal axes of the leading components by subspace iteration (Halko et al. 2011, algorithm 4.4).

    Unlike an eigensolver it is quick, and sure to end on pictures with hundreds of pixels that are always black.
    """
    width = centred.shape[1]
    start = torch.randn(width, min(width, components + 16), generator=generator(0, "subspace"), dtype=torch.float64)
    covariance = centred.T @ centred
    axes = torch.linalg.qr(start).Q
    for _ in range(ITERATIONS):
        axes = torch.linalg.qr(covariance @ axes).Q
    inside = axes.T @ covariance @ axes
    return axes @ torch.linalg.eigh(inside).eigenvectors[:, -components:]


def _identity(points: Tensor) -> Tensor:
    return points.float()


def _small(images: np.ndarray) -> Float[Tensor, "N C s s"]:
    """Pictures of at most 1,024 averaged values."""
    parts = []
    side = min(int((PIXELS / images.shape[3]) ** 0.5), *images.shape[1:3])
    for start in range(0, len(images), 1_000):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + 1_000])).permute(0, 3, 1, 2).float()
        parts.append(part if part.shape[2:] == (side, side) else adaptive_avg_pool2d(part, side))
    return torch.cat(parts)


def _spectrum(pictures: Float[Tensor, "N C s s"]) -> Float[Tensor, "N d"]:
    """Roots of the Fourier amplitudes, the same for a picture that is moved within an empty border, or mirrored."""
    side = pictures.shape[-1] * 5 // 4
    amplitudes = torch.fft.rfft2(pictures, s=(side, side)).abs()
    mirrored = amplitudes[:, :, -torch.arange(side)]
    return (amplitudes + mirrored).sqrt().flatten(1)


def draws(real: int, fake: int, held_out: int | None, seed: int) -> list[Draw]:
    """Random comparisons at equal n, more of them where n is small and a single one says little."""
    n = min(DRAWN, fake, real // 2 if held_out is None else min(real, held_out))
    found = []
    for repeat in range(max(3, min(8, 4_000 // n))):
        draw = generator(seed, "diagnosis", repeat)
        order = torch.randperm(real, generator=draw)
        null = order[n : 2 * n] if held_out is None else torch.randperm(held_out, generator=draw)[:n]
        found.append(Draw(order[:n], null, torch.randperm(fake, generator=draw)[:n]))
    return found


def compare(reference: Float[Tensor, "n d"], sets: list[Float[Tensor, "n d"]], seed: int) -> list[Figures]:
    """The figures of each set against one reference."""
    radius = nearest(reference, reference, K_NEAREST, apart=True).distance[:, -1]
    count = min(max(5, min(50, len(reference) // 50)), len(reference.unique(dim=0)))
    centres = kmeans(reference, count, seed)
    home = assign(reference, centres)
    found = []
    for samples in sets:
        reach = nearest(reference, samples).distance[:, 0] / radius.clamp(min=torch.finfo(torch.float32).tiny)
        cell = assign(samples, centres)
        real_shares, _, gone = shares(home, cell, EMPTY, count=len(centres))
        lost, coverage = real_shares[gone].sum().item(), (reach < 1).double().mean().item()
        found.append(Figures(reach, coverage, lost, _spread(reference, home, samples, cell)))
    return found


def shares(real: Int64[Tensor, " n"], fake: Int64[Tensor, " m"], empty: float, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of `count` cells among real and fake samples, and which are lost: below `empty` of the real share.

    Cells too small to judge are not lost, nor are those that may have come out small by chance.
    """
    real_counts, fake_counts = (torch.bincount(cell, minlength=count).double() for cell in (real, fake))
    expected = real_counts / len(real) * len(fake)
    judged = torch.minimum(real_counts, expected) >= LEAST_IN_CELL
    unlikely = expected - fake_counts > CHANCE * (expected * (1 + len(fake) / len(real))).sqrt()
    return real_counts / len(real), fake_counts / len(fake), judged & unlikely & (fake_counts < empty * expected)


def _spread(reference: Tensor, home: Tensor, samples: Tensor, cell: Tensor) -> float:
    """Root of the median over cells of the ratio of variances; 1 where no cell holds enough of both.

    The median, because a cell that two classes share grows narrow when one of them is missing.
    """
    ratios, weights = [], []
    for k in range(int(home.max()) + 1):
        ours, theirs = reference[home == k], samples[cell == k]
        if min(len(ours), len(theirs)) >= LEAST_IN_CELL and (own := ours.var(0).sum().item()) > 0:
            ratios.append(theirs.var(0).sum().item() / own)
            weights.append(len(ours))
    if not ratios:
        return 1.0
    ratio, order = torch.tensor(ratios, dtype=torch.float64).sort()
    upto = torch.tensor(weights)[order].cumsum(0)
    return ratio[torch.searchsorted(upto, upto[-1] / 2)].sqrt().item()


def closeness(real: Float[Tensor, "N d"], queries: Float[Tensor, "n d"], own: Int64[Tensor, " n"] | None = None) -> Closeness:
    """How near each query is to its nearest real sample. `own`: the queries are those real samples; none neighbours itself."""
    found = nearest(queries, real, 1 if own is None else 2)
    index, distance = found.index[:, 0], found.distance[:, 0]
    if own is not None:
        itself = index == own
        index, distance = (torch.where(itself, pair[:, 1], pair[:, 0]) for pair in (found.index, found.distance))
    asked, place = index.unique(return_inverse=True)
    others = real[:: max(1, len(real) // SCALED)]
    radius = nearest(real[asked], others, K_NEAREST + 1).distance[:, -1][place]
    return Closeness(index, distance / radius.clamp(min=torch.finfo(torch.float32).tiny))
