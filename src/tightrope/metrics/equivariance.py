"""How exactly a generator's image moves when it is told to: EQ-T and EQ-R, in decibels. Axis: N batch, C channel, H W.

Karras et al. 2021, "Alias-free generative adversarial networks", sections 2.2 and E.3: with g(z; m) the image under a motion m,

    EQ = 10 log10(4 / mean (g(z; m) - m[g(z)])^2)        a peak signal-to-noise ratio for images in [-1, 1]

over the pixels whose values are known on both sides. Detail that sticks to the pixels costs decibels: the published StyleGAN3-T
have 60 and more in EQ-T, and about 13 in EQ-R, to which they are not built.

    def draw(to_source):
        g.synthesis.input.transform.copy_(to_source)
        return g.synthesis(ws)
    translation(draw), rotation(draw)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator

Images = Float[Tensor, "n c h w"]
Draw = Callable[[Float[Tensor, "3 3"]], Images]  # the same latents every time; the matrix takes places of the canvas to places
# of what is drawn, in units of the image's side from its centre, x to the right and y down

LANCZOS = 3  # lobes of the kernel that moves by parts of a pixel, on each side
REACH = 6  # pixels on each side that the kernel which turns looks at
KAISER = 5.0  # its window: what it stops is 54 decibels down
BLOCK = 2_048  # places turned at once


@torch.no_grad()
def translation(draw: Draw, *, moves: int = 16, farthest: float = 0.125, fractional: bool = False, seed: int = 0) -> float:
    """EQ-T in decibels: uniform translations of both axes, in whole pixels, or in parts of them (EQ-T_frac).

    Args:
        draw: images for a matrix.
        moves: translations averaged over.
        farthest: translation, as a share of the side.
        fractional: by any distance; what should come out is then interpolated by a Lanczos kernel.

    Raises:
        InputError: images that are not square or too small, or no move.
    """
    still = _drawn(draw, torch.eye(3), moves)
    size, random = still.shape[3], generator(seed, "translations")
    error = pixels = 0.0
    for _ in range(moves):
        x, y = ((2 * torch.rand(2, generator=random, dtype=torch.float64) - 1) * farthest * size).tolist()
        if not fractional:
            x, y = round(x), round(y)
        found = draw(_matrix(1.0, 0.0, -x / size, -y / size)).double()
        rows, columns = _shift(y, size), _shift(x, size)
        known = (rows.known[:, None] & columns.known[None]).to(still.device)
        wanted = rows.matrix.to(still) @ still @ columns.matrix.to(still).t()
        error += (found - wanted)[:, :, known].square().sum().item()
        pixels += float(known.sum()) * len(still) * still.shape[1]
    return _decibels(error, pixels)


@torch.no_grad()
def rotation(draw: Draw, *, turns: int = 16, seed: int = 0) -> float:
    """EQ-R in decibels: rotations about the centre by uniform angles.

    A grid turned against another holds other frequencies. Both sides therefore keep those in a circle that both grids hold,
    by one kernel that is the same in all directions. (The paper keeps what is in both of two turned squares.)

    Args:
        draw: images for a matrix.
        turns: rotations averaged over.

    Raises:
        InputError: images that are not square or too small, or no turn.
    """
    still = _drawn(draw, torch.eye(3), turns)
    random = generator(seed, "rotations")
    error = pixels = 0.0
    for _ in range(turns):
        angle = 2 * math.pi * torch.rand((), generator=random, dtype=torch.float64).item()
        c, s = math.cos(angle), math.sin(angle)
        found = draw(_matrix(c, s, 0.0, 0.0)).double()
        differences = _turned(found, 1.0, 0.0) - _turned(still, c, s)
        error += differences.square().sum().item()
        pixels += differences.numel()
    return _decibels(error, pixels)


class _Shift(NamedTuple):
    """One axis moved.

    Attributes:
        matrix: what it does to a column of pixels.
        known: the pixels behind it that come from pixels alone.
    """

    matrix: Float[Tensor, "h h"]
    known: Tensor


def _shift(distance: float, size: int) -> _Shift:
    """By `distance` pixels: whole ones by ones, the others by the kernel sinc(x) sinc(x / 3) about each place, of sum 1."""
    places = torch.arange(size, dtype=torch.float64)
    source = places - distance
    apart = source[:, None] - places[None]
    kernel = torch.where(apart.abs() < LANCZOS, torch.sinc(apart) * torch.sinc(apart / LANCZOS), 0.0)
    reach = 0 if float(distance).is_integer() else LANCZOS - 1
    known = (source.floor() >= reach) & (source.ceil() <= size - 1 - reach)
    return _Shift(kernel / torch.where(known, kernel.sum(1), 1.0)[:, None], known)


def _turned(x: Images, c: float, s: float) -> Float[Tensor, "n c p"]:
    """Values at all places that are known whatever the angle, for the grid turned by the angle of this cosine and sine."""
    size = x.shape[3]
    along = torch.arange(size, dtype=torch.float64, device=x.device) - (size - 1) / 2
    y, x_ = torch.meshgrid(along, along, indexing="ij")
    known = torch.hypot(x_, y) <= (size - 1) / 2 - REACH
    x_, y = x_[known], y[known]
    source = torch.stack([c * x_ + s * y, c * y - s * x_], 1) + (size - 1) / 2
    return torch.cat([_read(x, block) for block in source.split(BLOCK)], 2)


def _read(x: Images, source: Float[Tensor, "p 2"]) -> Float[Tensor, "n c p"]:
    """Values at places (x, y) in pixels, low-passed."""
    near = torch.arange(1 - REACH, REACH + 1, device=x.device)
    corner = source.floor().long()
    columns, rows = (corner[:, axis, None] + near for axis in (0, 1))
    across, along = columns - source[:, :1], rows - source[:, 1:]
    kernel = _kernel((across.square()[:, None, :] + along.square()[:, :, None]).sqrt())
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    last = x.shape[3] - 1  # a place on the rim has neighbours of weight 0 beyond it
    found = x[:, :, rows.clamp(0, last)[:, :, None], columns.clamp(0, last)[:, None, :]]
    return (found * kernel).sum((3, 4))


def _kernel(r: Tensor) -> Tensor:
    """jinc in a Kaiser window of radius REACH: passes a circle of frequencies and stops all that a grid of pixels cannot hold."""
    attenuation = KAISER / 0.1102 + 8.7
    transition = (attenuation - 7.95) / (2.285 * 2 * math.pi * (2 * REACH - 1))  # in cycles a pixel (Kaiser 1974)
    cutoff = 0.5 - transition / 2
    r = r.clamp(min=1e-9)
    window = torch.special.i0(KAISER * (1 - (r / REACH).square()).clamp(min=0).sqrt())
    return torch.where(r < REACH, torch.special.bessel_j1(2 * math.pi * cutoff * r) / r * window, 0.0)


def _matrix(c: float, s: float, x: float, y: float) -> Float[Tensor, "3 3"]:
    return torch.tensor([[c, s, x], [-s, c, y], [0.0, 0.0, 1.0]])


def _drawn(draw: Draw, matrix: Float[Tensor, "3 3"], count: int) -> Images:
    images = draw(matrix).double()
    size = images.shape[3] if images.dim() == 4 else 0
    if count < 1 or size < 2 * REACH + 4 or images.shape[2] != size:
        raise InputError(
            f"equivariance: {count} motions of images of shape {tuple(images.shape)}; it takes at least one motion "
            f"and square images (N, C, H, W) of {2 * REACH + 4} px or more."
        )
    return images


def _decibels(error: float, pixels: float) -> float:
    """For images whose range is 2; infinite where both sides agree to the bit."""
    return 10 * math.log10(4 * pixels / error) if error else math.inf
