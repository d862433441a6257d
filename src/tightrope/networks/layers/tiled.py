"""3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the products. Axis: N batch, T tiles of 4x4, I inputs, O outputs, H W.

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", section 4: of 6x6 windows, 4 pixels apart, 36 combinations
are taken (B^T d B), likewise of the kernel (G g G^T); the 4x4 results are combinations of their products (A^T m A). Windows and
results are linear maps whose derivatives are their adjoints; between them is a matrix product, so that derivatives of every order
have the same speed. The rounding error is about six times that of a plain convolution: fp32 or wider alone.

A `border` is how many pixels of 0 are set around the pixels first: 1, or 0 where they bring a border of one pixel of their own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers import convolution

Pixels = Float[Tensor, "n i h w"]
Kernel = Float[Tensor, "o i 3 3"]
Net = TypeVar("Net", bound=nn.Module)

_B = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_G = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # / 24
_A = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_WIDE = 128  # from this many inputs and outputs, on average, the products saved outweigh the combinations
_TILES = 32  # and from this many tiles in a batch the kernel's


def worth(x: Pixels, weight: Kernel, border: int = 1) -> bool:
    """Whether it is faster than a plain convolution here, and possible."""
    (o, i, height, width), (n, h, w) = weight.shape, _size(x.shape, border)
    fits = height == width == 3 and h % 4 == w % 4 == 0 and h > 0
    exact = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    wanted = convolution.fast() and not torch.compiler.is_compiling()
    return wanted and fits and exact and o * i >= _WIDE**2 and n * h * w >= 16 * _TILES


def _size(shape: tuple[int, ...], border: int) -> tuple[int, int, int]:
    """(N, H, W) of the results of pixels of this shape."""
    n, _, h, w = shape
    return n, h + 2 * border - 2, w + 2 * border - 2


class TiledConv2d(nn.Conv2d):
    """A 3x3 `nn.Conv2d` of stride 1, padded by 1 or by nothing, which in training takes this route where it is worth it.

    Outside of training results are PyTorch's own, to the bit, unless it is `hastened`.
    """

    always = False

    def forward(self, input: Pixels) -> Float[Tensor, "n o h w"]:
        border = self.padding[0]
        assert isinstance(border, int)
        learns = self.training and torch.is_grad_enabled()
        if not (learns or self.always) or not worth(input, self.weight, border):
            return super().forward(input)
        y = correlated(input, self.weight, border)
        return y if self.bias is None else y + self.bias[:, None, None]


def hastened(net: Net) -> Net:
    """The network, ready for pictures by the thousand: its convolutions take this route always, its weights are channels-last."""
    for layer in net.modules():
        if isinstance(layer, TiledConv2d):
            layer.always = True
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def correlated(x: Pixels, weight: Kernel, border: int = 1) -> Float[Tensor, "n o h w"]:
    """`F.conv2d(x, weight, padding=border)`."""
    taps = weight.permute(2, 3, 1, 0).reshape(9, -1)
    kernel = (_square(_G, weight, 24) @ taps).view(36, weight.shape[1], weight.shape[0])
    return _Results.apply(torch.bmm(_Windows.apply(x, border), kernel), _size(x.shape, border))


def _square(rows: list[list[int]], like: Tensor, divisor: int = 1) -> Float[Tensor, "a*a b*b"]:
    """Of combinations along one axis those along both."""
    return _cached(tuple(map(tuple, rows)), divisor).to(like)


@lru_cache
def _cached(rows: tuple[tuple[int, ...], ...], divisor: int) -> Tensor:
    one = torch.tensor(rows, dtype=torch.float64) / divisor
    return torch.kron(one, one)


class _Windows(torch.autograd.Function):
    """(N, I, H, W) to the combinations of windows (36, N T, I)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, border: int) -> Tensor:
        ctx.shape, ctx.border = x.shape, border
        return _windows(x, border)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Spread.apply(g, ctx.shape, ctx.border), None


