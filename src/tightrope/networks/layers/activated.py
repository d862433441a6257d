"""Bias, activation, gain and clamp: what follows every linear map of a StyleGAN. Axis: N batch, C channel.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", appendix B: activations have a gain that keeps the
variance. Karras et al. 2020, "Training generative adversarial networks with limited data": what comes out is clamped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.networks.layers.rectifier import rectified

Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]


class _Kind(NamedTuple):
    """A function and the gain behind it."""

    function: Callable[[Tensor], Tensor]
    gain: float


_KINDS: dict[Activation, _Kind] = {
    "linear": _Kind(lambda x: x, 1.0),
    "relu": _Kind(rectified, math.sqrt(2)),
    "lrelu": _Kind(lambda x: rectified(x, 0.2), math.sqrt(2)),
    "tanh": _Kind(torch.tanh, 1.0),
    "sigmoid": _Kind(torch.sigmoid, 1.0),
    "elu": _Kind(F.elu, 1.0),
    "selu": _Kind(F.selu, 1.0),
    "softplus": _Kind(F.softplus, 1.0),
    "swish": _Kind(F.silu, math.sqrt(2)),
}


def known(activation: str) -> Activation:
    """The activation of this name."""
    if activation not in _KINDS:
        raise InputError(f"there is no activation {activation!r}; take one of {', '.join(_KINDS)}")
    return activation


def gain_of(activation: Activation) -> float:
    """What keeps the variance behind this activation."""
    return _KINDS[activation].gain


def activated(
    x: Float[Tensor, "n c *s"],
    bias: Float[Tensor, " c"] | None = None,
    activation: Activation = "linear",
    *,
    gain: float | None = None,
    clamp: float | None = None,
) -> Float[Tensor, "n c *s"]:
    """clamp(gain activation(x + bias)).

    Args:
        gain: that of the activation unless given.
        clamp: the largest absolute value that comes out.
    """
    if bias is not None:
        x = x + bias.to(x.dtype).view(-1, *[1] * (x.dim() - 2))
    kind = _KINDS[activation]
    factor = kind.gain if gain is None else gain
    x = kind.function(x)
    x = x if factor == 1 else x * factor
    return x if clamp is None else x.clamp(-clamp, clamp)
