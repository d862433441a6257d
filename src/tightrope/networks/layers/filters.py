"""Resampling of images by FIR filters: zeros between the pixels, padding, a true convolution, and every n-th pixel of it.

Karras et al. 2019 (StyleGAN), section 2, and Zhang 2019, "Making convolutional networks shift-invariant again": images are
resampled by low-pass filters. One depth-wise (transposed) convolution in fp32 a filter, without the zeros; the adjoint of such a
filter is another one, so that derivatives of every order are as fast. Axis: N batch, C channel, H W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError

Images = Float[Tensor, "n c h w"]
Filter = Float[Tensor, "a b"] | Float[Tensor, " a"]
Pair = int | Sequence[int]

_SEPARABLE = 8  # from this many taps two one-dimensional passes are stored instead of their product


class Sampling(NamedTuple):
    """How one axis is resampled: zeros, pixels around (negative: fewer), and steps."""

    up: int
    down: int
    before: int
    after: int

    def length(self, inputs: int, taps: int) -> int:
        """Of what comes out."""
        return (inputs * self.up + self.before + self.after - taps) // self.down + 1

    def adjoint(self, inputs: int, taps: int) -> Sampling:
        """The transposed map, by the turned filter."""
        before = taps - 1 - self.before
        after = (inputs - 1) * self.up + taps - self.length(inputs, taps) * self.down - before
        return Sampling(self.down, self.up, before, after)


def fir(taps: Sequence[float] | Sequence[Sequence[float]] | Tensor | None) -> Filter:
    """A filter of sum 1: of short taps along one axis their product along both, long ones as they are; None is the identity."""
    found = torch.as_tensor([1.0] if taps is None else taps, dtype=torch.float32, device="cpu")  # networks are built on any
    if found.dim() > 2 or found.numel() == 0 or float(found.sum()) == 0:
        raise InputError(
            f"a filter of shape {tuple(found.shape)}, sum {found.sum():g}: give taps of one or two axes, not of sum 0"
        )
    found = found.view(1) if found.dim() == 0 else found
    if found.dim() == 1 and len(found) < _SEPARABLE:
        found = torch.outer(found, found)
    return found / found.sum()


def upfirdn2d(
    x: Images,
    f: Filter | None,
    up: Pair = 1,
    down: Pair = 1,
    padding: Pair = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Images:
    """Zeros between pixels, padding, a true convolution with f, and every `down`-th pixel.

    Args:
        f: of both axes, or of one, for both in turn.
        up, down: of both axes, or of (x, y).
        padding: around the image with its zeros: of all sides, of (x, y), or (left, right, top, bottom); negative crops.
        flip_filter: correlate instead of convolving.
        gain: factor of the result.
    """
    left, right, top, bottom = sides(padding)
    (up_x, up_y), (down_x, down_y) = _pair(up), _pair(down)
    across, along = Sampling(up_x, down_x, left, right), Sampling(up_y, down_y, top, bottom)
    taps = x.new_ones(1, 1) if f is None else f.to(_precise(x.dtype))
    if flip_filter:
        taps = taps.flip(tuple(range(taps.dim())))
    if taps.dim() == 2:
        return _apply(x, taps * gain if gain != 1 else taps, along, across)
    rows = _apply(x, (taps * gain if gain != 1 else taps)[None], Sampling(1, 1, 0, 0), across)
    return _apply(rows, taps[:, None], along, Sampling(1, 1, 0, 0))


def upsample2d(x: Images, f: Filter, up: int = 2) -> Images:
    """`up` times the size and the same brightness."""
    return upfirdn2d(x, f, up=up, padding=_around(f, up, 1), gain=up * up)


def downsample2d(x: Images, f: Filter, down: int = 2) -> Images:
    """1 / `down` of the size."""
    return upfirdn2d(x, f, down=down, padding=_around(f, 1, down))


def filter2d(x: Images, f: Filter) -> Images:
    """The same size."""
    return upfirdn2d(x, f, padding=_around(f, 1, 1))


def sides(padding: Pair) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of a number, of (x, y), or of all four."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:
        return padding[0], padding[0], padding[1], padding[1]
    left, right, top, bottom = padding
    return left, right, top, bottom


def centred(taps: int, up: int, down: int) -> tuple[int, int]:
    """Padding before and after an axis that keeps the picture in its place."""
    if up > 1:
        return (taps + up - 1) // 2, (taps - up) // 2
    return (taps - down + 1) // 2, (taps - down) // 2


def _around(f: Filter, up: int, down: int) -> tuple[int, int, int, int]:
    if up == down == 1:
        return tuple(side for taps in (f.shape[-1], f.shape[0]) for side in (taps // 2, (taps - 1) // 2))  # type: ignore[return-value]
    return *centred(f.shape[-1], up, down), *centred(f.shape[0], up, down)


def _pair(of: Pair) -> tuple[int, int]:
    return (of, of) if isinstance(of, int) else (of[0], of[1])


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _apply(x: Images, f: Float[Tensor, "a b"], along: Sampling, across: Sampling) -> Images:
    if x.requires_grad and torch.is_grad_enabled():
        return _Filtered.apply(x, f, along, across)
    return _filtered(x, f, along, across)


class _Filtered(torch.autograd.Function):
    """`_filtered`, whose derivative is itself with another filter and sampling."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: Tensor, along: Sampling, across: Sampling) -> Tensor:
        ctx.save_for_backward(f)
        ctx.adjoint = along.adjoint(x.shape[2], f.shape[0]), across.adjoint(x.shape[3], f.shape[1])
        ctx.set_materialize_grads(False)
        return _filtered(x, f, along, across)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        (f,) = ctx.saved_tensors
        return None if g is None else _apply(g, f.flip(0, 1), *ctx.adjoint), None, None, None


