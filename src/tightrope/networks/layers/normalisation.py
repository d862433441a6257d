"""Normalisation of feature maps. Axis: N batch, C channel, H W pixels, Y what a layer is conditioned on.

Over the batch: `nn.BatchNorm2d` (Ioffe & Szegedy 2015), and here batch normalisation that a condition modulates (by class,
by a vector, by the latent) or that a fixed batch steadies. Over one sample: layer, instance and pixel normalisation, which
mix no samples.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers.instance import InstanceNorm2d as InstanceNorm2d

Maps = Float[Tensor, "n c h w"]


def _modulated(x: Maps, gain: Float[Tensor, "n c"], bias: Float[Tensor, "n c"]) -> Maps:
    """x * gain + bias, one pair a sample and channel."""
    return torch.addcmul(bias.to(x.dtype)[:, :, None, None], x, gain.to(x.dtype)[:, :, None, None])


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation whose gain and bias are linear in a condition: 1 + A y and B y, neither with a constant.

    Dumoulin et al. 2017, equation 5. With y the shares of classes (N, K) the rows of A and B are the classes' own gains and
    biases (Miyato & Koyama 2018), and classes can be mixed; with y a vector (N, Y) it is BigGAN's (Brock et al. 2019, appendix
    B). Starts as plain batch normalisation.

    Args:
        channels: C.
        condition: Y, or the number of classes.
        linear: makes the two maps (`SNLinear` in BigGAN).
    """

    def __init__(self, channels: int, condition: int, *, eps: float = 1e-5, linear: Callable[..., nn.Linear] = nn.Linear) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=eps, affine=False)
        self.gain = linear(condition, channels, bias=False)
        self.bias = linear(condition, channels, bias=False)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Maps, y: Float[Tensor, "n y"]) -> Maps:
        return _modulated(self.norm(x), 1 + self.gain(y), self.bias(y))


class SelfModulation2d(nn.Module):
    """Batch normalisation whose gain and bias are a small perceptron of the latent (Chen et al. 2019, "On self modulation").

    Args:
        channels: C.
        condition: Z, or the width of latent and class together.
        hidden: units of the one hidden layer (the paper: 32).
    """

    def __init__(self, channels: int, condition: int, *, hidden: int = 32, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=eps, affine=False)
        self.hidden = nn.Linear(condition, hidden)
        self.gain = nn.Linear(hidden, channels)
        self.bias = nn.Linear(hidden, channels)
        nn.init.ones_(self.gain.bias)
        nn.init.zeros_(self.bias.bias)

    def forward(self, x: Maps, y: Float[Tensor, "n z"]) -> Maps:
        hidden = F.relu(self.hidden(y))
        return _modulated(self.norm(x), self.gain(hidden), self.bias(hidden))


class LayerNorm2d(nn.Module):
    """Layer normalisation over [C, H, W] of each sample, with one gain and bias a channel (Ba et al. 2016; WGAN-GP's critic)."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Maps) -> Maps:
        return F.group_norm(x, 1, self.weight, self.bias, self.eps)


class PixelNorm(nn.Module):
    """Each pixel's vector of channels, or each latent, over its root mean square (Karras et al. 2018, section 4.2)."""

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Float[Tensor, "n c *x"]) -> Float[Tensor, "n c *x"]:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + self.eps)


class VirtualBatchNorm2d(nn.Module):
    """Each sample over the moments of a fixed reference batch and itself, as one of them (Salimans et al. 2016, section 3.5).

    The first `reference` samples of what it is given are the reference, normalised by their own moments; `VirtualBatch` puts
    them there. The other samples do not see each other.
    """

    def __init__(self, channels: int, reference: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.reference, self.eps = reference, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Maps) -> Maps:
        n = self.reference
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        first, second = wide.mean((2, 3)), wide.square().mean((2, 3))
        of_reference = [moment[:n].mean(0, keepdim=True) for moment in (first, second)]
        mean, square = (
            torch.cat([reference.expand(n, -1), (n * reference + own[n:]) / (n + 1)])
            for reference, own in zip(of_reference, (first, second), strict=True)
        )
        gain = self.weight * torch.rsqrt((square - mean.square()).clamp_min(0) + self.eps)
        return _modulated(wide, gain, self.bias - mean * gain).to(x.dtype)


class VirtualBatch(nn.Module):
    """A network with virtual batch normalisation, and the batch that it refers to.

    Args:
        net: with `VirtualBatchNorm2d(..., reference=len(reference))`.
        reference: the fixed batch; where it is a number, the first that many samples seen in training.
        shape: of one sample, needed with a number.
    """

    reference: Tensor
    chosen: Tensor

    def __init__(self, net: nn.Module, reference: Tensor | int, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.net = net
        given = isinstance(reference, Tensor)
        self.register_buffer("reference", reference if isinstance(reference, Tensor) else torch.zeros(reference, *shape))
        self.register_buffer("chosen", torch.tensor(given))

    def forward(self, x: Float[Tensor, "n *x"]) -> Tensor:
        n = len(self.reference)
        if self.training and not self.chosen:
            if len(x) < n:
                raise ValueError(f"virtual batch normalisation refers to {n} samples and its first batch has {len(x)}")
            self.reference.copy_(x[:n].detach())
            self.chosen.fill_(True)
        return self.net(torch.cat([self.reference.to(x.dtype), x]))[n:]
