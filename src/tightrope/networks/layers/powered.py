"""Spectral normalisation in the order and under the names of PyTorch's first one. Axis: O outputs, I all else of a weight.

Miyato et al. 2018, algorithm 1. `spectral` has the rule of PyTorch's parametrisation, left singular vector first; before it
(`torch.nn.utils.spectral_norm`, with which Real-ESRGAN's critic was trained) the right one came first, and the tensors had other
names. Both use the stored vectors outside training, and agree once these have settled.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class PoweredConv2d(nn.Conv2d):
    """`nn.Conv2d` over its largest singular value: v = norm(W^T u), then u = norm(W v), in each pass of training.

    Its tensors are `weight_orig`, `weight_u` and `weight_v`. The vectors start at random, and settle in the first passes.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, *args: Any, eps: float = 1e-12, **options: Any) -> None:
        super().__init__(*args, **options)
        self.eps = eps
        weight = self.weight
        del self.weight
        self.weight_orig = weight
        self.register_buffer("weight_u", F.normalize(torch.randn(weight.shape[0]), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(weight[0].numel()), dim=0))

    def normalised(self) -> Float[Tensor, "o i h w"]:
        """The weight that this pass works with."""
        weight = self.weight_orig
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                with torch.no_grad():
                    self.weight_v.copy_(F.normalize(matrix.mT @ self.weight_u, dim=0, eps=self.eps))
                    self.weight_u.copy_(F.normalize(matrix @ self.weight_v, dim=0, eps=self.eps))
            u, v = self.weight_u.clone(), self.weight_v.clone()  # the next pass writes into the stored ones
            return weight / (u @ (matrix @ v))

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h2 w2"]:
        return self._conv_forward(input, self.normalised(), self.bias)