def _filtered(x: Images, f: Float[Tensor, "a b"], along: Sampling, across: Sampling) -> Images:
    """By PyTorch's depth-wise convolutions: transposed where there are zeros between pixels."""
    with torch.autocast(x.device.type, enabled=False):
        y = x.to(f.dtype)
        if along.up == across.up == 1:
            return _decimated(y, f, along, across).to(x.dtype)
        return _interpolated(y, f, along, across).to(x.dtype)


def _decimated(x: Images, f: Float[Tensor, "a b"], along: Sampling, across: Sampling) -> Images:
    padding = (along.before, across.before)
    if along.before != along.after or across.before != across.after or min(padding) < 0:
        x, padding = F.pad(x, (across.before, across.after, along.before, along.after)), (0, 0)
    return F.conv2d(x, _each(f.flip(0, 1), x), None, (along.down, across.down), padding, groups=x.shape[1])


def _interpolated(x: Images, f: Float[Tensor, "a b"], along: Sampling, across: Sampling) -> Images:
    """The whole convolution is longer than what is asked for, or shorter: cropped, or padded."""
    crops = [side for axis, taps in ((across, f.shape[1]), (along, f.shape[0])) for side in _crops(axis, taps)]
    right, bottom = max(0, min(crops[:2])), max(0, min(crops[2:]))
    y = F.conv_transpose2d(x, _each(f, x), None, (along.up, across.up), (bottom, right), groups=x.shape[1])
    rest = [right - crops[0], right - crops[1], bottom - crops[2], bottom - crops[3]]
    y = F.pad(y, rest) if any(rest) else y
    return y if along.down == across.down == 1 else y[:, :, :: along.down, :: across.down]


def _crops(axis: Sampling, taps: int) -> tuple[int, int]:
    """What the whole convolution has too much on both sides."""
    return taps - 1 - axis.before, taps - axis.up - axis.after


def _each(f: Float[Tensor, "a b"], x: Images) -> Float[Tensor, "c 1 a b"]:
    return f.expand(x.shape[1], 1, *f.shape)
