"""Views of pictures and of those given for them, alike for both, so that pairs stay pairs. Axis: N, C, H W; s = H / h, the scale.

Random flips and crops as in Isola et al. 2017 (section 6.2: enlarge 256 px to 286, cut out 256; mirror) and, with a scale, as in
Ledig et al. 2017 (section 3.2) and Wang et al. 2018 (ESRGAN, section 4.1: flips and quarter turns).

    real, given = flipped(*cropped(real, given, 96, generator), generator)

Every function is pure in (real, given, generator). With `alike=False` the two are drawn for apart, for data that has no pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.errors import InputError

Real = Float[Tensor, "n c h w"]
Given = Float[Tensor, "n c2 h2 w2"]
Places = Int64[Tensor, "n 2"]  # a line and a column for each picture


def flipped(real: Real, given: Given, generator: torch.Generator, *, alike: bool = True) -> tuple[Real, Given]:
    """Half of the pictures mirrored left to right."""
    first, second = _twice(lambda: torch.rand(len(real), generator=generator) < 0.5, alike)
    return _where(first, real, real.flip(3)), _where(second, given, given.flip(3))


def apart(real: Real, given: Given, crop: int, flip: bool, generator: torch.Generator) -> tuple[Real, Given]:
    """Pictures without pairs: squares of `crop` pixels (0: whole) cut out of each, then half of them mirrored."""
    if crop:
        real, given = cropped(real, given, crop, generator, alike=False)
    return flipped(real, given, generator, alike=False) if flip else (real, given)


def turned(real: Real, given: Given, generator: torch.Generator, *, alike: bool = True) -> tuple[Real, Given]:
    """Each picture, a square, in one of its eight positions: mirrored along both axes and the diagonal, each by a coin."""
    first, second = _twice(lambda: torch.rand(3, len(real), generator=generator) < 0.5, alike)
    return _position(real, first), _position(given, second)


def cropped(real: Real, given: Given, size: int, generator: torch.Generator, *, alike: bool = True) -> tuple[Real, Given]:
    """Squares of `size` pixels of `real`, and the same places of `given`: size / s pixels there.

    Raises:
        InputError: the pictures are smaller than that, or `size` is no multiple of s.
    """
    s = scale(real, given)
    if size % s or size > min(real.shape[-2:]):
        h, w = real.shape[-2:]
        raise InputError(f"squares of {size} px cannot be cut out of {h}x{w} px: choose a multiple of {s} that is no larger.")
    room = torch.tensor([side - size // s + 1 for side in given.shape[-2:]])
    first, second = _twice(lambda: (torch.rand(len(real), 2, generator=generator) * room).long(), alike)
    return _cut(real, first * s, (size, size)), _cut(given, second, (size // s, size // s))


def shifted(real: Real, given: Given, by: int, generator: torch.Generator, *, alike: bool = True) -> tuple[Real, Given]:
    """Pictures moved by up to `by` pixels of `given` along each axis; what comes in at the border is mirrored.

    Raises:
        InputError: `given` is smaller than that.
    """
    if by > min(given.shape[-2:]):
        h, w = given.shape[-2:]
        raise InputError(f"pictures of {h}x{w} px cannot be moved by {by} px: choose a smaller shift.")
    s = scale(real, given)
    first, second = _twice(lambda: torch.randint(2 * by + 1, (len(real), 2), generator=generator), alike)
    return _moved(real, first * s, by * s), _moved(given, second, by)


def scale(real: Real, given: Given) -> int:
    """How many times larger `real` is."""
    return real.shape[-1] // given.shape[-1]


def _twice(draw: Callable[[], Tensor], alike: bool) -> tuple[Tensor, Tensor]:
    first = draw()
    return first, first if alike else draw()


def _where(chosen: Tensor, x: Tensor, other: Tensor) -> Tensor:
    return torch.where(chosen[:, None, None, None], other, x)


def _position(x: Tensor, coins: Tensor) -> Tensor:
    for coin, other in zip(coins, (lambda x: x.flip(2), lambda x: x.flip(3), lambda x: x.transpose(2, 3)), strict=True):
        x = _where(coin, x, other(x))
    return x


def _moved(x: Tensor, places: Places, by: int) -> Tensor:
    size = (x.shape[2], x.shape[3])
    for axis in (2, 3):  # the border itself twice: mirrored so, a picture and an enlarged one still fit
        n = x.shape[axis]
        x = torch.cat([x.narrow(axis, 0, by).flip(axis), x, x.narrow(axis, n - by, by).flip(axis)], axis)
    return _cut(x, places, size)


def _cut(x: Tensor, places: Places, size: tuple[int, int]) -> Tensor:
    """From picture i the part of this size whose first line and column are `places[i]`."""
    (h, w), corners = size, places.tolist()
    return torch.stack([image[:, top : top + h, left : left + w] for image, (top, left) in zip(x, corners, strict=True)])
