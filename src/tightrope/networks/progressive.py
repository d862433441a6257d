"""Networks that grow from 4x4 pixels while they are trained. Axis: N batch, Z latent, C H W.

Karras, Aila, Laine & Lehtinen 2018, "Progressive growing of GANs for improved quality, stability, and variation": figure 2
(fading), section 3 (minibatch standard deviation), section 4 (equalised rates, pixel norm), table 2 (layers).

How far they have grown is their *stage*: 2 is the third resolution (16 px), 2.25 a quarter of the way from it to the
fourth. Two layouts are in use, apart in constants only: `KARRAS` (the authors'; `from_tensorflow` reads its variables) and
`AKANIMAX` (the widely used PyTorch version, whose parameter names are ours, so its weights load as they are).
Run: `tightrope train progressive fashion`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.labels import weights
from tightrope.networks.layers.batch import MinibatchStd
from tightrope.networks.layers.equalised import RECTIFIER, EqualisedConv2d, EqualisedDoubling, EqualisedHalving, EqualisedSquare
from tightrope.networks.layers.normalisation import PixelNorm
from tightrope.networks.layers.rectifier import rectified
from tightrope.networks.shapes import widened

SLOPE = 0.2
Images = Float[Tensor, "n c h w"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The constants in which the two published versions differ.

    Attributes:
        first, image, score: gains of G's first layer, of its layers to colours, and of D's last.
        norm_first: pixel norm after G's first layer too.
        means_first: D halves before it rectifies (in one layer, the authors' `fused_scale`), not after.
    """

    first: float
    image: float
    score: float
    norm_first: bool
    means_first: bool


KARRAS = Layout(first=RECTIFIER / 4, image=1.0, score=1.0, norm_first=True, means_first=True)
AKANIMAX = Layout(first=RECTIFIER, image=RECTIFIER, score=RECTIFIER, norm_first=False, means_first=False)


def parted(stage: float, last: int) -> tuple[int, float]:
    """(resolution that is there in full, share of the next one in between), neither beyond the `last`."""
    low = min(max(math.floor(stage), 0), last)
    return low, stage - low if stage > low and low < last else 0.0


