"""Convolutions whose derivatives of every order are of the same three kinds. Axis: N batch, I inputs, O outputs, H W.

A convolution is linear in its pixels and in its weights; its gradient in either is bilinear too, and so on. PyTorch's own double
backward takes a gradient in the weights for a convolution with kernels as large as images, several times slower than the first
backward pass's; these use the kernels of the first one throughout.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Pixels = Float[Tensor, "n i h w"]
Kernel = Float[Tensor, "o i k k"]
_CPU = "cpu"
_PRECISE = (torch.float32, torch.float64)
_WIDE = 64  # from this many inputs and outputs a product of matrices sums gradients in weights faster


def convolution(x: Pixels, weight: Kernel, stride: int = 1, padding: int = 0) -> Float[Tensor, "n o h2 w2"]:
    """`F.conv2d`, in autocast's precision where there is one; of one pixel a plain product."""
    if weight.shape[2:] == (1, 1) and (stride, padding) == (1, 0):
        return F.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0]).permute(0, 3, 1, 2)
    weight = weight.contiguous(memory_format=torch.channels_last)  # once, and not in each of the three directions
    if x.device.type != _CPU or not torch.is_grad_enabled() or not (x.requires_grad or weight.requires_grad):
        return F.conv2d(x, weight, stride=stride, padding=padding)
    dtype = torch.get_autocast_dtype(_CPU) if torch.is_autocast_enabled(_CPU) else x.dtype
    return _Forward.apply(x.to(dtype), weight.to(dtype), stride, padding)


def transposed(x: Float[Tensor, "n o h w"], weight: Kernel, stride: int) -> Float[Tensor, "n i h2 w2"]:
    """`F.conv_transpose2d(x, weight, stride=stride)`: the gradient in the pixels of a convolution by the same weights."""
    weight = weight.contiguous(memory_format=torch.channels_last)
    if x.device.type != _CPU or not torch.is_grad_enabled() or not (x.requires_grad or weight.requires_grad):
        return F.conv_transpose2d(x, weight, stride=stride)
    dtype = torch.get_autocast_dtype(_CPU) if torch.is_autocast_enabled(_CPU) else x.dtype
    size = [(side - 1) * stride + weight.shape[2] for side in x.shape[2:]]
    like = torch.empty(len(x), weight.shape[1], *size, dtype=dtype, device=x.device, memory_format=torch.channels_last)
    return _ToPixels.apply(x.to(dtype), weight.to(dtype), like, (stride, 0))


def _gradient(g: Tensor, x: Tensor, w: Tensor, how: tuple[int, int], of_pixels: bool) -> Tensor:
    """By PyTorch's kernels, where they are the fastest; of x or w that is not asked for the shape alone matters."""
    (stride, padding), wanted = how, [of_pixels, not of_pixels, False]
    if not of_pixels and stride > 1 and padding == 0 and min(w.shape[:2]) >= _WIDE and g.dtype in _PRECISE:
        return _summed(g, x, w.shape[2], stride)
    return torch.ops.aten.convolution_backward(g, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, wanted)[
        0 if of_pixels else 1
    ]


def _summed(g: Tensor, x: Tensor, kernel: int, stride: int) -> Kernel:
    """The gradient in weights of a convolution with strides: an image at a time the product of results and their windows.

    In fp32 at 140 GFLOP/s of a core where PyTorch's has 80 to 95.
    """
    (n, o, h, w), i = g.shape, x.shape[1]
    lines, results = x.permute(0, 2, 3, 1).contiguous(), g.permute(0, 2, 3, 1).reshape(n, h * w, o)
    image, line, pixel, _ = lines.stride()
    shape, strides = (h, w, kernel, kernel, i), (stride * line, stride * pixel, line, pixel, 1)
    total = x.new_zeros(o, kernel * kernel * i)
    for index in range(n):
        total.addmm_(results[index].t(), lines.as_strided(shape, strides, index * image).reshape(h * w, -1))
    return total.view(o, kernel, kernel, i).permute(0, 3, 1, 2)


class _Forward(torch.autograd.Function):
    """y of x and w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.how = stride, padding
        ctx.set_materialize_grads(False)
        return F.conv2d(x, w, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        x, w = ctx.saved_tensors
        if g is None:
            return None, None, None, None
        dx = _ToPixels.apply(g, w, x.detach(), ctx.how) if ctx.needs_input_grad[0] else None
        return dx, _ToWeight.apply(g, x, w.detach(), ctx.how) if ctx.needs_input_grad[1] else None, None, None


class _ToPixels(torch.autograd.Function):
    """The gradient in x, of g and w."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, w: Tensor, like: Tensor, how: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(g, w)
        ctx.how = how
        ctx.set_materialize_grads(False)
        return _gradient(g, like, w, how, True)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> Any:
        g, w = ctx.saved_tensors
        if v is None:
            return None, None, None, None
        dg = _Forward.apply(v, w, *ctx.how) if ctx.needs_input_grad[0] else None
        return dg, _ToWeight.apply(g, v, w.detach(), ctx.how) if ctx.needs_input_grad[1] else None, None, None


class _ToWeight(torch.autograd.Function):
    """The gradient in w, of g and x."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, like: Tensor, how: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(g, x)
        ctx.how = how
        ctx.set_materialize_grads(False)
        return _gradient(g, x, like, how, False)

    @staticmethod
    def backward(ctx: Any, u: Tensor | None) -> Any:
        g, x = ctx.saved_tensors
        if u is None:
            return None, None, None, None
        dg = _Forward.apply(x, u, *ctx.how) if ctx.needs_input_grad[0] else None
        return dg, _ToPixels.apply(g, u, x.detach(), ctx.how) if ctx.needs_input_grad[1] else None, None, None
