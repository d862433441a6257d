"""Instance normalisation: each channel of each sample over its pixels (Ulyanov et al. 2016). Axis: N, C, H W pixels.

    y = (x - m) r,   r = 1 / sqrt(var + eps)          dx = r (g - mean g - y mean(g y))

PyTorch's own has wrong gradients on a CPU, without a word, for a batch of one whose gradient is channels-last: its backward pass
reads the gradient as if it lay like the input. CycleGAN and pix2pix train on batches of one. Here forward and backward pass are
PyTorch's kernels that are right and fast for where the pixels lie (group normalisation; batch normalisation, which is the same
thing on one sample), on a gradient that is brought to the input's layout first.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError

Maps = Float[Tensor, "n c h w"]
MOMENTUM = 0.1  # of running statistics, PyTorch's
MANY = (
    1 << 16
)  # pixels from which on PyTorch's group normalisation, which adds them up in a row, loses digits: 1 % on 2 megapixels


def normalised(x: Maps, eps: float = 1e-5) -> Maps:
    """(x - m) / sqrt(var + eps), over the pixels.

    Raises:
        InputError: there is one pixel, which would become 0 whatever it was.
    """
    if x.shape[2] * x.shape[3] == 1:
        raise InputError("instance normalisation of a single pixel is always 0: give the network a larger image.")
    if x.device.type != "cpu":
        return F.instance_norm(x, eps=eps)
    if x.requires_grad and torch.is_grad_enabled():
        return _Normalised.apply(x, eps)
    if len(x) == 1 and _channels_last(x) and x.shape[2] * x.shape[3] > MANY:
        gain, shift = _units(x)
        var, mean = torch.var_mean(x.to(gain.dtype), (0, 2, 3), correction=0)
        return F.batch_norm(x, mean, var, gain, shift, eps=eps)
    return F.group_norm(x, x.shape[1], *_units(x), eps)


def _units(x: Maps) -> tuple[Tensor, Tensor]:
    """A gain of 1 and a shift of 0. They are wide, and so are then the moments that PyTorch takes of narrow pixels."""
    gain = torch.ones(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    return gain, torch.zeros_like(gain)


def _channels_last(x: Maps) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


class _Normalised(torch.autograd.Function):
    """`normalised` on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Maps, eps: float) -> Maps:
        x = x if _channels_last(x) else x.contiguous()
        n, c, h, w = x.shape
        gain, shift = _units(x)
        if n == 1 and _channels_last(x):
            y, mean, rate = torch.native_batch_norm(x, gain, shift, None, None, True, 0.0, eps)
        else:
            y, mean, rate = torch.native_group_norm(x, gain, shift, n, c, h * w, c, eps)
        ctx.save_for_backward(x, mean, rate)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return y

    @staticmethod
    def backward(ctx: Any, g: Maps | None) -> Any:
        if g is None:
            return None, None
        x, mean, rate = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody wants the derivative of this one
            return _slope(x, g, ctx.eps), None
        (n, c, h, w), gain = x.shape, _units(x)[0]
        if not _channels_last(x):
            g = g.contiguous()
            return torch.ops.aten.native_group_norm_backward(g, x, mean, rate, gain, n, c, h * w, c, [True, False, False])[
                0
            ], None
        g = g.contiguous(memory_format=torch.channels_last)
        if n == 1:
            only = [True, False, False]
            return torch.ops.aten.native_batch_norm_backward(g, x, gain, None, None, mean, rate, True, ctx.eps, only)[0], None
        return _affine_slope(x, g, mean.view(n, c, 1, 1), rate.view(n, c, 1, 1)), None


def _slope(x: Maps, g: Maps, eps: float) -> Maps:
    """dx of the module's header in plain arithmetic, which autograd follows to any order."""
    wide, over = torch.promote_types(x.dtype, torch.float32), (2, 3)
    centred = x.to(wide) - x.to(wide).mean(over, keepdim=True)
    rate = torch.rsqrt(centred.square().mean(over, keepdim=True) + eps)
    y, g = centred * rate, g.to(wide)
    return (rate * (g - g.mean(over, keepdim=True) - y * (g * y).mean(over, keepdim=True))).to(x.dtype)


def _affine_slope(x: Maps, g: Maps, mean: Tensor, rate: Tensor) -> Maps:
    """dx = r g - a x + b with numbers a, b for each channel of each sample: three passes over the pixels.

    PyTorch's backward pass of group normalisation takes twenty times as long on several bf16 samples that are channels-last.
    """
    wide = mean.dtype
    of_g = g.mean((2, 3), keepdim=True, dtype=wide)
    of_gy = ((g.to(wide) * x).mean((2, 3), keepdim=True) - of_g * mean) * rate
    a = rate.square() * of_gy
    return torch.addcmul(torch.addcmul(a * mean - rate * of_g, x.to(wide), -a), g.to(wide), rate).to(x.dtype)


class InstanceNorm2d(nn.Module):
    """Instance normalisation as a layer, with PyTorch's names.

    Args:
        affine: with a gain and a shift a channel.
        tracked: keep running moments in training and normalise by them outside of it, as batch normalisation does. Networks of
            CycleGAN were trained so for a while in 2018.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, affine: bool = False, tracked: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels, self.tracked, self.eps = channels, tracked, eps
        self.held: tuple[Tensor, Tensor] | None = None  # mean and variance of a whole of which parts are given
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        if tracked:
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))
            self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Maps) -> Maps:
        if self.tracked and not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if self.held is not None:
            mean, var = (value.to(x.dtype) for value in self.held)
            return F.batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)
        if self.tracked:
            self._track(x.detach())
        y = normalised(x, self.eps)
        if self.weight is None or self.bias is None:
            return y
        gain, shift = (value.to(y.dtype)[:, None, None] for value in (self.weight, self.bias))
        return torch.addcmul(shift, y, gain)

    def _track(self, x: Maps) -> None:
        """Means over the batch of the moments of its samples; the variance is the unbiased one."""
        var, mean = torch.var_mean(x.to(self.running_mean.dtype), (2, 3))
        self.running_mean.lerp_(mean.mean(0), MOMENTUM)
        self.running_var.lerp_(var.mean(0), MOMENTUM)

    def extra_repr(self) -> str:
        return f"{self.channels}, affine={self.weight is not None}, tracked={self.tracked}"