def doubled(x: Images) -> Images:
    """Every pixel twice along both axes."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def enlarged(x: Images, size: int) -> Images:
    """Pixels repeated until the image has its full size."""
    return x if x.shape[-1] == size else F.interpolate(x, size=(size, size), mode="nearest")


def at_stage(x: Images, stage: float) -> Images:
    """What D is shown of a full-size image: averages over boxes, faded with those of twice the size just as G's images are."""
    low, share = parted(stage, int(math.log2(x.shape[-1] // 4)))
    size = 4 << (low + (share > 0))
    small = F.avg_pool2d(x, x.shape[-1] // size) if x.shape[-1] > size else x
    return torch.lerp(doubled(F.avg_pool2d(small, 2)), small, share) if share else small


def full_size(generator: nn.Module, z: Float[Tensor, "n z"]) -> Images:
    """A `ProgressiveGenerator`'s images at the stage at which it stands, enlarged to the full size."""
    return enlarged(generator(z), 2 << len(generator.rgb_converters))  # type: ignore[arg-type]


class _First(nn.Module):
    """Latent to 4x4."""

    def __init__(self, z: int, width: int, layout: Layout) -> None:
        super().__init__()
        self.conv_1 = EqualisedSquare(z, width, 4, gain=layout.first)
        self.conv_2 = EqualisedConv2d(width, width, 3)
        self.norm_1 = PixelNorm() if layout.norm_first else nn.Identity()
        self.norm_2 = PixelNorm()

    def forward(self, z: Float[Tensor, "n z"]) -> Images:
        x = self.norm_1(rectified(self.conv_1(z), SLOPE))
        return self.norm_2(rectified(self.conv_2(x), SLOPE))


class _Up(nn.Module):
    """Doubled, then two convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_1 = EqualisedDoubling(inputs, outputs, 3)
        self.conv_2 = EqualisedConv2d(outputs, outputs, 3)
        self.norm = PixelNorm()

    def forward(self, x: Images) -> Images:
        x = self.norm(rectified(self.conv_1(x), SLOPE))
        return self.norm(rectified(self.conv_2(x), SLOPE))


class ProgressiveGenerator(nn.Module):
    """z -> image of the resolution at which it stands; no tanh.

    Args:
        widths: channels at 4 px, 8 px ...; their number says how large it can grow.

    Attributes:
        stage: how far it has grown, kept with its weights; `forward(z, stage)` sets it.
    """

    stage: Tensor

    def __init__(self, z: int, channels: int, *, widths: list[int], layout: Layout = KARRAS) -> None:
        super().__init__()
        self.layout = layout
        self.norm = PixelNorm()
        ups = [_Up(i, o) for i, o in zip(widths, widths[1:], strict=False)]
        self.layers = nn.ModuleList([_First(z, widths[0], layout), *ups])
        self.rgb_converters = nn.ModuleList([EqualisedConv2d(w, channels, 1, gain=layout.image) for w in widths])
        self.register_buffer("stage", torch.zeros(()))

    def forward(self, z: Float[Tensor, "n z"], stage: float | None = None) -> Images:
        low, share = parted(float(self.stage) if stage is None else stage, len(self.layers) - 1)
        if stage is not None:
            self.stage.fill_(low + share)
        x = self.norm(z.flatten(1))
        for layer in self.layers[: low + 1]:
            x = layer(x)
        image = self.rgb_converters[low](x)
        if share:
            image = torch.lerp(doubled(image), self.rgb_converters[low + 1](self.layers[low + 1](x)), share)
        return widened(image)


class _Down(nn.Module):
    """Two convolutions and means of 2x2."""

    def __init__(self, inputs: int, outputs: int, layout: Layout) -> None:
        super().__init__()
        self.conv_1 = EqualisedConv2d(inputs, inputs, 3)
        self.conv_2 = (EqualisedHalving if layout.means_first else EqualisedConv2d)(inputs, outputs, 3)
        self.halve = nn.Identity() if layout.means_first else nn.AvgPool2d(2)

    def forward(self, x: Images) -> Images:
        x = rectified(self.conv_1(x), SLOPE)
        return self.halve(rectified(self.conv_2(x), SLOPE))


class _Last(nn.Module):
    """4x4 to one logit; the standard deviation over groups of the batch is seen here."""

    def __init__(self, width: int, features: int, layout: Layout, group: int) -> None:
        super().__init__()
        self.spread = MinibatchStd(group)
        self.conv_1 = EqualisedConv2d(width + 1, width, 3)
        self.conv_2 = EqualisedConv2d(width, features, 4, padding=0)
        self.conv_3 = EqualisedConv2d(features, 1, 1, gain=layout.score)

    def features(self, x: Images) -> Float[Tensor, "n f 1 1"]:
        """What the logit is linear in."""
        x = rectified(self.conv_1(self.spread(x)), SLOPE)
        return rectified(self.conv_2(x), SLOPE)

    def forward(self, x: Images, labels: Tensor | None = None) -> Float[Tensor, " n"]:
        return self.conv_3(self.features(x)).flatten()


class _Projecting(_Last):
    """The logit of a class: AKANIMAX's, a rectified score plus the projection to the class's vector, of length 1 at most."""

    def __init__(self, width: int, features: int, layout: Layout, group: int, classes: int) -> None:
        super().__init__(width, features, layout, group)
        self.label_embedder = nn.Embedding(classes, features)

    def forward(self, x: Images, labels: Tensor | None = None) -> Float[Tensor, " n"]:
        if labels is None:
            raise ValueError("this critic judges samples of a class: pass their labels")
        x = self.features(x)
        table = self.label_embedder.weight
        table = table / table.norm(dim=1, keepdim=True).clamp_min(1)
        projected = (x.flatten(1) * (weights(labels, len(table)) @ table)).sum(1)
        return rectified(self.conv_3(x).flatten(), SLOPE) + projected


class ProgressiveCritic(nn.Module):
    """The mirror image of the generator.

    Args:
        widths: channels at 4 px, 8 px ..., as the generator's.
        features: units before the logit; the channels at 4 px unless told otherwise.
        group: of the minibatch standard deviation; must divide the batch.
        classes: judge samples of so many classes; 0 for none.
    """

    def __init__(
        self, channels: int, *, widths: list[int], features: int = 0, layout: Layout = KARRAS, group: int = 4, classes: int = 0
    ) -> None:
        super().__init__()
        self.layout = layout
        downs = [_Down(i, o, layout) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True)]
        last = (widths[0], features or widths[0], layout, group)
        self.layers = nn.ModuleList([*downs, _Projecting(*last, classes) if classes else _Last(*last)])
        self.from_rgb = nn.ModuleList(
            [nn.Sequential(EqualisedConv2d(channels, w, 1), nn.LeakyReLU(SLOPE)) for w in reversed(widths)]
        )

    def forward(self, x: Images, stage: float, labels: Tensor | None = None) -> Float[Tensor, " n"]:
        last = len(self.layers) - 1
        low, share = parted(stage, last)
        if share:
            new = self.layers[last - low - 1](self.from_rgb[last - low - 1](x))
            h = torch.lerp(self.from_rgb[last - low](F.avg_pool2d(x, 2)), new, share)
        else:
            h = self.from_rgb[last - low](x)
        for layer in self.layers[last - low : last]:
            h = layer(h)
        return widened(self.layers[last](h, labels))


def from_tensorflow(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' variables, by name ("8x8/Conv0_up/weight"), as the state of our generator or critic without classes.

    Kernels are (height, width, in, out) there. A fused upscaling layer's are those of a transposed convolution, (height, width,
    out, in) and turned by half a turn: it sums four shifted copies, which is nearest doubling and the plain kernel.
    """
    sides = sorted({int(name.split("x")[0]) for name in variables if name[0].isdigit()})
    generator, top = any(name.startswith("ToRGB") for name in variables), len(sides) - 1
    state = {"stage": torch.tensor(float(top))} if generator else {}
    for name, value in variables.items():
        where, _, kind = name.rpartition("/")
        if not where:
            continue  # "lod", which our stage stands for
        place, _, layer = where.rpartition("/")
        if not place:  # "ToRGB_lod0" is the finest
            lod = int(layer.rpartition("lod")[2])
            ours = f"rgb_converters.{top - lod}" if generator else f"from_rgb.{lod}.0"
        else:
            level = sides.index(int(place.split("x")[0]))
            ours = f"layers.{level if generator else top - level}.{_LAYERS[level == 0, generator][layer.split('_')[0]]}"
        state[f"{ours}.{kind}"] = value if kind == "bias" else _kernel(layer, value, generator)
    return state


_LAYERS = {  # (at 4x4, generator) -> their layer's name -> ours
    (True, True): {"Dense": "conv_1", "Conv": "conv_2"},
    (True, False): {"Conv": "conv_1", "Dense0": "conv_2", "Dense1": "conv_3"},
    (False, True): {"Conv0": "conv_1", "Conv1": "conv_2"},
    (False, False): {"Conv0": "conv_1", "Conv1": "conv_2"},
}


def _kernel(layer: str, value: Tensor, generator: bool) -> Tensor:
    """One layer's weight in our order."""
    if layer == "Conv0_up":
        return value.permute(3, 2, 0, 1).transpose(0, 1).flip(2, 3)
    if not layer.startswith("Dense"):
        return value.permute(3, 2, 0, 1)
    if generator:
        return value.view(len(value), -1, 4, 4)
    if layer == "Dense1" and value.shape[1] != 1:
        raise InputError("this critic was trained with classes: Tightrope reads the authors' networks without classes alone.")
    return value.t().reshape(value.shape[1], -1, *((4, 4) if layer == "Dense0" else (1, 1)))
