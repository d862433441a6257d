"""Arrays of images -> squares. Axes: (n, H, W, C) in, (n, C, side, side) out, uint8."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tightrope.data.decode import square

LARGEST_DEFAULT = 64


def default_side(shorter: float) -> int:
    """The largest power of two that is at most 8/7 of the (median) shorter side, from 8 to 64.

    8/7 lets the 28 pixels of the MNIST family become 32.
    """
    side = 8
    while side * 2 <= min(LARGEST_DEFAULT, shorter * 8 / 7):
        side *= 2
    return side


def background(images: np.ndarray) -> int | None:
    """The value of most border pixels of (n, H, W, C) images, or None when none fills half of them."""
    border = np.concatenate([images[:, 0].ravel(), images[:, -1].ravel(), images[:, :, 0].ravel(), images[:, :, -1].ravel()])
    counts = np.bincount(border, minlength=256)
    value = int(counts.argmax())
    return value if counts[value] * 2 >= len(border) else None


def fit(images: np.ndarray, side: int, pad: int | None = None, box: bool = False) -> np.ndarray:
    """Centre squares of `side` pixels.

    28 pixels become 32 by a margin of the value `pad`, if given, because scaling by 8/7 only blurs; everything else is
    scaled by Lanczos, or by the mean of whole blocks where `box` is set and the factor is whole.
    """
    count, height, width, channels = images.shape
    if pad is not None and (height, width) == (28, 28) and side != 28:
        images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=pad)
        height = width = 32
    if (height, width) == (side, side):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if box and height == width and height % side == 0:
        return _means(images, side)
    result = np.empty((count, side, side, channels), np.uint8)
    for place, image in zip(result, images, strict=True):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        place[:] = np.asarray(square(picture, side)).reshape(side, side, channels)
    return np.ascontiguousarray(result.transpose(0, 3, 1, 2))


def _means(images: np.ndarray, side: int) -> np.ndarray:
    """Means of whole blocks, rounded half up."""
    count, height, _, channels = images.shape
    block = height // side
    sums = images.reshape(count, side, block, side, block, channels).sum(axis=(2, 4), dtype=np.uint32)
    means = ((sums + block * block // 2) // (block * block)).astype(np.uint8)
    return np.ascontiguousarray(means.transpose(0, 3, 1, 2))
