"""Spectral normalisation: a layer's weight divided by its largest singular value. Axis: O outputs, I everything else of a weight.

Miyato et al. 2018, "Spectral normalization for generative adversarial networks", algorithm 1: the singular vectors are those
of the last pass moved by one step of the power method. Two rules differ outside training: `spectral` is PyTorch's, which then
uses the stored vectors, and the `SN...` layers follow BigGAN (Brock et al. 2019), which makes one more step from them and
stores nothing. The second is for networks whose weights and vectors are averaged: the mean of two unit vectors is no unit
vector.
All of it stays in the weights' own precision under autocast.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tightrope.core.labels import weights

Matrix = Float[Tensor, "o i"]
M = TypeVar("M", bound=nn.Module)


def leading(matrix: Matrix) -> tuple[Float[Tensor, " o"], Float[Tensor, " i"]]:
    """The singular vectors of the largest singular value, exactly, through the eigenvectors of the smaller Gram matrix."""
    wide, tall = matrix.detach().double(), matrix.shape[0] > matrix.shape[1]
    gram = wide.mT @ wide if tall else wide @ wide.mT
    vector = torch.linalg.eigh(gram).eigenvectors[:, -1]
    other = F.normalize((wide if tall else wide.mT) @ vector, dim=0)
    u, v = (other, vector) if tall else (vector, other)
    return u.to(matrix.dtype), v.to(matrix.dtype)


class _Spectral(nn.Module):
    """PyTorch's rule as a parametrisation; its state dict has PyTorch's names."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, dim: int, eps: float) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps
        u, v = leading(self.matrix(weight))
        self.register_buffer("_u", u)
        self.register_buffer("_v", v)

    def matrix(self, weight: Tensor) -> Matrix:
        return weight.transpose(0, self.dim).flatten(1)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            matrix = self.matrix(weight)
            if self.training:
                with torch.no_grad():
                    self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
                    self._v.copy_(F.normalize(matrix.mT @ self._u, dim=0, eps=self.eps))
            u, v = self._u.clone(), self._v.clone()  # the next pass writes into the stored ones
            return weight / (u @ (matrix @ v))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


def spectral(module: M, eps: float = 1e-12) -> M:
    """Give a convolution or linear layer spectral normalisation by PyTorch's rule; returns the same layer.

    Initialise the weight before: it is a computed one from here on. The stored vectors start exact.
    """
    weight = module.weight
    assert isinstance(weight, Tensor)
    dim = 1 if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)) else 0
    parametrize.register_parametrization(module, "weight", _Spectral(weight, dim, eps))
    return module


def divided(weight: Tensor, u0: Tensor, sv0: Tensor, *, store: bool, eps: float) -> Tensor:
    """BigGAN's rule: v = norm(u W), u' = norm(v W^T), sigma = v W^T u'^T, and the weight over sigma.

    Args:
        u0, sv0: the stored left vector, (1, O), and the last sigma, (1,).
        store: write both back (in training).
        eps: the least norm of a vector.
    """
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(u0 @ matrix, eps=eps)
            u = F.normalize(v @ matrix.mT, eps=eps)
        sigma = (v @ matrix.mT @ u.mT).squeeze()
        if store:
            with torch.no_grad():
                u0.copy_(u)
                sv0.copy_(sigma)
        return weight / sigma


def _remember(module: nn.Module, outputs: int) -> None:
    module.register_buffer("u0", torch.randn(1, outputs))
    module.register_buffer("sv0", torch.ones(1))


class SNConv2d(nn.Conv2d):
    """`nn.Conv2d` with BigGAN's spectral normalisation."""

    u0: Tensor
    sv0: Tensor

    def __init__(self, *args: Any, eps: float = 1e-12, **options: Any) -> None:
        super().__init__(*args, **options)
        self.eps = eps
        _remember(self, self.out_channels)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h2 w2"]:
        return self._conv_forward(input, effective(self), self.bias)


class SNLinear(nn.Linear):
    """`nn.Linear` with BigGAN's spectral normalisation."""

    u0: Tensor
    sv0: Tensor

    def __init__(self, *args: Any, eps: float = 1e-12, **options: Any) -> None:
        super().__init__(*args, **options)
        self.eps = eps
        _remember(self, self.out_features)

    def forward(self, input: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        return F.linear(input, effective(self), self.bias)


class SNEmbedding(nn.Embedding):
    """`nn.Embedding` with BigGAN's spectral normalisation, for labels (N,) or shares of classes (N, K)."""

    u0: Tensor
    sv0: Tensor

    def __init__(self, classes: int, width: int, *, eps: float = 1e-12) -> None:
        super().__init__(classes, width)
        self.eps = eps
        _remember(self, classes)

    def forward(self, input: Int64[Tensor, " n"] | Float[Tensor, "n k"]) -> Float[Tensor, "n c"]:
        table = effective(self)
        return weights(input, self.num_embeddings).to(table.dtype) @ table


def effective(layer: nn.Conv2d | nn.Linear | nn.Embedding) -> Tensor:
    """The weight that a layer works with in this pass; call it once a pass, since a normalised one makes its step."""
    if isinstance(layer, (SNConv2d, SNLinear, SNEmbedding)):
        return divided(layer.weight, layer.u0, layer.sv0, store=layer.training, eps=layer.eps)
    return layer.weight
