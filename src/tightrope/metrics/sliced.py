"""MIND, the Monge Inception Distance (Berthet et al. 2026, arXiv:2605.06797): a sliced Wasserstein distance of features.

    3 d / (n M) * sum over M directions u of |sort(X u) - sort(Y u)|^2        X, Y: (n, d), u uniform on the sphere

One-dimensional optimal transport is a sort: no covariance to estimate, no matrix to decompose. The factor brings it to
the order of the Frechet distance. It depends on n and, a little, on the directions: compare equal n, M and seed.

Axes: n samples, d features, M directions.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.neighbours import feature_sets

COLUMNS = 64  # directions at once: 2 x 25 MB of float64 at n = 50,000


def monge_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "n d"], *, directions: int = 1_000, seed: int = 0) -> float:
    """MIND in the squared units of the features, >= 0.

    Raises:
        InputError: see `feature_sets`; different numbers of samples, or no directions.
    """
    real, fake = feature_sets("monge_distance", real=real, fake=fake)
    if len(real) != len(fake) or directions < 1:
        raise InputError(
            f"monge_distance: {len(real)} real and {len(fake)} fake samples in {directions} directions; "
            "as many samples of each and at least one direction are needed."
        )
    n, d = real.shape
    u = torch.randn(directions, d, generator=generator(seed, "directions"), dtype=torch.float64)
    u /= torch.linalg.vector_norm(u, dim=1, keepdim=True)
    total = sum(
        (_projected(real, block) - _projected(fake, block)).square().sum().item() for block in u.split(COLUMNS)
    )  # a block's sums are float64: the result is that of one block to rounding
    return 3 * d / (n * directions) * total


def _projected(features: Float[Tensor, "n d"], u: Float[Tensor, "b d"]) -> Float[Tensor, "b n"]:
    """Sorted coordinates along each direction; rows are brought to float64 a few at a time."""
    return torch.cat([u @ rows.double().T for rows in features.split(1_024)], dim=1).sort(dim=1).values
