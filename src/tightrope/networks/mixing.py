"""Style mixing: two latents share the layers of one sample. Axis: N batch, Z latent, K classes, L layers, W style.

Karras, Laine & Aila 2019, "A style-based generator architecture for generative adversarial networks", section 3.1: in training
neighbouring layers must not count on correlated styles, so some samples are drawn with a second latent's styles from a random
layer on.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.styled import Styled


def mixed(
    generator: Styled, z: Float[Tensor, "n z"], c: Float[Tensor, "n k"] | None, probability: float
) -> Float[Tensor, "n l w"]:
    """Styles of `z`, and with `probability` those of other latents from a layer on that is drawn for the whole batch.

    Random numbers are drawn in the order of the published code (the layer, whether, the latents), whatever comes of them. The
    running mean of styles moves by `z` alone.
    """
    ws = generator.mapping(z, c)
    if probability <= 0:
        return ws
    layers = ws.shape[1]
    cutoff = torch.empty([], dtype=torch.int64, device=ws.device).random_(1, layers)
    cutoff = torch.where(torch.rand([], device=ws.device) < probability, cutoff, layers)
    others = generator.mapping(torch.randn_like(z), c, update_emas=False)
    return torch.where(torch.arange(layers, device=ws.device)[:, None] < cutoff, ws, others)
