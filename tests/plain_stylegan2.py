"""StyleGAN2 as its papers write it, in functions of a state dict: a kernel a sample in one grouped convolution, zeros put between
pixels before a filter is slid over them, equalised weights, nothing fused. Slow, and in whatever precision its arguments have.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN"; what `tightrope.networks.stylegan2` is held against.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


# ---------------------------------------------------------------- pieces
def filtered(x: Tensor, f: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0), gain: float = 1.0) -> Tensor:
    """Zeros between pixels, padding of (before, after) both axes (negative crops), a true convolution, every `down`-th pixel."""
    n, c, h, w = x.shape
    x = F.pad(x.view(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    before, after = pad
    x = F.pad(x, [max(side, 0) for side in (before, after, before, after)])
    x = x[:, :, max(-before, 0) : x.shape[2] - max(-after, 0), max(-before, 0) : x.shape[3] - max(-after, 0)]
    kernel = (f if f.dim() == 2 else torch.outer(f, f)).to(x.dtype).flip(0, 1) * gain
    x = F.conv2d(x, kernel.expand(c, 1, -1, -1), groups=c)
    return x[:, :, ::down, ::down]


def bent(x: Tensor, bias: Tensor | None, activation: str, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    if bias is not None:
        x = x + bias.view(-1, *[1] * (x.dim() - 2))
    x = {"linear": lambda: x, "lrelu": lambda: F.leaky_relu(x, 0.2) * math.sqrt(2), "swish": lambda: F.silu(x) * math.sqrt(2)}[
        activation
    ]()
    x = x * gain
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def convolved(x: Tensor, w: Tensor, f: Tensor, up: int = 1, down: int = 1, groups: int = 1) -> Tensor:
    """A convolution of the same place, with resampling: a transposed one and a filter upwards, a filter and a strided one downwards."""
    k, taps = w.shape[2], f.shape[-1]
    if up == 2:
        before, after = k // 2 + (taps + 1) // 2, k // 2 + (taps - 2) // 2
        if k == 1:
            return filtered(F.conv2d(x, w, groups=groups), f, up=2, pad=(before, after), gain=4)
        split = w.view(groups, -1, *w.shape[1:]).transpose(1, 2).reshape(-1, w.shape[0] // groups, k, k)
        return filtered(F.conv_transpose2d(x, split, stride=2, groups=groups), f, pad=(before + 1 - k, after + 2 - k), gain=4)
    if down == 2:
        pad = k // 2 + (taps - 1) // 2, k // 2 + (taps - 2) // 2
        if k == 1:
            return F.conv2d(filtered(x, f, down=2, pad=pad), w)
        return F.conv2d(filtered(x, f, pad=pad), w, stride=2)
    return F.conv2d(x, w, padding=k // 2, groups=groups)


def modulated(x: Tensor, w: Tensor, styles: Tensor, f: Tensor, up: int = 1, demodulate: bool = True) -> Tensor:
    """A kernel a sample: equations 1 and 3, then one grouped convolution over the whole batch."""
    n, _, h, wd = x.shape
    kernels = w[None] * styles[:, None, :, None, None]
    if demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    y = convolved(x.reshape(1, -1, h, wd), kernels.flatten(0, 1), f, up=up, groups=n)
    return y.view(n, -1, *y.shape[2:])


def connected(s: State, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    w = s[f"{name}.weight"]
    return x @ (w * (rate / math.sqrt(w.shape[1]))).t() + s[f"{name}.bias"] * rate


def normalised(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def mapped(s: State, name: str, z: Tensor | None, c: Tensor | None, activation: str = "lrelu") -> Tensor:
    given = [] if z is None else [normalised(z)]
    if c is not None:
        given.append(normalised(connected(s, f"{name}embed", c)))
    x, index = torch.cat(given, 1), 0
    while f"{name}fc{index}.weight" in s:
        x, index = bent(connected(s, f"{name}fc{index}", x, 0.01), None, activation), index + 1
    return x


# ---------------------------------------------------------------- the generator
def synthesised(s: State, ws: Tensor, kwargs: dict[str, Any], resolution: int, noise: str = "const") -> Tensor:
    """Images of styles (N, L, W)."""
    clamp, activation = kwargs.get("conv_clamp"), kwargs.get("activation", "lrelu")
    architecture, image, x, at, r = kwargs.get("architecture", "skip"), None, None, 0, 4

    def layer(x: Tensor, name: str, w: Tensor, up: int = 1, gain: float = 1.0) -> Tensor:
        y = modulated(x, s[f"{name}.weight"], connected(s, f"{name}.affine", w), s[f"{name}.resample_filter"], up)
        if noise != "none" and f"{name}.noise_const" in s:
            size = y.shape[2]
            drawn = s[f"{name}.noise_const"] if noise == "const" else torch.randn(len(y), 1, size, size, dtype=y.dtype)
            y = y + drawn * s[f"{name}.noise_strength"]
        return bent(y, s[f"{name}.bias"], activation, gain, clamp)

    while r <= resolution:
        b = f"synthesis.b{r}"
        f = s[f"{b}.resample_filter"]
        if x is None:
            x = layer(s[f"{b}.const"].expand(len(ws), -1, -1, -1), f"{b}.conv1", ws[:, 0])
            at = 1
        else:
            skip = None
            if architecture == "resnet":
                w = s[f"{b}.skip.weight"]
                skip = convolved(x, w / math.sqrt(w.shape[1]), f, up=2) * math.sqrt(0.5)
            x = layer(x, f"{b}.conv0", ws[:, at], up=2)
            x = layer(x, f"{b}.conv1", ws[:, at + 1], gain=1.0 if skip is None else math.sqrt(0.5))
            x = x if skip is None else skip + x
            at += 2
        image = image if image is None else filtered(image, f, up=2, pad=((f.shape[-1] + 1) // 2, (f.shape[-1] - 2) // 2), gain=4)
        if f"{b}.torgb.weight" in s:
            w = s[f"{b}.torgb.weight"]
            y = modulated(x, w, connected(s, f"{b}.torgb.affine", ws[:, at]) / math.sqrt(w.shape[1]), f, demodulate=False)
            y = bent(y, s[f"{b}.torgb.bias"], "linear", clamp=clamp)
            image = y if image is None else image + y
        r *= 2
    return image


# ---------------------------------------------------------------- the critic
def judged(s: State, image: Tensor, c: Tensor | None, kwargs: dict[str, Any], resolution: int) -> Tensor:
    """Logits (N, 1)."""
    clamp, architecture, x, r = kwargs.get("conv_clamp"), kwargs.get("architecture", "resnet"), None, resolution
    epilogue = kwargs.get("epilogue_kwargs", {})

    def layer(
        x: Tensor, name: str, down: int = 1, gain: float = 1.0, activation: str = "lrelu", clamp: float | None = clamp
    ) -> Tensor:
        w = s[f"{name}.weight"]
        y = convolved(x, w / math.sqrt(w[0].numel()), s[f"{name}.resample_filter"], down=down)
        return bent(y, s.get(f"{name}.bias"), activation, gain, clamp)

    while r > 4:
        b = f"b{r}"
        f = s[f"{b}.resample_filter"]
        if f"{b}.fromrgb.weight" in s:
            seen = layer(image, f"{b}.fromrgb")
            x = seen if x is None else x + seen
            image = filtered(image, f, down=2, pad=((f.shape[-1] - 1) // 2, (f.shape[-1] - 2) // 2))
        if architecture == "resnet":
            skip = layer(x, f"{b}.skip", down=2, gain=math.sqrt(0.5), activation="linear", clamp=None)
            x = skip + layer(layer(x, f"{b}.conv0"), f"{b}.conv1", down=2, gain=math.sqrt(0.5))
        else:
            x = layer(layer(x, f"{b}.conv0"), f"{b}.conv1", down=2)
        r //= 2
    if architecture == "skip":
        x = x + layer(image, "b4.fromrgb", clamp=None)
    x = with_spread(x, epilogue.get("mbstd_group_size", 4), epilogue.get("mbstd_num_channels", 1))
    x = bent(connected(s, "b4.fc", layer(x, "b4.conv").flatten(1)), None, "lrelu")
    x = connected(s, "b4.out", x)
    if c is None:
        return x
    cmap = mapped(s, "mapping.", None, c)
    return (x * cmap).sum(1, keepdim=True) / math.sqrt(cmap.shape[1])


def with_spread(x: Tensor, group: int, channels: int) -> Tensor:
    """Sample i is compared with i + N / group, i + 2 N / group ..."""
    if not channels:
        return x
    n, c, h, w = x.shape
    group = min(group, n)
    parts = n // group
    spread = torch.empty(n, channels, h, w, dtype=x.dtype)
    for first in range(parts):
        members = x[first::parts]
        for k in range(channels):
            of = members[:, k * c // channels : (k + 1) * c // channels]
            spread[first::parts, k] = (of.var(0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([x, spread], 1)
