"""From stored images to what networks take: checks, the resizes that published numbers were made with, and batches.

Axes: N images, H W pixels, S side of the network's input in pixels, d features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.metrics.extractor import Reading

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def reader(forward: Callable[[np.ndarray], Reading], id: str, batch: int) -> Callable[[np.ndarray], Reading]:
    """`Extractor.read` of `forward`, which is given RGB uint8 (n, H, W, 3) in batches of at most `batch`."""

    def read(stored: np.ndarray) -> Reading:
        rgb = as_rgb(stored, id)
        with torch.inference_mode():
            parts = [forward(rgb[start : start + batch]) for start in range(0, len(rgb), batch)]
        logits = [part.logits for part in parts if part.logits is not None]
        return Reading(torch.cat([part.features for part in parts]), torch.cat(logits) if logits else None)

    return read


def as_rgb(stored: np.ndarray, id: str) -> UInt8[np.ndarray, "N H W 3"]:
    """Stored images with three channels; grey is repeated.

    Raises:
        InputError: no images, or not uint8 (N, H, W, C) with C of 1 or 3.
    """
    if stored.dtype != np.uint8 or stored.ndim != 4 or stored.shape[3] not in (1, 3) or not stored.size:
        raise InputError(
            f"extractor {id}: samples are {stored.dtype} of the shape {stored.shape}; uint8 images (N, H, W, 1 or 3), N >= 1, "
            "were expected."
        )
    return np.broadcast_to(stored, (*stored.shape[:3], 3))


def channels_first(rgb: UInt8[np.ndarray, "N H W 3"]) -> Float[Tensor, "N 3 H W"]:
    """The bytes as numbers of 0 to 255, laid out as convolutions are fast on."""
    return torch.from_numpy(np.require(rgb, requirements=["C", "W"])).permute(0, 3, 1, 2).float()


def normalised(rgb: UInt8[np.ndarray, "N H W 3"], mean: tuple[float, ...], std: tuple[float, ...]) -> Float[Tensor, "N 3 H W"]:
    """(x / 255 - mean) / std of RGB bytes."""
    x = channels_first(rgb) / 255
    shape = (1, 3, 1, 1)
    return (x - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def pillow_bicubic(rgb: UInt8[np.ndarray, "N H W 3"], side: int, *, crop: bool) -> UInt8[np.ndarray, "N S S 3"]:
    """Pillow's antialiased bicubic, rounded to bytes: the shorter side to `side` and the centre, or squeezed to a square."""
    return np.stack([_bicubic(image, side, crop) for image in rgb]) if rgb.shape[1:3] != (side, side) else rgb


def _bicubic(image: np.ndarray, side: int, crop: bool) -> np.ndarray:
    height, width = image.shape[:2]
    if not crop:
        return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    short = min(height, width)
    height, width = int(side * height / short), int(side * width / short)
    resized = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    top, left = round((height - side) / 2), round((width - side) / 2)
    return resized[top : top + side, left : left + side]


def tf1_bilinear(images: Float[Tensor, "N C H W"], side: int) -> Float[Tensor, "N C S S"]:
    """Bilinear as TensorFlow 1 had it: output i reads input i * H / S (no half pixels), and shrinking does not antialias."""
    for axis in (3, 2):
        low, high, fraction = _grid(images.shape[axis], side)
        images = torch.lerp(images.index_select(axis, low), images.index_select(axis, high), fraction.view(-1, *[1] * (3 - axis)))
    return images


def _grid(length: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    place = torch.arange(side, dtype=torch.float32) * (length / side)
    low = place.long()
    return low, (low + 1).clamp(max=length - 1), place - low