class _Spread(torch.autograd.Function):
    """The adjoint of `_Windows`."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, shape: tuple[int, ...], border: int) -> Tensor:
        ctx.border = border
        return _spread(v, shape, border)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Windows.apply(g, ctx.border), None, None


class _Results(torch.autograd.Function):
    """Products (36, N T, O) to pixels (N, O, H, W); `shape` is (N, H, W)."""

    @staticmethod
    def forward(ctx: Any, m: Tensor, shape: tuple[int, ...]) -> Tensor:
        return _results(m, shape)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Gathered.apply(g), None


class _Gathered(torch.autograd.Function):
    """The adjoint of `_Results`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.shape = _size(y.shape, 1)
        return _gathered(y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Results.apply(g, ctx.shape)


# ---------------------------------------------------------------- an image at a time: what is combined stays in the cache
def _lines(x: Tensor) -> Tensor:
    """(N, H, W, C), a view of what is channels-last."""
    return x.permute(0, 2, 3, 1).contiguous()


def _windows(x: Tensor, border: int) -> Tensor:
    c, (n, h, w) = x.shape[1], _size(x.shape, border)
    lines, padded = x.permute(0, 2, 3, 1), x.new_zeros(h + 2, w + 2, c)
    line, pixel, _ = padded.stride()
    combine, out = _square(_B, x), x.new_empty(36, n, h * w // 16 * c)
    windows = padded.as_strided((6, 6, h // 4, w // 4, c), (line, pixel, 4 * line, 4 * pixel, 1))
    for index in range(n):
        _inside(padded, border).copy_(lines[index])
        torch.mm(combine, windows.reshape(36, -1), out=out[:, index])
    return out.view(36, -1, c)


def _spread(v: Tensor, shape: tuple[int, ...], border: int) -> Tensor:
    c, (n, h, w) = shape[1], _size(shape, border)
    th, tw = h // 4, w // 4
    combine, v = _square(_B, v).t(), v.reshape(36, n, -1)
    out, padded = v.new_empty(n, *shape[2:], c), v.new_empty(th + 1, 4, tw + 1, 4, c)
    for index in range(n):
        of = torch.mm(combine, v[:, index]).view(6, 6, th, tw, c).permute(2, 0, 3, 1, 4)
        padded.zero_()  # windows overlap by two lines and two columns
        padded[:th, :, :tw] = of[:, :4, :, :4]
        padded[1:, :2, :tw] += of[:, 4:, :, :4]
        padded[:th, :, 1:, :2] += of[:, :4, :, 4:]
        padded[1:, :2, 1:, :2] += of[:, 4:, :, 4:]
        out[index] = _inside(padded.view(h + 4, w + 4, c)[: h + 2, : w + 2], border)
    return out.permute(0, 3, 1, 2)


def _inside(padded: Tensor, border: int) -> Tensor:
    return padded[border : len(padded) - border, border : padded.shape[1] - border]


def _results(m: Tensor, shape: tuple[int, ...]) -> Tensor:
    n, h, w = shape
    combine, m, o = _square(_A, m), m.reshape(36, n, -1), m.shape[2]
    out = m.new_empty(n, h // 4, 4, w // 4, 4, o)
    for index in range(n):
        out[index] = torch.mm(combine, m[:, index]).view(4, 4, h // 4, w // 4, o).permute(2, 0, 3, 1, 4)
    return out.view(n, h, w, o).permute(0, 3, 1, 2)


def _gathered(y: Tensor) -> Tensor:
    n, o, h, w = y.shape
    combine, out = _square(_A, y).t(), y.new_empty(36, n, h * w // 16 * o)
    tiles = _lines(y).view(n, h // 4, 4, w // 4, 4, o)
    for index in range(n):
        torch.mm(combine, tiles[index].permute(1, 3, 0, 2, 4).reshape(16, -1), out=out[:, index])
    return out.view(36, -1, o)
