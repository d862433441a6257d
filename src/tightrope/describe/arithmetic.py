"""What a piece of work costs: FLOPs of its convolutions and matrix products, and the bytes that autograd keeps for it.

FLOPs are those of the layer as published, 2 a multiply-add, whatever kernel computes it (`layers.convolution.plain` switches
our faster routes off). Elementwise work is not counted, as is usual. Both work inside `with`, on any torch code:

    with Flops() as flops, Kept() as kept:
        loss().backward()
    flops.total, kept.peak
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten


def _product(a: Tensor, b: Tensor) -> int:
    """(..., n, k) x (k, m) or (b, n, k) x (b, k, m) or (n, k) x (k,)."""
    return 2 * a.numel() * (b.shape[-1] if b.dim() > 1 else 1)


def _convolution(x: Tensor, w: Tensor, y: Tensor, transposed: bool) -> int:
    """Every weight meets every place: of the output, or of the input where the convolution is transposed."""
    places = math.prod((x if transposed else y).shape[2:])
    return 2 * x.shape[0] * places * w.numel()


def _forward(
    x: Tensor, w: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, *_: Any, out: Tensor
) -> int:
    return _convolution(x, w, out, transposed)


def _backward(
    g: Tensor, x: Tensor, w: Tensor, sizes: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, padded: Any,
    groups: int, mask: list[bool], *, out: Any,
) -> int:  # fmt: skip
    return _convolution(x, w, g, transposed) * (int(mask[0]) + int(mask[1]))


COUNTED: dict[Any, Callable[..., int]] = {
    aten.mm: lambda a, b, *, out: _product(a, b),
    aten.bmm: lambda a, b, *, out: _product(a, b),
    aten.mv: lambda a, b, *, out: _product(a, b),
    aten.addmm: lambda c, a, b, *_, out, **__: _product(a, b),
    aten.baddbmm: lambda c, a, b, *_, out, **__: _product(a, b),
    aten.addmv: lambda c, a, b, *_, out, **__: _product(a, b),
    aten.convolution: _forward,
    aten.convolution_backward: _backward,
}


class Flops(TorchDispatchMode):
    """Counts. `total` may be read at any time inside."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func.overloadpacket
        if packet in COUNTED:
            self.total += COUNTED[packet](*args, **{k: v for k, v in kwargs.items() if k != "out"}, out=out)
        elif packet in flop_registry:  # attention
            self.total += flop_registry[packet](*args, **kwargs, out_val=out)
        return out


class _Handle:
    """A tensor that autograd keeps; its end is noticed."""

    def __init__(self, tensor: Tensor, books: Kept) -> None:
        self.tensor, self.books = tensor.detach(), books
        self.place = tensor.untyped_storage().data_ptr()
        books.add(self.place, tensor.untyped_storage().nbytes())

    def __del__(self) -> None:
        self.books.drop(self.place)


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Bytes of the storages that autograd keeps for backward passes: `now`, and at most since `begin`."""

    def __init__(self) -> None:
        super().__init__(lambda tensor: _Handle(tensor, self), lambda handle: handle.tensor)
        self._ignored: set[int] = set()
        self._count: Counter[int] = Counter()
        self._bytes: dict[int, int] = {}
        self.now = self.peak = 0

    def begin(self, ignored: Iterable[Tensor]) -> None:
        """Look for the next peak. `ignored`: tensors whose memory is there anyway (weights)."""
        self._ignored = {tensor.untyped_storage().data_ptr() for tensor in ignored}
        self.peak = self.now

    def add(self, place: int, size: int) -> None:
        """One more graph node keeps this storage."""
        if place in self._ignored:
            return
        self._count[place] += 1
        if self._count[place] == 1:
            self._bytes[place] = size
            self.now += size
            self.peak = max(self.peak, self.now)

    def drop(self, place: int) -> None:
        """One node fewer keeps it."""
        if place not in self._count:
            return
        self._count[place] -= 1
        if not self._count[place]:
            del self._count[place]
            self.now -= self._bytes.pop(place)
