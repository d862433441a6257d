"""Bias, activation, gain and clamp: what follows every linear map of a StyleGAN. Axis: N batch, C channel.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", appendix B: activations have a gain that keeps the
variance. Karras et al. 2020, "Training generative adversarial networks with limited data": what comes out is clamped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError

Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]


class _Kind(NamedTuple):
    """A function and the gain behind it; the slope below 0 of one that is linear on either side of it."""

    function: Callable[[Tensor], Tensor]
    gain: float
    slope: float | None = None


_KINDS: dict[Activation, _Kind] = {
    "linear": _Kind(lambda x: x, 1.0, 1.0),
    "relu": _Kind(F.relu, math.sqrt(2), 0.0),
    "lrelu": _Kind(lambda x: F.leaky_relu(x, 0.2), math.sqrt(2), 0.2),
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


def homogeneous(activation: Activation) -> bool:
    """Whether a gain before it is one behind it."""
    return _KINDS[activation].slope is not None


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
    function, usual, slope = _KINDS[activation]
    factor = usual if gain is None else gain
    shift = None if bias is None else bias.to(x.dtype).view(-1, *[1] * (x.dim() - 2))
    if slope is not None and factor > 0:  # the gain costs nothing where the bias is added
        x = x * factor if shift is None and factor != 1 else x
        return bent(x if shift is None else torch.add(shift * factor, x, alpha=factor), slope, clamp)
    y = function(x if shift is None else x + shift) * factor
    return y if clamp is None else y.clamp(-clamp, clamp)


def bent(x: Tensor, slope: float, clamp: float | None = None) -> Tensor:
    """max(x, slope x), clamped; the derivatives of every order beyond the first are left out: they are zero."""
    if slope == 1 and clamp is None:
        return x
    if x.requires_grad and torch.is_grad_enabled():
        return _Bent.apply(x, slope, clamp)
    y = x if slope == 1 else F.leaky_relu(x, slope)
    return y if clamp is None else _clamped(x, y, clamp)


def _clamped(x: Tensor, y: Tensor, clamp: float) -> Tensor:
    return y.clamp(-clamp, clamp) if y is x else y.clamp_(-clamp, clamp)


def _within(y: Tensor, clamp: float) -> bool:
    """Whether a clamp does nothing: on a CPU that is looked at, for it nearly always is so, and derivatives then cost less."""
    if y.device.type != "cpu" or not y.numel() or torch.compiler.is_compiling():
        return False
    low, high = _in_memory_order(y).aminmax()
    return float(low) > -clamp and float(high) < clamp


def _in_memory_order(y: Tensor) -> Tensor:
    """What is channels-last with its channels last: else PyTorch copies it before it looks for the least and the most."""
    return y.movedim(1, -1) if y.dim() > 2 and y.stride(1) == 1 else y


class _Bent(torch.autograd.Function):
    """Its slopes are told from the result, a constant to its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, clamp: float | None) -> Tensor:
        y = x if slope == 1 else F.leaky_relu(x, slope)
        clamp = None if clamp is None or _within(y, clamp) else clamp
        y = y if clamp is None else _clamped(x, y, clamp)
        ctx.save_for_backward(y)
        ctx.how = slope, clamp
        ctx.set_materialize_grads(False)  # nothing from above stays nothing
        return y.view_as(y) if y is x else y

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        (y,), (slope, clamp) = ctx.saved_tensors, ctx.how
        if g is None:
            return None, None, None
        y = y.detach()
        g = g if slope == 1 else torch.ops.aten.leaky_relu_backward(g, y, slope, True)
        return g if clamp is None else torch.ops.aten.hardtanh_backward(g, y, -clamp, clamp), None, None
