"""Rectifiers for critics with a gradient penalty. Their second derivative is zero, and is left out instead of being computed.

PyTorch's own send a gradient of zeros through all layers below on every double backward pass: a quarter of the work of R1 on a
deep critic. These have the same values and derivatives of every order.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class _Rectified(torch.autograd.Function):
    """max(x, slope x); the slopes are told from the sign of the result, which is a constant to its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        y = F.leaky_relu(x, slope) if slope else F.relu(x)
        ctx.save_for_backward(y)
        ctx.slope = slope
        ctx.set_materialize_grads(False)  # nothing from above stays nothing
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        if g is None:
            return None, None
        (y,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(g, y.detach(), ctx.slope, True), None


def rectified(x: Tensor, slope: float = 0.0) -> Tensor:
    """max(x, slope x) with 0 <= slope < 1: `F.relu(x)`, `F.leaky_relu(x, slope)`."""
    if not (x.requires_grad and torch.is_grad_enabled()):
        return F.leaky_relu(x, slope) if slope else F.relu(x)
    return _Rectified.apply(x, slope)
