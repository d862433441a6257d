"""Fast exact CPU routes for the convolutions of a DCGAN, as drop-in `nn.Conv2d` and `nn.ConvTranspose2d`.

- 4x4, stride 2, padding 1, many channels: PyTorch's forward pass, Winograd's gradients (`winograd`).
- The same with at most four image channels: the transposed direction as one 3x3 convolution to the four
  pixel parities.
- A kernel as large as its input (D's last layer) or on a 1x1 input (G's first): one matrix product.

Each bf16 Winograd product has a rounding error of 0.65 % where PyTorch's has 0.23 %. In the gradients that is
invisible; in the forward pass it would double the distance (1 - cosine) of a step's gradient to the fp32 one.

Small layers, and those without a better route, use PyTorch's own convolution. Double backward (`create_graph=True`) works, by the
same routes for D's layers. `torch.func` transforms do not work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tightrope.networks.layers.winograd import Down, ToInput, Up, reference_backward

_THIN = 4  # at most this many image channels: the route for the first layer of D and the last of G ...
_BROAD = 64  # ... with at least this many on the other side
_DEEP = 128  # from this many channels on both sides Winograd's transforms pay
_TILES, _TILES_WIDE = 64, 256  # ... and from so many 2x2 results in a batch on the filters' (bf16; wider numbers)
_WHOLE = 256  # from this many inputs a kernel as large as its input pays as a matrix product
_routes = True


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Inside, every layer is PyTorch's own convolution: for counting the arithmetic of a network as it was published."""
    global _routes
    _routes, before = False, _routes
    try:
        yield
    finally:
        _routes = before


def fast() -> bool:
    """False inside `plain`."""
    return _routes


def _thin_up_forward(x: Tensor, w: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
    """Transposed convolution to a few channels as one 3x3 convolution to the four pixel parities."""
    (b, _, h, wd), (n, c) = x.shape, w.shape[:2]
    taps = torch.tensor([[3, 1, 4], [4, 2, 0]])  # per parity and neighbour, the filter's index; 4 is zero
    w = F.pad(w.to(x.dtype), (0, 1, 0, 1))[:, :, taps][..., taps]  # n, c, parity, 3, parity, 3
    w = w.permute(2, 4, 1, 0, 3, 5).reshape(4 * c, n, 3, 3).contiguous(memory_format=torch.channels_last)
    y = F.conv2d(x, w, padding=1).permute(0, 2, 3, 1).reshape(b, h, wd, 2, 2 * c)
    return y.transpose(2, 3).reshape(b, 2 * h, 2 * wd, c).permute(0, 3, 1, 2)


class _ThinUp(torch.autograd.Function):
    """conv_transpose2d(x, w, stride=2, padding=1), 4x4, to at most `_THIN` channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.set_materialize_grads(False)
        return _thin_up_forward(x, w)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        if g is None:
            return None, None
        x, w = ctx.saved_tensors
        return reference_backward(g, x, w, True, *ctx.needs_input_grad)


class _ThinDown(torch.autograd.Function):
    """conv2d(x, w, stride=2, padding=1), 4x4, from at most `_THIN` channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.set_materialize_grads(False)
        return F.conv2d(x, w.to(x.dtype), stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Any:
        if g is None:
            return None, None
        x, w = ctx.saved_tensors
        need_x, need_w = ctx.needs_input_grad
        dx = ToInput.apply(g, w, _thin_up_forward, x.shape) if need_x else None
        return dx, reference_backward(g, x, w, False, False, need_w)[1]


# ---------------------------------------------------------------- routes
def _compute_dtype(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _halves(m: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    plain = m.groups == 1 and m.dilation == (1, 1) and getattr(m, "output_padding", (0, 0)) == (0, 0)
    ours = m.kernel_size == (4, 4) and m.stride == (2, 2) and m.padding == (1, 1)
    return plain and ours and m.padding_mode == "zeros"


def _many(x: Tensor, side: int) -> bool:
    """Enough tiles of `side` pixels to be worth the transforms of the filters: a batch of one at 8x8 pixels takes three times as
    long with them as without."""
    least = _TILES if x.dtype == torch.bfloat16 else _TILES_WIDE
    return x.shape[0] * x.shape[2] * x.shape[3] >= least * side**2


def _whole(m: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return m.groups == 1 and m.dilation == (1, 1) and m.padding == (0, 0)


class FastConv2d(nn.Conv2d):
    """`nn.Conv2d` with the routes above; same parameters, same state dict."""

    def forward(self, input: Tensor) -> Tensor:
        if not _routes or input.device.type != "cpu" or input.dim() != 4:
            return super().forward(input)
        x, w = input.to(_compute_dtype(input)), self.weight
        size, (n, c) = tuple(x.shape[2:]), w.shape[:2]
        if _whole(self) and size == self.kernel_size and c >= _WHOLE:
            y = x.permute(0, 2, 3, 1).flatten(1) @ w.permute(0, 2, 3, 1).flatten(1).to(x.dtype).t()
            y = y[..., None, None]
        elif _halves(self) and c <= _THIN and n >= _BROAD and min(size) >= 2 and size[0] % 2 == size[1] % 2 == 0:
            y = _ThinDown.apply(x, w)
        elif _halves(self) and min(n, c) >= _DEEP and min(size) >= 4 and size[0] % 4 == size[1] % 4 == 0 and _many(x, 4):
            y = Down.apply(x, w)
        else:
            return self._conv_forward(input, w, self.bias)  # not the weight again: reading a computed one may change it
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]


class FastConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with the routes above; same parameters, same state dict."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not _routes or input.device.type != "cpu" or input.dim() != 4 or output_size is not None:
            return super().forward(input, output_size)
        x, w = input.to(_compute_dtype(input)), self.weight
        size, (n, c) = tuple(x.shape[2:]), w.shape[:2]
        if _whole(self) and size == (1, 1) and self.output_padding == (0, 0) and c >= _WHOLE:
            y = x.flatten(1) @ w.permute(0, 2, 3, 1).flatten(1).to(x.dtype)
            y = y.view(-1, *self.kernel_size, c).permute(0, 3, 1, 2)
        elif _halves(self) and c <= _THIN and n >= _BROAD:
            y = _ThinUp.apply(x, w)
        elif _halves(self) and min(n, c) >= _DEEP and size[0] % 2 == size[1] % 2 == 0 and _many(x, 2):
            y = Up.apply(x, w)
        else:
            padding, groups = self.padding, self.groups
            return F.conv_transpose2d(input, w, self.bias, self.stride, padding, self.output_padding, groups, self.dilation)  # type: ignore[arg-type]
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]
