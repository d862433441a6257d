"""Which generated pictures are training pictures again, and whether what is left lies too near to them to be given away.

Axes: n training pictures, m generated ones, C channel, H W pixels, d features, v variants.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tightrope.core.seeds import generator
from tightrope.core.spec import DataSpec
from tightrope.data import Images
from tightrope.metrics import features
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.judge import BATCH, judge_for
from tightrope.metrics.memorisation import authenticity, copies
from tightrope.metrics.neighbours import nearest

FLAT = 1e-3  # standard deviation below which a picture is of one colour
SURE = 2.58  # standard errors: one class in 200 is refused by chance
COMPARED = 32  # pixels of a side, at most, at which pixels are compared


class Audit(NamedTuple):
    """What was found.

    Attributes:
        copied: which pictures are a training picture again: by the judge's features, or by pixels whatever the light and the
            contrast, shifted by a pixel, or mirrored.
        null: share of the training pictures that are as near to another one.
        authentic: share of the other pictures that are farther from their training picture than that one from its own
            nearest (Alaa et al. 2022): by the judge's features or by pixels, whichever says less beside its null.
        authentic_null: the same of one half of the training pictures beside the other half.
        tolerance: how far below its null `authentic` may be by chance.
    """

    copied: Bool[Tensor, " m"]
    null: float
    authentic: float
    authentic_null: float
    tolerance: float

    @property
    def fails(self) -> bool:
        """What is left after the copies are dropped lies nearer to the training pictures than fresh pictures would."""
        return not bool((~self.copied).any()) or self.authentic < self.authentic_null - self.tolerance


def audit(train: Float[Tensor, "n C H W"], made: Float[Tensor, "m C H W"]) -> Audit:
    """Look for copies among generated pictures of the class that `train` holds.

    Raises:
        InputError: fewer than 2 different training pictures.
    """
    extractor = judge_for(DataSpec(modality="images", shape=tuple(train.shape[1:])))
    real, fake = (_features(extractor, x) for x in (train, made))
    seen, again = copies(real, fake), _pixel_copies(train, made)
    copied = seen.copied | again[0]
    spaces = (real, fake[~copied]), (_even(train), _even(made)[~copied])
    said = min((_authentic(*space) for space in spaces), key=lambda each: each[0] - each[1])
    return Audit(copied, max(seen.null, again[1]), *said)


def _features(extractor: Extractor, images: Float[Tensor, "n C H W"]) -> Float[Tensor, "n d"]:
    return features.read(extractor, (Images().to_array(part) for part in images.split(BATCH))).values


def _pixel_copies(train: Float[Tensor, "n C H W"], made: Float[Tensor, "m C H W"]) -> tuple[Bool[Tensor, " m"], float]:
    """As `copies`, of pixels, with each training picture also mirrored and shifted by a pixel."""
    plain = copies(_even(train), _even(made))
    found = plain.copied
    for variant in _variants(train):
        found = found | (nearest(_even(made), _even(variant)).distance[:, 0] < plain.scale)
    return found, plain.null


def _variants(x: Float[Tensor, "n C H W"]) -> Iterator[Float[Tensor, "n C H W"]]:
    """Mirrored or not, moved by a pixel or not to each side; what augmentation would give away of a picture."""
    for image in (x, x.flip(3)):
        padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
        for down in range(3):
            for right in range(3):
                yield padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]


def _even(x: Float[Tensor, "n C H W"]) -> Float[Tensor, "n d"]:
    """Pixels in units of each picture's own contrast, about its mean."""
    if x.shape[-1] > COMPARED:
        x = F.interpolate(x, (COMPARED, COMPARED), mode="bilinear", antialias=True)
    flat = x.flatten(1)
    return (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True).clamp_min(FLAT)


def _authentic(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> tuple[float, float, float]:
    """Authenticity, that of either half of the real pictures beside the other, and how far below it chance may bring it."""
    order = torch.randperm(len(real), generator=generator(0, "audit"))
    one, other = real[order[: len(real) // 2]], real[order[len(real) // 2 :]]
    share = (authenticity(one, other) * len(other) + authenticity(other, one) * len(one)) / len(real)
    # the share of few pictures may be 0 or 1 by chance: two more of either kind (Agresti and Coull 1998)
    safe = (share * len(real) + 2) / (len(real) + 4)
    error = math.sqrt(safe * (1 - safe) * (1 / len(real) + 1 / max(1, len(fake))))
    return authenticity(real, fake) if len(fake) else 0.0, share, SURE * error
