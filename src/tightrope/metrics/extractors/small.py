"""The classifiers that ship with the package: `fashion-cnn` for grey images, `emoji-cnn` for colour. See docs/metrics.md.

Axes: N samples, C channels, H W pixels, d features, K classes.
"""

from __future__ import annotations

import functools
import json

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad

from tightrope.metrics.classifier import WEIGHTS, Classifier, load_classifier
from tightrope.metrics.extractor import Extractor, Reading

CHUNK = 64  # images: what stays in a core's cache
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@functools.cache
def load_shipped(name: str) -> Extractor:
    """The shipped classifier of that name as an extractor."""
    return as_extractor(load_classifier(WEIGHTS / f"{name}.safetensors"))


def as_extractor(classifier: Classifier) -> Extractor:
    """A small classifier as an extractor: its penultimate features, its logits."""
    network, header = classifier.network, classifier.header
    channels, size = int(header["channels"]), int(header["size"])
    margin = 28 if "28 px images with a black margin" in header["input"] else None

    @torch.inference_mode()
    def read(stored: np.ndarray) -> Reading:
        parts = [stored[start : start + CHUNK] for start in range(0, len(stored), CHUNK)]
        features = torch.cat([network.features(squares(part, channels, size, margin)) for part in parts])
        return Reading(features, network.head(features))

    known = ("accuracy", "mean class accuracy", "held out", "training data")
    by_class = json.loads(header.get("accuracy by class", "{}"))
    return Extractor(
        id=header["name"],
        dimensions=network.dimensions,
        input_rule=f"{header['input']}; float32",
        read=read,
        weights_sha256=classifier.sha256,
        licence=header["licence"],
        classes=tuple(json.loads(header["classes"])),
        facts={name: header[name] for name in known if name in header} | {"accuracy by class": by_class},
    )


def squares(stored: np.ndarray, channels: int, size: int, margin: int | None = None) -> Float[Tensor, "N C H W"]:
    """Stored images in [-1, 1]: grey repeated or colour weighed to the channels wanted, then antialiased bilinear to the size.

    Images of `margin` pixels a side get black around them instead of being scaled.
    """
    images = torch.from_numpy(np.ascontiguousarray(stored)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    if images.shape[1] != channels:
        images = images.expand(-1, 3, -1, -1) if channels == 3 else (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, True)
    if margin is not None and images.shape[-2:] == (margin, margin):
        images = pad(images, [(size - margin) // 2] * 4, value=-1.0)
    if images.shape[-2:] != (size, size):
        images = interpolate(images, (size, size), mode="bilinear", antialias=True)
    return images
