"""Truncation: latents nearer to the mean, so that samples are more typical and less diverse. Axis: N samples, Z latent.

Brock et al. 2019 (arXiv:1809.11096, section 3.1) draw a normal latent anew until it lies within [-t, t]. The quantile
function gives the same distribution without drawing anew, so that a seed stays the same picture, only more typical:

    z' = Phi^-1(Phi(-t) + u (Phi(t) - Phi(-t))),   u = Phi(z)
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core import seeds
from tightrope.core.errors import InputError
from tightrope.core.game import Recipe

PROBED = 4_096  # latents that show whether they are normal
TOLERANCES = (0.2, 0.2, 0.8)  # of a coordinate's mean, standard deviation - 1 and kurtosis - 3 (of uniform ones: -1.2)
LENGTH = 0.25  # of the variance of the squared lengths: latents brought to one length have none


def truncated(z: Float[Tensor, "n z"], t: float) -> Float[Tensor, "n z"]:
    """Standard normal latents brought into (-t, t) without changing their order.

    Raises:
        InputError: t is not above 0.
    """
    if not 0 < t < math.inf:
        raise InputError(f"--truncation {t:g}: give a number above 0, such as 0.7; 2 and more changes little.")
    # by the lower half alone, whose Phi loses no digits, in float64
    limit = torch.special.ndtr(torch.tensor(-t, dtype=torch.float64))
    below = torch.special.ndtr(-z.abs().double())
    kept = torch.special.ndtri(limit + below * (1 - 2 * limit)).clamp(min=-t)
    return torch.where(z > 0, -kept, kept).to(z.dtype)


def require_normal(recipe: Recipe, name: str) -> None:
    """Refuse to truncate latents that are not independent standard normal numbers.

    Raises:
        InputError: says what a sample of them shows.
    """
    z = recipe.latents(PROBED, seeds.generator(0, "truncation", "probe")).double()
    spread = z.std(0)
    kurtosis = (z - z.mean(0)).pow(4).mean(0) / spread.pow(4).clamp(min=1e-12)
    apart = torch.stack([z.mean(0), spread - 1, kurtosis - 3]).abs() / torch.tensor(TOLERANCES)[:, None]
    odd, worst = int(apart.amax(0).argmax()), apart.max().item()
    one_length = abs(z.square().sum(1).var().item() / (2 * z.shape[1]) - 1) > LENGTH
    if worst <= 1 and not one_length:
        return
    shown = f"coordinate {odd} goes from {z[:, odd].min():.2g} to {z[:, odd].max():.2g}, with kurtosis {kurtosis[odd]:.2g}"
    shown = "all are of one length" if worst <= 1 else shown
    raise InputError(
        f"--truncation: {name} draws latents that are not standard normal ({shown}), and truncation is defined for those; "
        "leave it out."
    )
