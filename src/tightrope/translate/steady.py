"""One normalisation for all parts of a picture, where a network takes means over what it sees.

Instance normalisation of every part by its own means gives parts of different brightness: seams. Here windows spread over the
picture go through together once; every such layer takes its means over all of them, and keeps to these while the parts are
translated. Where the whole picture fits, it is the only window and the means are the picture's own.

Axes: N windows, C channels, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.translation import Holding, Translator
from tightrope.translate import tiles

SIDE = 256  # pixels of a window


@contextmanager
def held(network: Translator, pixels: np.ndarray, prepared: Any) -> Iterator[None]:
    """The network's layers keep to the means of this picture.

    Args:
        pixels: (H, W, C), sides that the network takes.
        prepared: makes windows (N, h, w, C) what the network is given.
    """
    layers = [layer for layer in network.net.modules() if isinstance(layer, Holding)]
    hooks = [layer.register_forward_pre_hook(_hold) for layer in layers]
    try:
        with torch.inference_mode():
            network.net(prepared(windows(network, pixels)))
        for hook in hooks:
            hook.remove()
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for layer in layers:
            layer.held = None


def _hold(layer: Any, given: tuple[Float[Tensor, "N C h w"]]) -> None:
    """Means and variances over all windows, (C,)."""
    var, mean = torch.var_mean(given[0].double(), (0, 2, 3), correction=0)
    layer.held = mean, var


def windows(network: Translator, pixels: np.ndarray) -> np.ndarray:
    """The whole picture where it fits in memory, else as many windows, evenly over it, as do."""
    fit = max(1.0, tiles.memory() / tiles.need(network))  # pixels
    height, width = pixels.shape[:2]
    if height * width <= fit:
        return pixels[None]
    side = tiles.up(max(SIDE, network.least), network.multiple)
    tall, wide = min(side, height), min(side, width)
    many = max(1, int(fit / (tall * wide)))
    rows = max(1, min(round((many * height * wide / (width * tall)) ** 0.5), -(-height // tall), many))
    columns = min(many // rows, -(-width // wide))
    places = [
        (r, c) for r in _starts(height - tall, rows, network.multiple) for c in _starts(width - wide, columns, network.multiple)
    ]
    return np.stack([pixels[r : r + tall, c : c + wide] for r, c in places])


def _starts(room: int, count: int, multiple: int) -> list[int]:
    """Places of windows along a side, evenly, the first and the last at its ends; one alone in its middle."""
    at = np.linspace(0, room, count) if count > 1 else np.array([room / 2])
    return [int(place) // multiple * multiple for place in at]
