"""Adaptive discriminator augmentation's pipeline: what D sees is flipped, turned, stretched, recoloured, blurred or cut.

Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020, "Training generative adversarial networks with limited data", appendix B:
every operation strikes each image with probability p, independently of the others; gradients pass through, twice where
asked. `augment/controller.py` finds p. Axis: N batch, C channel, H W pixels in [-1, 1].

Three stages, each one linear map an image: `geometry` (resampled by `augment/resampling.py`), `colours`, and corruption
(frequency bands, noise, cutout). Randomness comes from torch's global generator, which the loop seeds for every move.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.augment import matrices
from tightrope.augment.diffaugment import Images
from tightrope.augment.resampling import amplified, resampled
from tightrope.core.errors import InputError

__all__ = ["BGC", "BGCFNC", "BLIT", "Draws", "Policy", "adaptive"]

BANDS = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # expected power of natural images in the filter's bands, appendix B.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Which operations, as a factor of p each (0 leaves one out), and how strong they are (appendix B, table of parameters).

    Attributes:
        flip, turn, shift: mirror; quarter turns; whole-pixel translation of up to `shift_by` of the side.
        scale, rotate, stretch, slide: zoom by 2^N(0, scale_by); any angle; aspect ratio likewise; translation by N(0, slide_by).
        brightness, contrast, invert, hue, saturation: in colour space; `invert` flips luma.
        bands: amplify four frequency bands by 2^N(0, bands_by).
        noise: of a strength |N(0, noise_by)|.
        cutout: a square of `cutout_by` of the side becomes 0.
    """

    flip: float = 0.0
    turn: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    stretch: float = 0.0
    slide: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    invert: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    bands: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    shift_by: float = 0.125
    scale_by: float = 0.2
    stretch_by: float = 0.2
    slide_by: float = 0.125
    brightness_by: float = 0.2
    contrast_by: float = 0.5
    saturation_by: float = 1.0
    bands_by: float = 1.0
    noise_by: float = 0.1
    cutout_by: float = 0.5

    @property
    def moves(self) -> bool:
        """Whether it has operations on places."""
        return any((self.flip, self.turn, self.shift, self.scale, self.rotate, self.stretch, self.slide))

    @property
    def colours(self) -> bool:
        """Whether it has operations on colours."""
        return any((self.brightness, self.contrast, self.invert, self.hue, self.saturation))


BLIT = Policy(flip=1, turn=1, shift=1)
BGC = dataclasses.replace(
    BLIT, scale=1, rotate=1, stretch=1, slide=1, brightness=1, contrast=1, invert=1, hue=1, saturation=1
)  # the paper's choice, section 4
BGCFNC = dataclasses.replace(BGC, bands=1, noise=1, cutout=1)


class Draws:
    """The random numbers of a batch.

    Args:
        n: images.
        p: probability of an operation whose factor is 1.
    """

    def __init__(self, n: int, p: float | Tensor, device: torch.device) -> None:
        self.n, self.p, self.device = n, p, device

    def uniform(self, *shape: int) -> Float[Tensor, "n *s"]:
        """Between 0 and 1."""
        return torch.rand(self.n, *shape, device=self.device)

    def normal(self, *shape: int) -> Float[Tensor, "n *s"]:
        """Standard normal."""
        return torch.randn(self.n, *shape, device=self.device)

    def struck(self, share: float | Tensor, dims: int = 1) -> Float[Tensor, "n *s"]:
        """1 for images that an operation of this probability strikes, else 0; with `dims` dimensions."""
        return (torch.rand(self.n, *[1] * (dims - 1), device=self.device) < share).float()


def geometry(draws: Draws, policy: Policy, size: tuple[int, int]) -> Float[Tensor, "n 3 3"]:
    """From each output pixel's place to the input's, in pixels about the centre: appendix B.1 and B.2 from last to first."""
    p, (h, w) = draws.p, size
    sides = torch.tensor([w, h], device=draws.device)
    g = torch.eye(3, device=draws.device).expand(draws.n, 3, 3)
    if policy.flip:
        flipped = (draws.uniform() * 2).floor() * draws.struck(policy.flip * p)
        g = g @ matrices.scale(1 - 2 * flipped, 1)
    if policy.turn:
        quarters = (draws.uniform() * 4).floor() * draws.struck(policy.turn * p)
        g = g @ matrices.rotation(math.pi / 2 * quarters)
    if policy.shift:
        by = (draws.uniform(2) * 2 - 1) * policy.shift_by * draws.struck(policy.shift * p, 2)
        g = g @ matrices.translation(-(by * sides).round())
    if policy.scale:
        zoom = torch.exp2(draws.normal() * policy.scale_by * draws.struck(policy.scale * p))
        g = g @ matrices.scale(1 / zoom, 1 / zoom)
    # rotation strikes twice, before and after the stretch; once or more with the probability asked for
    once = 1 - torch.as_tensor(1 - policy.rotate * p, device=draws.device).clamp(0, 1).sqrt()
    if policy.rotate:
        g = g @ matrices.rotation((draws.uniform() * 2 - 1) * math.pi * draws.struck(once))
    if policy.stretch:
        aspect = torch.exp2(draws.normal() * policy.stretch_by * draws.struck(policy.stretch * p))
        g = g @ matrices.scale(1 / aspect, aspect)
    if policy.rotate:
        g = g @ matrices.rotation((draws.uniform() * 2 - 1) * math.pi * draws.struck(once))
    if policy.slide:
        by = draws.normal(2) * policy.slide_by * draws.struck(policy.slide * p, 2)
        g = g @ matrices.translation(-by * sides)
    return g


