"""StyleGAN3's generator: moves (T) and turns (R) images. Axis: N batch, C channel, H W, L layer, W style, Z latent, K class.

Karras et al. 2021, "Alias-free generative adversarial networks": an image is a function of the plane, begun from waves
(section 3.1) and drawn by layers that keep its bandwidth in bounds (`layers.filtered`; plan of the layers: `stylegan3_plan`).
Written from the paper; parameters and arguments have the published names, so that published weights load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes
from tightrope.core.errors import InputError
from tightrope.networks.layers.equalised import EqualisedLinear
from tightrope.networks.layers.filtered import filtered_lrelu, low_pass
from tightrope.networks.mapping import MappingNetwork
from tightrope.networks.shapes import widened
from tightrope.networks.stylegan3_plan import Band, Layer, StyleGAN3Plan

MAPPING = {"num_layers": 2, "w_avg_beta": 0.998, "always_averages": False}


class FourierInput(nn.Module):
    """Waves of a circular band of frequencies, moved and turned by the style, mixed by a matrix (section 3.1 and F.1).

    A unit of length is the side of the image, and the origin its centre.

    Args:
        w_dim: W.
        band: its frequencies, channels, samples a unit of length and pixels.

    Attributes:
        transform: takes places of the canvas to places of the waves, (3, 3); set it to move the image.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, w_dim: int, band: Band) -> None:
        super().__init__()
        self.size, self.rate, self.cutoff = band.size, band.rate, band.cutoff
        angle = 2 * math.pi * torch.rand(band.channels)
        radius = band.cutoff * torch.rand(band.channels).sqrt()  # uniform over the disc
        self.weight = nn.Parameter(torch.randn(band.channels, band.channels))
        self.affine = EqualisedLinear(w_dim, 4, gain=1.0)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1))
        self.register_buffer("phases", torch.rand(band.channels) - 0.5)

    def forward(self, w: Float[Tensor, "n w"]) -> Float[Tensor, "n c h w"]:
        with torch.autocast(w.device.type, enabled=False):
            to_waves = self._moved(w.to(self.weight.dtype))
            phases = self.phases + (self.freqs @ to_waves[:, :2, 2:]).squeeze(2)
            freqs = self.freqs @ to_waves[:, :2, :2]
            # a transform that shrinks may bring a wave beyond what the grid holds: it fades out before
            height = 1 - (torch.linalg.vector_norm(freqs, dim=2) - self.cutoff) / (self.rate / 2 - self.cutoff)
            x = torch.sin(2 * math.pi * (self._places() @ freqs.mT + phases[:, None])) * height.clamp(0, 1)[:, None]
            x = x @ (self.weight / math.sqrt(len(self.weight))).t()
            return x.mT.unflatten(2, (self.size, self.size))

    def _moved(self, w: Float[Tensor, "n w"]) -> Float[Tensor, "n 3 3"]:
        """Translation, then rotation, by what the style says, behind `transform`."""
        said = self.affine(w)
        c, s, x, y = (said / torch.linalg.vector_norm(said[:, :2], dim=1, keepdim=True)).unbind(1)
        one, zero = torch.ones_like(c), torch.zeros_like(c)
        turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).view(-1, 3, 3)
        return turn @ shift @ self.transform

    def _places(self) -> Float[Tensor, "hw 2"]:
        """(x, y) of each pixel's centre."""
        along = (torch.arange(self.size, device=self.freqs.device, dtype=self.freqs.dtype) + 0.5 - self.size / 2) / self.rate
        return torch.stack(torch.meshgrid(along, along, indexing="xy"), 2).flatten(0, 1)


