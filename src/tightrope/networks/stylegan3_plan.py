"""The plan of StyleGAN3's layers: bandwidth, sampling rate, pixels and channels of each, without a tensor.

Karras et al. 2021, "Alias-free generative adversarial networks", sections 3.2 ("Flexible layer specifications") and C, figure 4c.
A unit of length is the side of the image; frequencies are in cycles a unit, sampling rates in pixels a unit.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from tightrope.core.errors import InputError


@dataclasses.dataclass(frozen=True)
class Band:
    """What a layer gives.

    Attributes:
        cutoff: its highest frequency.
        width: of the transition to what its filters stop.
        rate: sampling rate.
        size: pixels of its canvas, margins included.
        channels: of it.
    """

    cutoff: float
    width: float
    rate: int
    size: int
    channels: int


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: with its place, pixels and channels ("L5_148_512").
        inputs, outputs: channels.
        kernel: side of the convolution.
        up, down: factors from the input's rate to the non-linearity's and from there to the output's.
        up_taps, down_taps: of the filters; 1 is none.
        up_band, down_band: (cutoff, width of the transition, sampling rate) of the filters.
        padding: of the finer grid (left, right, above, below); negative crops.
        radial: the down filter is the same in all directions.
        to_image: the last one, without non-linearity.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    up_band: tuple[float, float, float]
    down_band: tuple[float, float, float]
    padding: list[int]
    radial: bool
    to_image: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleGAN3Plan:
    """A synthesis network, under the published names.

    Attributes:
        img_resolution, img_channels: of the image.
        channel_base: channels are half of this over the cutoff, and at most `channel_max`.
        num_layers: without the last, that makes colours.
        num_critical: last layers whose cutoff is at the highest frequency.
        first_cutoff, first_stopband: of the input.
        last_stopband_rel: stopband of the last layers over their cutoff.
        margin_size: pixels of the canvas beyond each side of the image.
        output_scale: factor of the image.
        conv_kernel, use_radial_filters: 3 and False for T, 1 and True for R.
        filter_size: taps of a filter over its factor.
        lrelu_upsampling: how much finer the non-linearity's grid is.
        conv_clamp: bound of a layer's values; None is none.
        magnitude_ema_beta: decay of the running magnitudes.
        num_fp16_res: does nothing; nothing here is computed in fp16.
    """

    img_resolution: int
    img_channels: int = 3
    channel_base: int = 32768
    channel_max: int = 512
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    output_scale: float = 0.25
    conv_kernel: int = 3
    use_radial_filters: bool = False
    filter_size: int = 6
    lrelu_upsampling: int = 2
    conv_clamp: float | None = 256
    magnitude_ema_beta: float = 0.999
    num_fp16_res: int = 4

    @classmethod
    def of(cls, **given: Any) -> StyleGAN3Plan:
        """A plan of arguments that somebody gave.

        Raises:
            InputError: an argument that there is not, or a network that cannot be.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"a StyleGAN3 generator has no argument {unknown[0]!r}: it has {', '.join(known)}")
        plan = cls(**given)
        if not 0 <= plan.num_critical < plan.num_layers:
            raise InputError(
                f"num_layers {plan.num_layers}: StyleGAN3 needs more layers than its {plan.num_critical} critical ones"
            )
        if plan.img_resolution < 8 or plan.img_resolution & (plan.img_resolution - 1):
            raise InputError(
                f"StyleGAN3 makes square images of 8, 16, 32, 64 ... px, the data has {plan.img_resolution} px: "
                "choose one with --size."
            )
        return plan

    def bands(self) -> list[Band]:
        """What each layer gives, the last one's for the image."""
        last_cutoff = self.img_resolution / 2
        last_stopband = last_cutoff * self.last_stopband_rel
        found = []
        for index in range(self.num_layers + 1):
            way = min(
                index / (self.num_layers - self.num_critical), 1
            )  # frequencies grow by equal ratios up to the critical layers
            cutoff = self.first_cutoff * (last_cutoff / self.first_cutoff) ** way
            stopband = self.first_stopband * (last_stopband / self.first_stopband) ** way
            rate = 2 ** math.ceil(math.log2(min(stopband * 2, self.img_resolution)))
            size = self.img_resolution if index >= self.num_layers - 1 else rate + 2 * self.margin_size
            channels = (
                self.img_channels if index == self.num_layers else round(min(self.channel_base / 2 / cutoff, self.channel_max))
            )
            found.append(Band(cutoff, 2 * (max(stopband, rate / 2) - cutoff), rate, size, channels))
        return found

    def layers(self) -> list[Layer]:
        """All layers behind the input, in order."""
        bands = self.bands()
        return [self._layer(index, bands[max(index - 1, 0)], band) for index, band in enumerate(bands)]

    def _layer(self, index: int, before: Band, after: Band) -> Layer:
        """From one band to the next. The canvas is cut to its size in the finer grid, evenly on both sides."""
        to_image, critical = index == self.num_layers, index >= self.num_layers - self.num_critical
        kernel = 1 if to_image else self.conv_kernel
        finer = max(before.rate, after.rate) * (1 if to_image else self.lrelu_upsampling)
        up, down = finer // before.rate, finer // after.rate
        up_taps, down_taps = (1 if to_image or factor == 1 else self.filter_size * factor for factor in (up, down))
        needed = (after.size - 1) * down + 1 + (up_taps - 1) + (down_taps - 1)
        missing = needed - (before.size + kernel - 1) * up
        first = (missing + up) // 2  # the first sample stands at the beginning of its `up` finer ones
        return Layer(
            name=f"L{index}_{after.size}_{after.channels}",
            inputs=before.channels,
            outputs=after.channels,
            kernel=kernel,
            up=up,
            down=down,
            up_taps=up_taps,
            down_taps=down_taps,
            up_band=(before.cutoff, before.width, finer),
            down_band=(after.cutoff, after.width, finer),
            padding=[first, missing - first] * 2,
            radial=self.use_radial_filters and not critical,
            to_image=to_image,
        )
