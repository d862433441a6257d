"""What needs LPIPS: the diversity of a subject's samples, and how far a generator's samples move with its latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope.core.errors import InputError
from tightrope.judging.subjects import Case
from tightrope.metrics.diversity import PairDiversity, pair_diversity
from tightrope.metrics.perceptual import SMALLEST, load_lpips, path_length
from tightrope.metrics.protocol import record

PAIRS = 1_000  # of samples whose distance is averaged


def perceptual_records(case: Case, seed: int = 0) -> list[dict[str, Any]]:
    """LPIPS of random pairs, with that of real pairs as its null; of generators, the path length from latent to latent.

    Raises:
        InputError: the samples are no images, or the weights of LPIPS are not installed.
    """
    subject, data = case.subject, case.data
    if not data.spec.pictures:
        raise InputError(f"--perceptual: {subject.name} holds {data.spec.modality}; LPIPS compares images.")
    alex, pairs = load_lpips("alex"), min(PAIRS, subject.count, len(data))

    def diversity(read: Callable[[Tensor], Tensor], count: int) -> PairDiversity:
        return pair_diversity(lambda a, b: alex(rgb(read(a)), rgb(read(b))), torch.arange(count), pairs, seed)

    made, real = diversity(subject.at, subject.count), diversity(data.batch, len(data))
    protocol: dict[str, Any] = {"distance": alex.id, "weights_sha256": alex.weights_sha256}
    protocol |= {"pairs": pairs, "pixels": data.spec.size, "seed": seed}
    half = 1.96 * made.standard_error
    interval = (made.mean - half, made.mean + half)
    found = [record("LPIPS diversity", made.mean, "higher", protocol, interval=interval, null=real.mean)]
    if subject.generator is not None:
        generator = subject.generator
        classes = subject.asked  # a path keeps its class: both of its ends are decoded at the same place in the batch
        path = path_length(
            lambda z: rgb(generator.decode(z, None if classes is None else classes[torch.arange(len(z)) % len(classes)])),
            generator.recipe.latents,
            load_lpips("vgg"),
        )
        found.append(record(path.name, path.value, "lower", path.protocol))
    return [({} if subject.seen is None else {"seen": subject.seen}) | entry for entry in found]


def rgb(images: Tensor) -> Tensor:
    """Images in [-1, 1] with three channels, of the side that LPIPS needs at least."""
    images = images.clamp(-1, 1).expand(-1, 3, -1, -1)
    side = images.shape[-1]
    return images if side >= SMALLEST else interpolate(images, scale_factor=-(-SMALLEST // side), mode="nearest")
