"""Winograd's minimal filtering for 4x4 convolutions with stride 2 and padding 1, and their adjoints.

Such a convolution is the sum over the four pixel parities of 2x2 convolutions with stride 1, and those are
computed by F(2x2, 2x2): 9 products instead of 16 (Lavin & Gray 2016, "Fast Algorithms for Convolutional
Neural Networks"). The transforms have the coefficients 0, 1 and -1 only, so the rounding
error grows only moderately (bf16: 0.65 % against 0.23 %). In one dimension, for the inputs d and the filter g,

    V = (d0 - d1, d1, d2 - d1)    U = (g0, g0 + g1, g1)    M = V * U    y = (M0 + M1, M1 + M2)

The transposed convolution and both gradients are adjoints of the same three products and keep the saving.
Everything inside is NHWC; the outputs are channels-last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 1 << 19  # elements of one working block: about 1 MB in bf16, the size of a core's L2 cache


def _blocks(x: Tensor) -> range:
    per_image = x[0].numel()
    return range(0, x.shape[0], max(1, _CHUNK // per_image))


def _differences(x: Tensor, out: Tensor) -> None:
    """One-dimensional input transform: x [3, ...] into out [3, ...]."""
    torch.sub(x[::2], x[1], out=out[::2])
    out[1].copy_(x[1])


def _gather_block(x: Tensor, v: Tensor) -> None:
    """Input transform of a block of images: x [b, H, W, C] into v [3, 3, b, H/4, W/4, 2, 2C]."""
    b, h, w, c = x.shape
    t, s = h // 4, w // 4
    x = F.pad(x.contiguous(), (0, 0, 1, 1, 1, 1))
    image, line, _, _ = x.stride()
    rows = x.new_empty(3, b, t, 2, w + 2, c)
    _differences(x.as_strided(rows.shape, (2 * line, image, 4 * line, line, c, 1)), rows)
    shape, stride = (3, 3, b, t, 2, s, 2 * c), (2 * c, *rows.stride()[:4], 4 * c, 1)
    _differences(rows.as_strided(shape, stride), v.permute(1, 0, 2, 3, 5, 4, 6))


def _gather(x: Tensor) -> Tensor:
    """Input transform: x [B, C, H, W] to V [9, B*H/4*W/4, 4C]."""
    b, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1)
    v = x.new_empty(3, 3, b, h // 4, w // 4, 2, 2 * c)
    blocks = _blocks(x)
    for start in blocks:
        stop = start + blocks.step
        _gather_block(x[start:stop], v[:, :, start:stop])
    return v.view(9, -1, 4 * c)


def _overlap(v: Tensor, out: Tensor) -> None:
    """Adjoint of the one-dimensional input transform: v [3, t, ...] into out [2t + 1, ...]."""
    torch.sub(v[1], v[0] + v[2], out=out[1::2])
    out[0].copy_(v[0, 0])
    out[-1].copy_(v[2, -1])
    if v.shape[1] > 1:
        torch.add(v[0, 1:], v[2, :-1], out=out[2:-1:2])


def _scatter_block(v: Tensor, x: Tensor) -> None:
    """Adjoint of `_gather_block`: v [3, 3, b, t, s, 2, 2C] into x [b, H, W, C]."""
    _, _, b, t, s, _, c2 = v.shape
    rows = v.new_empty(b, 2 * t + 1, 3, s, 2, c2)
    _overlap(v.permute(0, 3, 1, 2, 4, 5, 6), rows.permute(1, 2, 0, 3, 4, 5))
    padded = v.new_empty(b, 2 * t + 1, 2, 2 * s + 1, c2)
    _overlap(rows.permute(2, 3, 0, 1, 4, 5), padded.permute(3, 0, 1, 2, 4))
    x.copy_(padded.view(b, 4 * t + 2, 4 * s + 2, c2 // 2)[:, 1:-1, 1:-1])


def _scatter(v: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Adjoint of `_gather`: V [9, N, 4C] to x of the given shape [B, C, H, W]."""
    b, c, h, w = shape
    v = v.view(3, 3, b, h // 4, w // 4, 2, 2 * c)
    x = v.new_empty(b, h, w, c)
    blocks = _blocks(x)
    for start in blocks:
        stop = start + blocks.step
        _scatter_block(v[:, :, start:stop], x[start:stop])
    return x.permute(0, 3, 1, 2)


def _spread(x: Tensor, out: Tensor) -> Tensor:
    """(a, b) -> (a, a + b, b) on the first two axes: x [2, 2, ...] into out [3, 3, ...]."""
    out[::2, ::2] = x
    torch.add(x[0], x[1], out=out[1, ::2])
    torch.add(out[:, 0], out[:, 2], out=out[:, 1])
    return out


def _collect(x: Tensor, out: Tensor) -> Tensor:
    """Adjoint of `_spread`, (a, b, c) -> (a + b, b + c): x [3, 3, ...] into out [2, 2, ...]."""
    s = x[:2] + x[1:]
    torch.add(s[:, :2], s[:, 1:], out=out)
    return out


def _expand(y: Tensor) -> Tensor:
    """Adjoint of the output transform: y [B, N, h, w] to D [9, B*h/2*w/2, N]."""
    b, n, h, w = y.shape
    tiles = y.permute(0, 2, 3, 1).reshape(b, h // 2, 2, w // 2, 2, n).permute(2, 4, 0, 1, 3, 5)
    return _spread(tiles, y.new_empty(3, 3, b, h // 2, w // 2, n)).view(9, -1, n)


def _fold(m: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Output transform: M [9, N, n] to y of the given shape [B, n, h, w]."""
    b, n, h, w = shape
    y = m.new_empty(b, h // 2, 2, w // 2, 2, n)
    _collect(m.view(3, 3, b, h // 2, w // 2, n), y.permute(2, 4, 0, 1, 3, 5))
    return y.view(b, h, w, n).permute(0, 3, 1, 2)


def _filters(w: Tensor, dtype: torch.dtype) -> Tensor:
    """Filter transform: w [n, C, 4, 4] to U [9, n, 4C]."""
    n, c = w.shape[:2]
    taps = w.permute(0, 2, 3, 1).reshape(n, 2, 2, 2, 2, c).permute(1, 3, 0, 2, 4, 5)
    return _spread(taps, w.new_empty(3, 3, n, 2, 2, c, dtype=dtype)).view(9, n, 4 * c)


def _unfilters(u: Tensor, like: Tensor) -> Tensor:
    """Adjoint of `_filters`: U [9, n, 4C] to a gradient for the weight `like`."""
    n, c = like.shape[:2]
    w = like.new_empty(n, 2, 2, 2, 2, c)
    _collect(u.view(3, 3, n, 2, 2, c), w.permute(1, 3, 0, 2, 4, 5))
    return w.view(n, 4, 4, c).permute(0, 3, 1, 2)


def reference_backward(
    g: Tensor, x: Tensor, w: Tensor, transposed: bool, need_x: bool, need_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients by PyTorch's kernels, differentiable once more."""
    if not (need_x or need_w):
        return None, None
    dx, dw, _ = torch.ops.aten.convolution_backward(
        g, x, w.to(x.dtype), None, [2, 2], [1, 1], [1, 1], transposed, [0, 0], 1, [need_x, need_w, False]
    )
    return dx, None if dw is None else dw.to(w.dtype)


def to_input(g: Tensor, w: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Gradient of conv2d(x, w, stride=2, padding=1) in an x of this shape."""
    return _scatter(torch.bmm(_expand(g), _filters(w, g.dtype)), shape)


def to_weight(g: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """Gradient of conv2d(x, w, stride=2, padding=1) in w."""
    return _unfilters(torch.bmm(_expand(g).mT, _gather(x)), w)


class Down(torch.autograd.Function):
    """conv2d(x, w, stride=2, padding=1), 4x4, with Winograd's products in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.set_materialize_grads(False)  # a double backward pass sends nothing here, not zeros
        return F.conv2d(x, w.to(x.dtype), stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        if g is None:
            return None, None
        x, w = ctx.saved_tensors
        need_x, need_w = ctx.needs_input_grad
        if torch.is_grad_enabled():
            dx = ToInput.apply(g, w, to_input, x.shape) if need_x else None
            return dx, reference_backward(g, x, w, False, False, need_w)[1]
        return to_input(g, w, x.shape) if need_x else None, to_weight(g, x, w) if need_w else None


class ToInput(torch.autograd.Function):
    """The gradient of conv2d(x, w, stride=2, padding=1) in x, `fast`(g, w, shape), as a function of g and w.

    Its own derivatives are products of the same three kinds.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, w: Tensor, fast: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(g, w)
        ctx.deep = fast is to_input
        ctx.set_materialize_grads(False)
        return fast(g, w, shape)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> Any:
        if v is None:
            return None, None, None, None
        (g, w), (need_g, need_w, _, _) = ctx.saved_tensors, ctx.needs_input_grad
        dg = F.conv2d(v, w.to(v.dtype), stride=2, padding=1) if need_g else None
        if ctx.deep and need_w and not torch.is_grad_enabled():
            return dg, to_weight(g, v, w), None, None
        return dg, reference_backward(g, v, w, False, False, need_w)[1], None, None


class Up(torch.autograd.Function):
    """conv_transpose2d(x, w, stride=2, padding=1), 4x4, with Winograd's products in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.set_materialize_grads(False)
        return F.conv_transpose2d(x, w.to(x.dtype), stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        if g is None:
            return None, None
        x, w = ctx.saved_tensors
        need_x, need_w = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return reference_backward(g, x, w, True, need_x, need_w)
        v = _gather(g)
        dx = _fold(torch.bmm(v, _filters(w, g.dtype).mT), x.shape) if need_x else None
        dw = _unfilters(torch.bmm(_expand(x).mT, v), w) if need_w else None
        return dx, dw
