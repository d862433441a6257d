"""A critic's logits together with their gradient in the input, as one autograd function: what gradient penalties need, exactly.

For a stack of affine maps and (leaky) rectifiers, D(x) is affine wherever no rectifier changes sides. With a_l the activations,
u_l = d logit / d (map l's output), s the loss's derivative in the logits and v_0 its derivative in the input's gradient,

    forward    a_l = leaky(W_l a_(l-1) + b_l)         u_(l-1) = leaky'(a_(l-1)) W_l^T u_l        gradient = W_1^T u_1
    backward   v_l = leaky'(a_l) W_l v_(l-1)          d W_l = u_l (s a_(l-1) + v_(l-1))^T        d b_l = s u_l

(Drucker & Le Cun 1992, "Improving generalization performance using double backpropagation", have the recurrence for v.) That is
four products a layer. Twice differentiated by autograd, with a loss on the logits besides, there are eight: the loss sends a
second gradient through the same maps (it is s u_l), weights have two gradients each, and a rectifier's second derivative, zero
everywhere, is sent down to the input. The routes of `convolution` serve here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.layers import convolution, winograd
from tightrope.networks.layers.convolution import FastConv2d


class _Affine(Protocol):
    """An affine map in the directions that are needed: x its input, u the derivative in its output."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor: ...

    def to_input(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor: ...

    def to_weight(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor: ...


class _Linear:
    """A linear layer on flat samples."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return F.linear(x.flatten(1), w, b)

    def to_input(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return (u @ w).view(x.shape)

    def to_weight(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return u.t() @ x.flatten(1)


class _Whole:
    """A convolution whose kernel is as large as its input: the same in the order in which channels-last samples lie."""

    def forward(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return F.linear(_flat(x), _flat(w), b)[..., None, None]

    def to_input(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return _shaped(u.flatten(1) @ _flat(w), x)

    def to_weight(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return _shaped(u.flatten(1).t() @ _flat(x), w)


class _Convolution(NamedTuple):
    """A convolution by PyTorch's kernels, or the faster ones for 4x4 kernels with stride 2."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int
    halves: bool

    def forward(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return F.conv2d(x, w, b, self.stride, self.padding, self.dilation, self.groups)

    def to_input(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        if self.halves and w.shape[1] <= convolution._THIN and w.shape[0] >= convolution._BROAD:
            return convolution._thin_up_forward(u, w)
        if self._deep(x, w):
            return winograd.to_input(u, w, x.shape)
        return self._kernels(u, x, w, True)

    def to_weight(self, u: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return winograd.to_weight(u, x, w) if self._deep(x, w) else self._kernels(u, x, w.to(x.dtype), False)

    def _deep(self, x: Tensor, w: Tensor) -> bool:
        fits = x.shape[2] % 4 == x.shape[3] % 4 == 0
        return self.halves and fits and min(w.shape[:2]) >= convolution._DEEP

    def _kernels(self, u: Tensor, x: Tensor, w: Tensor, of_input: bool) -> Tensor:
        how = (self.stride, self.padding, self.dilation, False, [0, 0], self.groups, [of_input, not of_input, False])
        return torch.ops.aten.convolution_backward(u, x, w, None, *how)[0 if of_input else 1]


def _flat(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, D), a view of what is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _shaped(flat: Tensor, like: Tensor) -> Tensor:
    """The reverse of `_flat`."""
    _, c, h, w = like.shape
    return flat.view(-1, h, w, c).permute(0, 3, 1, 2)


class _Step(NamedTuple):
    """An affine map and the slope of the rectifier behind it; None behind the last."""

    layer: nn.Conv2d | nn.Linear
    slope: float | None


def _steps(layers: Iterable[nn.Module]) -> list[_Step] | None:
    """The stack's steps, or None where it holds anything but plain affine maps and rectifiers with one logit at the end."""
    steps: list[_Step] = []
    for layer in layers:
        kind = type(layer)
        if kind in (nn.Conv2d, FastConv2d, nn.Linear):
            if (steps and steps[-1].slope is None) or getattr(layer, "padding_mode", "zeros") != "zeros":
                return None
            steps.append(_Step(layer, None))  # type: ignore[arg-type]
        elif kind in (nn.LeakyReLU, nn.ReLU) and steps and steps[-1].slope is None:
            slope = layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
            steps[-1] = steps[-1]._replace(slope=slope)
        elif kind not in (nn.Identity, nn.Flatten) and not (kind is nn.Dropout and not (layer.training and layer.p)):
            return None
    return steps if steps and steps[-1].slope is None and len(steps[-1].layer.weight) == 1 else None


def _direction(layer: nn.Conv2d | nn.Linear, x: Tensor) -> _Affine:
    if isinstance(layer, nn.Linear):
        return _Linear()
    if convolution._whole(layer) and tuple(x.shape[2:]) == layer.kernel_size:
        return _Whole()
    even = x.shape[2] % 2 == x.shape[3] % 2 == 0
    halves = convolution.fast() and convolution._halves(layer) and even and x.device.type == "cpu"
    stride, padding, dilation = (list(of) for of in (layer.stride, layer.padding, layer.dilation))
    return _Convolution(stride, padding, dilation, layer.groups, halves)  # type: ignore[arg-type]


class _WithGradient(torch.autograd.Function):
    """(x, steps, compute dtype, weights and biases in turn) -> logits (N,) and their gradient in x, both in fp32 or wider."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steps: list[_Step], dtype: torch.dtype, *parameters: Tensor | None) -> Any:
        cast = [None if p is None else p.to(dtype) for p in parameters]
        weights: list[Any] = cast[::2]
        now, activations, affine = x.to(dtype), [], []
        for step, w, b in zip(steps, weights, cast[1::2], strict=True):
            activations.append(now)
            affine.append(_direction(step.layer, now))
            now = affine[-1].forward(now, w, b)
            if step.slope is not None:
                now = F.leaky_relu_(now, step.slope)
        u, ascents = torch.ones_like(now), []
        for index in reversed(range(len(steps))):
            ascents.append(u)
            u = affine[index].to_input(u, activations[index], weights[index])
            if index:
                u = _bent(u, activations[index], steps[index - 1].slope)
        ctx.steps, ctx.affine = steps, affine
        ctx.save_for_backward(*activations, *reversed(ascents), *weights, *parameters)
        ctx.set_materialize_grads(False)
        wide = torch.promote_types(dtype, torch.float32)
        return now.flatten().to(wide), u.to(wide)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, s: Tensor | None, v: Tensor | None) -> Any:
        count, saved = len(ctx.steps), ctx.saved_tensors
        if s is None and v is None:
            return None, None, None, *[None] * (2 * count)
        activations, ascents, weights = saved[:count], saved[count : 2 * count], saved[2 * count : 3 * count]
        parameters, found = saved[3 * count :], []
        v = None if v is None else v.to(activations[0].dtype)
        for index, (x, u, w) in enumerate(zip(activations, ascents, weights, strict=True)):
            whole, bias = parameters[2 * index : 2 * index + 2]
            found.append(ctx.affine[index].to_weight(u, _mixed(s, x, v), whole).to(whole.dtype))
            found.append(None if s is None or bias is None else (s @ _summed(u, s.dtype)).to(bias.dtype))
            if v is not None and index < count - 1:
                v = _bent(ctx.affine[index].forward(v, w), activations[index + 1], ctx.steps[index].slope)
        return None, None, None, *found


def _mixed(s: Tensor | None, x: Tensor, v: Tensor | None) -> Tensor:
    """s x + v, where what is missing is 0."""
    if s is None:
        assert v is not None
        return v
    scale = s.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
    return x * scale if v is None else torch.addcmul(v, x, scale)


def _bent(u: Tensor, activation: Tensor, slope: float | None) -> Tensor:
    """u times the rectifier's slope, which is told from the sign of its output."""
    return torch.ops.aten.leaky_relu_backward(u, activation, slope, True)


def _summed(u: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, C, H, W) or (N, C) to (N, C)."""
    return u.sum((2, 3), dtype=dtype) if u.dim() == 4 else u.to(dtype)


def with_gradient(layers: Iterable[nn.Module], x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, " n"], Tensor] | None:
    """Logits and their gradient in x, ready for a loss on both; None where the stack is of another kind or x has a graph.

    Differentiable once, in the weights.
    """
    steps = None if x.requires_grad else _steps(layers)
    if steps is None:
        return None
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    parameters = [p for step in steps for p in (step.layer.weight, step.layer.bias)]
    return _WithGradient.apply(x, steps, dtype, *parameters)