class FilteredLayer(nn.Module):
    """A convolution whose inputs are scaled by the style, then the non-linearity that does not alias (section 3.2, figure 4b).

    Args:
        w_dim: W.
        layer: of the plan.
        clamp: bound of the non-linearity's values; None is none.
        beta: decay of the running mean of the input's square, whose root the input is divided by.
    """

    up_filter: Tensor | None
    down_filter: Tensor | None
    magnitude_ema: Tensor

    def __init__(self, w_dim: int, layer: Layer, clamp: float | None, beta: float) -> None:
        super().__init__()
        self.layer, self.clamp, self.beta = layer, clamp, beta
        self.affine = EqualisedLinear(w_dim, layer.inputs, gain=1.0)
        nn.init.ones_(self.affine.bias)
        self.weight = nn.Parameter(torch.randn(layer.outputs, layer.inputs, layer.kernel, layer.kernel))
        self.bias = nn.Parameter(torch.zeros(layer.outputs))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("up_filter", low_pass(layer.up_taps, *layer.up_band))
        self.register_buffer("down_filter", low_pass(layer.down_taps, *layer.down_band, radial=layer.radial))

    def forward(
        self, x: Float[Tensor, "n i h w"], w: Float[Tensor, "n w"], *, update_emas: bool = False
    ) -> Float[Tensor, "n o h2 w2"]:
        if update_emas:
            self._measure(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, into, out = self._modulation(w.to(self.weight.dtype))
            x = x * (into * self.magnitude_ema.rsqrt()).to(x.dtype)[:, :, None, None]
        x = F.conv2d(x, weight, padding=self.layer.kernel - 1)
        if out is not None:
            x = x * out[:, :, None, None]  # fp32 again, for the filters
        gain, slope = (1.0, 1.0) if self.layer.to_image else (math.sqrt(2), 0.2)
        return filtered_lrelu(
            widened(x), self.up_filter, self.down_filter, self.bias,
            up=self.layer.up, down=self.layer.down, padding=self.layer.padding,
            gain=gain, slope=slope, clamp=self.clamp,
        )  # fmt: skip

    def _modulation(self, w: Float[Tensor, "n w"]) -> tuple[Tensor, Float[Tensor, "n i"], Float[Tensor, "n o"] | None]:
        """The weight, what scales its inputs, and what brings its outputs back to unit size: a weight a sample is one weight for
        inputs and outputs that are scaled (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
        equations 1 and 3)."""
        styles = self.affine(w)
        if self.layer.to_image:
            return self.weight, styles / math.sqrt(self.weight[0].numel()), None
        weight = self.weight * self.weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
        styles = styles * styles.square().mean().rsqrt()  # cancels below, but for eps
        out = (styles.square() @ weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        return weight, styles, out

    @torch.no_grad()
    def _measure(self, x: Float[Tensor, "n i h w"]) -> None:
        self.magnitude_ema.copy_(processes.mean(widened(x).square()).lerp(self.magnitude_ema, self.beta))


class Synthesis(nn.Module):
    """Styles to images: `input`, then the plan's layers under their names ("L5_148_512").

    Args:
        w_dim: W.
        plan: of the layers.
    """

    input: FourierInput

    def __init__(self, w_dim: int, plan: StyleGAN3Plan) -> None:
        super().__init__()
        layers = plan.layers()
        self.w_dim, self.num_ws, self.output_scale = w_dim, len(layers) + 1, plan.output_scale
        self.img_resolution, self.img_channels = plan.img_resolution, plan.img_channels
        self.layer_names = [layer.name for layer in layers]
        self.input = FourierInput(w_dim, plan.bands()[0])
        for layer in layers:
            self.add_module(layer.name, FilteredLayer(w_dim, layer, plan.conv_clamp, plan.magnitude_ema_beta))

    def forward(
        self, ws: Float[Tensor, "n l w"], update_emas: bool = False, noise_mode: str = "const", force_fp32: bool = False
    ) -> Float[Tensor, "n c h w"]:
        """Images; `update_emas` moves the running magnitudes. There is no noise here and no fp16: the last two do nothing."""
        if ws.shape[1:] != (self.num_ws, self.w_dim):
            raise InputError(f"styles of shape {tuple(ws.shape)}: this network takes (batch, {self.num_ws}, {self.w_dim})")
        x = self.input(ws[:, 0])
        for name, w in zip(self.layer_names, ws[:, 1:].unbind(1), strict=True):
            x = self.get_submodule(name)(x, w, update_emas=update_emas)
        return widened(x) * self.output_scale


class StyleGAN3Generator(nn.Module):
    """Mapping and synthesis.

    Args:
        z_dim, c_dim, w_dim: Z, K (0: no classes), W.
        img_resolution: side of the image in pixels.
        img_channels: of the image.
        mapping_kwargs: of `MappingNetwork`; the published two layers unless it says otherwise.
        plan: fields of `StyleGAN3Plan`, the published ones unless given; R is `conv_kernel=1, use_radial_filters=True` at twice
            the channels.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        mapping_kwargs: Mapping[str, Any] | None = None,
        **plan: Any,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = Synthesis(w_dim, StyleGAN3Plan.of(img_resolution=img_resolution, img_channels=img_channels, **plan))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **{**MAPPING, **(mapping_kwargs or {})})

    def forward(
        self,
        z: Float[Tensor, "n z"],
        c: Float[Tensor, "n k"] | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
        noise_mode: str = "const",
        force_fp32: bool = False,
    ) -> Float[Tensor, "n c h w"]:
        """Images; `update_emas` moves the running means of styles and magnitudes. The last two arguments do nothing."""
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff, update_emas)
        return self.synthesis(ws, update_emas)
