"""How many modes of a known mixture of Gaussians a generator reaches, and how well.

VEEGAN (Srivastava et al. 2017): a sample is of high quality within 3 standard deviations of its nearest centre; a
mode is captured when it is the nearest to at least one high-quality sample; 2,500 samples. PacGAN (Lin et al. 2018)
adds the reverse Kullback-Leibler divergence: of the shares of high-quality samples from the data's equal shares.

Stacked MNIST (Metz et al. 2017) puts three digits into the three channels of an image: 1,000 modes, told apart by a
classifier that reads the channels one by one; VEEGAN and PacGAN count the modes of 26,000 samples.

Axes: N samples, K modes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.errors import InputError

SAMPLES = 2_500
RADIUS = 3.0  # standard deviations
CHANNELS = 3  # of a stacked image


class ModeReport(NamedTuple):
    """What `mode_report` finds.

    Attributes:
        captured: modes with at least one high-quality sample.
        high_quality: share of samples within 3 sigma of a centre; a perfect generator in the plane reaches 0.989.
        reverse_kl: KL(generated shares || 1/K) in nats; log K, its largest value, when no sample is of high quality.
    """

    captured: int
    high_quality: float
    reverse_kl: float


def mode_report(points: Float[Tensor, "N dim"], centres: Float[Tensor, "K dim"], sigma: float) -> ModeReport:
    """Modes captured, high-quality share and reverse KL of `points`, in the units of `centres` and `sigma`.

    Raises:
        InputError: no points, another dimension than the centres', or a non-finite coordinate.
    """
    if points.ndim != 2 or not len(points) or points.shape[1] != centres.shape[1]:
        raise InputError(
            f"mode_report: points have the shape {tuple(points.shape)}; (N, {centres.shape[1]}) with N >= 1 was expected."
        )
    if not torch.isfinite(points).all():
        raise InputError("mode_report: points hold a NaN or an infinity; look at the samples they come from.")
    # Not torch.cdist: its matrix-product path loses the digits that a small sigma far from zero needs.
    gaps = points.double()[:, None] - centres.double()[None]
    distance, nearest = gaps.square().sum(-1).sqrt().min(1)
    good = distance <= RADIUS * sigma
    counts = torch.bincount(nearest[good], minlength=len(centres))
    return ModeReport(int((counts > 0).sum()), good.double().mean().item(), _kl_from_uniform(counts))


class StackedReport(NamedTuple):
    """What `stacked_modes` finds.

    Attributes:
        captured: combinations of classes that occur, of kinds^3.
        reverse_kl: KL(generated shares || 1/kinds^3) in nats.
        perfect_reverse_kl: what N samples of a perfect generator have on average, to first order: (kinds^3 - 1) / (2 N).
    """

    captured: int
    reverse_kl: float
    perfect_reverse_kl: float


def stacked_modes(classes: Int64[Tensor, "N 3"], kinds: int = 10) -> StackedReport:
    """Modes and reverse KL of stacked images whose channels a classifier has read as `classes`, each 0 ... kinds - 1.

    Raises:
        InputError: no images, not three whole numbers each, or a class that does not exist.
    """
    if classes.ndim != 2 or not len(classes) or classes.shape[1] != CHANNELS or classes.is_floating_point():
        raise InputError(
            f"stacked_modes: classes are {classes.dtype} of the shape {tuple(classes.shape)}; "
            f"whole numbers of the shape (N, {CHANNELS}) with N >= 1 were expected."
        )
    if classes.min() < 0 or classes.max() >= kinds:
        raise InputError(f"stacked_modes: classes lie in {classes.min()} ... {classes.max()}; 0 ... {kinds - 1} was expected.")
    modes = kinds**CHANNELS
    which = (classes.long() * torch.tensor([kinds**2, kinds, 1])).sum(1)
    counts = torch.bincount(which, minlength=modes)
    return StackedReport(int((counts > 0).sum()), _kl_from_uniform(counts), (modes - 1) / (2 * len(classes)))


def _kl_from_uniform(counts: Tensor) -> float:
    if not counts.any():
        return math.log(len(counts))
    shares = counts.double() / counts.sum()
    return math.log(len(counts)) + torch.special.xlogy(shares, shares).sum().item()
