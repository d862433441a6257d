"""`random-conv`: three strided convolutions with fixed random weights; always there, of no training, sensitive to texture.

Random features tell distributions apart (Saxe et al. 2011), but not as eyes do: for smoke tests and for what a trained
classifier is blind to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import conv2d

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.images import channels_first, pillow_bicubic, reader

ID = "random-conv"
SIDE, BATCH = 32, 256
WIDTHS = (3, 32, 64, 128)


def load(weights: Path | None = None) -> Extractor:
    """The extractor; there is no file of weights.

    Raises:
        InputError: `weights` was given.
    """
    if weights is not None:
        raise InputError(f"extractor {ID}: it has no weights; leave out {weights}.")
    kernels = []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:], strict=False):
        drawn = torch.randn(outputs, inputs, 3, 3, generator=generator(0, ID, outputs))
        kernels.append(drawn * (2 / drawn[0].numel()) ** 0.5)

    def forward(rgb: np.ndarray) -> Reading:
        x, features = channels_first(pillow_bicubic(rgb, SIDE, crop=False)) / 127.5 - 1, []
        for kernel in kernels:
            x = conv2d(x, kernel, stride=2, padding=1).relu_()
            features.append(x.mean((2, 3)))
        return Reading(torch.cat(features, 1))

    return Extractor(
        id=ID,
        dimensions=sum(WIDTHS[1:]),
        input_rule=f"RGB uint8, squeezed to {SIDE} px by Pillow's bicubic, [-1, 1]; float32; weights of the seed 0",
        read=reader(forward, ID, BATCH),
    )