def colours(draws: Draws, policy: Policy) -> Float[Tensor, "n 4 4"]:
    """Of each image's RGB1 vectors, appendix B.3."""
    p = draws.p
    c = torch.eye(4, device=draws.device).expand(draws.n, 4, 4)
    if policy.brightness:
        c = matrices.brighter(draws.normal() * policy.brightness_by * draws.struck(policy.brightness * p)) @ c
    if policy.contrast:
        c = matrices.contrast(torch.exp2(draws.normal() * policy.contrast_by * draws.struck(policy.contrast * p))) @ c
    if policy.invert:
        c = matrices.along_luma(1 - 2 * (draws.uniform() * 2).floor() * draws.struck(policy.invert * p)) @ c
    if policy.hue:
        c = matrices.hue((draws.uniform() * 2 - 1) * math.pi * draws.struck(policy.hue * p)) @ c
    if policy.saturation:
        c = matrices.across_luma(torch.exp2(draws.normal() * policy.saturation_by * draws.struck(policy.saturation * p))) @ c
    return c


def recoloured(x: Images, c: Float[Tensor, "n 4 4"]) -> Images:
    """Every pixel through its image's matrix; a grey image stands for three equal channels and takes their mean."""
    n, channels, h, w = x.shape
    if channels == 3:
        return torch.baddbmm(c[:, :3, 3:], c[:, :3, :3], x.reshape(n, 3, h * w)).view(n, 3, h, w)
    if channels == 1:
        row = c[:, :3].mean(1)
        return x * row[:, :3].sum(1)[:, None, None, None] + row[:, 3, None, None, None]
    raise InputError(
        f"ADA changes colours of images with 1 or 3 channels, these have {channels}: leave colours out of the policy."
    )


def band_gains(draws: Draws, policy: Policy) -> Float[Tensor, "n b"]:
    """How each image's frequency bands are amplified, one after the other and each at equal expected power (appendix B.4)."""
    power = torch.tensor(BANDS, device=draws.device)
    gains = torch.ones(draws.n, len(BANDS), device=draws.device)
    for band in range(len(BANDS)):
        change = torch.ones_like(gains)
        change[:, band] = torch.exp2(draws.normal() * policy.bands_by * draws.struck(policy.bands * draws.p))
        gains = gains * change / (power * change.square()).sum(1, keepdim=True).sqrt()
    return gains


def noisy(x: Images, draws: Draws, policy: Policy) -> Images:
    """Add white noise of a strength of its own to each image that is struck (appendix B.5)."""
    strength = draws.normal(1, 1, 1).abs() * policy.noise_by * draws.struck(policy.noise * draws.p, 4)
    return x + draws.normal(*x.shape[1:]) * strength


def cut(x: Images, draws: Draws, policy: Policy) -> Images:
    """Zero a square about a random centre in each image that is struck (appendix B.5)."""
    half = policy.cutout_by / 2 * draws.struck(policy.cutout * draws.p)[:, None]
    centre = draws.uniform(2)
    inside = [
        ((torch.arange(side, device=x.device) + 0.5) / side - centre[:, axis, None]).abs() < half
        for axis, side in ((0, x.shape[3]), (1, x.shape[2]))
    ]
    return x * ~(inside[0][:, None, None, :] & inside[1][:, None, :, None])


def adaptive(x: Images, p: float | Tensor, policy: Policy = BGC, draws: Draws | None = None) -> Images:
    """The whole pipeline: each of the policy's operations strikes each image with probability `p` times its factor.

    Args:
        p: a number, or a tensor of no dimension; 0 returns x itself, unless reading it would have to wait for a device.
        draws: random numbers of your own.
    """
    at_hand = not isinstance(p, Tensor) or p.device.type == "cpu"
    if at_hand and p <= 0 and draws is None:
        return x
    draws = draws or Draws(len(x), p, x.device)
    with torch.autocast(x.device.type, enabled=False):
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if policy.moves:
            x = resampled(x, geometry(draws, policy, (x.shape[2], x.shape[3])))
        if policy.colours:
            x = recoloured(x, colours(draws, policy).to(x.dtype))
        if policy.bands:
            x = amplified(x, band_gains(draws, policy).to(x.dtype))
        x = noisy(x, draws, policy) if policy.noise else x
        return cut(x, draws, policy) if policy.cutout else x
