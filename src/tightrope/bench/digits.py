"""Reads the digits in the channels of stacked images: a small classifier trained on the user's MNIST, and the count of modes.

Axes: N images, C = 3 channels, H W pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import cache_root
from tightrope.data.images import ImageDataset
from tightrope.data.resizing import fit
from tightrope.data.stacked import DIGITS, splits
from tightrope.explore.generator import Generator
from tightrope.metrics.classifier import Classifier, load_classifier, save_classifier
from tightrope.metrics.domain_training import train_network
from tightrope.metrics.modes import stacked_modes

SAMPLES = 26_000  # VEEGAN and PacGAN; Unrolled GANs 25,600
SIDE = 32
BATCH = 500
LEAST_ACCURACY = 0.99
MINUTES = 6.0  # of one thread, for training the classifier


class StackedFigures(NamedTuple):
    """What `modes_of` finds.

    Attributes:
        modes: of 1,000, that occur at all.
        reverse_kl: KL(generated shares || 1/1000), as R3GAN reports it; a perfect sampler of 26,000 has 0.019 from counting
            alone, and the digits of MNIST are not equally frequent, which adds 0.004.
        kl_from_data: KL(generated shares || shares of the data), as VEEGAN reports it.
        samples: how many were read.
    """

    modes: int
    reverse_kl: float
    kl_from_data: float
    samples: int


def classifier(mnist: Path, cache: Path | None = None, tell: Callable[[str], None] = lambda text: None) -> Classifier:
    """The classifier of a folder's digits: from the cache, or trained in a few minutes of one thread.

    Raises:
        InputError: no MNIST there, or a classifier that reads fewer than 99 % of the test digits.
    """
    found = splits(mnist, SIDE, None, None)
    if len(found) < 2:
        raise InputError(f"{mnist}: holds no t10k-images-idx3-ubyte(.gz), on which the classifier of digits is tested; add it.")
    train, test = found
    key = hashlib.sha256(f"digits-1\0{train.fingerprint}\0{test.fingerprint}".encode()).hexdigest()[:16]
    path = (cache or cache_root()) / f"digits-{key}.safetensors"
    if not path.is_file():
        tell("training the classifier of digits, about 5 minutes")
        network, _, _, header = train_network(train, minutes=MINUTES)
        header |= {"accuracy on the test digits": json.dumps(_accuracy(network, test))}
        save_classifier(path, network, header)
    loaded = load_classifier(path)
    if accuracy(loaded) < LEAST_ACCURACY:
        raise InputError(f"{path}: reads only {accuracy(loaded):.2%} of the test digits; delete it, and check the MNIST files.")
    return loaded


def accuracy(known: Classifier) -> float:
    """Share of the 10,000 test digits that are read right."""
    return float(json.loads(known.header["accuracy on the test digits"]))


@torch.inference_mode()
def _accuracy(network: torch.nn.Module, test: ImageDataset) -> float:
    right = 0
    for index in torch.arange(len(test)).split(BATCH):
        labels = test.labels(index)
        assert labels is not None
        right += int((network(test.batch(index)).argmax(1) == labels).sum())
    return right / len(test)


@torch.inference_mode()
def read(images: Float[Tensor, "N 3 H W"], known: Classifier) -> Int64[Tensor, "N 3"]:
    """The digit in each channel. Values become whole steps of 1/255 first, as a file of the image would hold them."""
    if images.shape[1] != 3:
        raise InputError(f"images of the shape {tuple(images.shape[1:])}: Stacked MNIST has three channels.")
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    grey = pixels.reshape(-1, *pixels.shape[2:])
    if grey.shape[1] != SIDE:
        grey = torch.from_numpy(fit(grey.numpy()[..., None], SIDE, pad=0)[:, 0])
    whole = grey[:, None].float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
    found = torch.cat([known.network(part).argmax(1) for part in whole.split(BATCH)])
    return found.view(-1, 3)


def modes_of(images: Iterable[Tensor], known: Classifier, shares: Float[Tensor, " 10"]) -> StackedFigures:
    """Count the modes of images that come in parts.

    Args:
        shares: of the ten digits in the data.
    """
    digits = torch.cat([read(part, known) for part in images])
    report = stacked_modes(digits)
    log = shares.double().log()[digits].sum(1)  # of the share of each image's mode in the data
    # KL(q || p) = KL(q || u) + E_q[log u - log p]
    from_data = report.reverse_kl - float(torch.log(torch.tensor(1000.0, dtype=torch.float64)) + log.mean())
    return StackedFigures(report.captured, report.reverse_kl, from_data, len(digits))


def digit_shares(train: ImageDataset) -> Float[Tensor, " 10"]:
    """How frequent each digit is."""
    assert len(train.spec.shares) == DIGITS
    return torch.tensor(train.spec.shares)


def drawn(generator: Generator, samples: int = SAMPLES) -> Iterable[Tensor]:
    """Samples for the seeds 0 ... samples - 1, a part at a time."""
    for start in range(0, samples, BATCH):
        yield generator.sample(seeds=list(range(start, min(start + BATCH, samples))))
