"""A non-linearity that does not alias: more samples, rectify, low-pass, fewer samples. Axis: N batch, C channel, T taps.

Karras et al. 2021, "Alias-free generative adversarial networks", sections 3.2 and C: a rectifier makes frequencies that its grid
cannot hold, so it is applied on a finer grid, between two filters. These are ideal low-passes in a Kaiser window: sinc
along each axis, or jinc over the plane (C.2), whose response is the same in all directions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.networks.layers.activated import bent
from tightrope.networks.layers.filters import upfirdn2d

Taps = Float[Tensor, " t"] | Float[Tensor, "t t"]


def kaiser_beta(taps: int, width: float) -> float:
    """Shape of the Kaiser window by which a filter falls over `width`, in units of half the sampling rate (Kaiser 1974)."""
    attenuation = 2.285 * (taps - 1) * math.pi * width + 7.95  # decibels
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    excess = attenuation - 21
    return 0.5842 * excess**0.4 + 0.07886 * excess if excess > 0 else 0.0


def low_pass(taps: int, cutoff: float, width: float, rate: float, *, radial: bool = False) -> Taps | None:
    """A low-pass of sum 1, (T,), or (T, T) where it is radial; None for a single tap, which does nothing.

    Args:
        cutoff: frequency at which half is left.
        width: of the transition from what passes to what does not.
        rate: samples a unit of length, twice the highest frequency they can hold.
    """
    if taps == 1:
        return None
    place = (np.arange(taps) - (taps - 1) / 2) / rate
    window = np.kaiser(taps, kaiser_beta(taps, width / (rate / 2)))
    found: np.ndarray = np.sinc(2 * cutoff * place) * window
    if radial:
        found = _jinc(np.hypot.outer(place, place), cutoff) * np.outer(window, window)
    return torch.from_numpy(found / found.sum()).float()


def _jinc(radius: np.ndarray, cutoff: float) -> np.ndarray:
    """J1(2 pi f r) / (pi r): what passes all frequencies within a circle of radius f, over f (so that it begins at f)."""
    r = np.maximum(radius, 1e-9 / cutoff)
    return np.asarray(torch.special.bessel_j1(torch.from_numpy(2 * np.pi * cutoff * r)).numpy() / (np.pi * r))


def filtered_lrelu(
    x: Float[Tensor, "n c h w"],
    up_filter: Taps | None,
    down_filter: Taps | None,
    bias: Float[Tensor, " c"] | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | list[int] = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
) -> Float[Tensor, "n c h2 w2"]:
    """Bias, `up` times as many samples along each axis, leaky rectifier times `gain` within `clamp`, every `down`-th sample.

    Args:
        up_filter, down_filter: low-passes; None is a single tap of 1.
        padding: of the finer grid: left, right, above, below; negative crops.
        slope: of the rectifier below 0; 1 is none.
        flip_filter: correlate with the filters instead of convolving.
    """
    if bias is not None:
        x = x + bias.to(x.dtype)[:, None, None]
    x = upfirdn2d(x, up_filter, up=up, padding=padding, gain=gain * up**2, flip_filter=flip_filter)  # a rectifier passes gains on
    return upfirdn2d(bent(x, slope, clamp), down_filter, down=down, flip_filter=flip_filter)
