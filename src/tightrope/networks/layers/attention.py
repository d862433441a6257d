"""Self-attention over the pixels of a feature map. Axis: N batch, C channel, H W pixels.

Zhang et al. 2019, "Self-attention generative adversarial networks", section 3, in the form of their code and of BigGAN's: keys
and values are pooled 2x2, queries and keys have C/8 channels, values C/2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.spectral import SNConv2d


class SelfAttention(nn.Module):
    """x + gamma * o(softmax(theta(x)^T phi(x)) g(x)); gamma starts at 0, so that it starts as the identity.

    Args:
        channels: C, at least 8.
        conv: makes the 1x1 convolutions, as conv(inputs, outputs, 1, bias=False).
    """

    def __init__(self, channels: int, *, conv: Callable[..., nn.Conv2d] = SNConv2d) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.theta = conv(channels, inner, 1, bias=False)
        self.phi = conv(channels, inner, 1, bias=False)
        self.g = conv(channels, values, 1, bias=False)
        self.o = conv(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        queries = self.theta(x).flatten(2)
        keys, values = (F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.phi, self.g))
        shares = (queries.mT @ keys).softmax(2)  # n, pixels, pooled pixels
        seen = (values @ shares.mT).unflatten(2, x.shape[2:])
        return x + self.gamma * self.o(seen)
