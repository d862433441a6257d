"""How many modes of a known mixture of Gaussians a generator reaches, and how well.

VEEGAN (Srivastava et al. 2017): a sample is of high quality within 3 standard deviations of its nearest centre; a
mode is captured when it is the nearest to at least one high-quality sample; 2,500 samples. PacGAN (Lin et al. 2018)
adds the reverse Kullback-Leibler divergence: of the shares of high-quality samples from the data's equal shares.

Axes: N samples, K modes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError

SAMPLES = 2_500
RADIUS = 3.0  # standard deviations


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


def _kl_from_uniform(counts: Tensor) -> float:
    if not counts.any():
        return math.log(len(counts))
    shares = counts.double() / counts.sum()
    return math.log(len(counts)) + torch.special.xlogy(shares, shares).sum().item()
