"""Whether generated pictures help a classifier of few pictures: ways side by side, how much chosen on real pictures alone.

Every way trains the same network by the same number of updates; what differs is what a batch holds. Real pictures that were kept
apart say which is better.

Axes: n pictures, C channel, H W pixels, K classes.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.labels import slugs
from tightrope.core.seeds import derive
from tightrope.data import Images
from tightrope.scarce import makers
from tightrope.scarce.classic import may_flip
from tightrope.scarce.classifier import Lesson, learn, score
from tightrope.scarce.copies import Audit
from tightrope.scarce.makers import Makers
from tightrope.scarce.pictures import Pictures

SHARES = (0.25, 0.5, 0.75)  # of a class's places in a batch: how much generated pictures may have
MADE = 500  # of a class: enough that a share of the batches seldom holds one twice
FOLDS = 2


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to make more of few pictures.

    Attributes:
        name: as tables call it.
        lesson: how the classifier learns.
        generated: from pictures of the GAN too.
    """

    name: str
    lesson: Lesson
    generated: bool = False


BASELINE = "class weights + classic"
WAYS = (
    Way("none", Lesson()),
    Way("class weights", Lesson(balanced=True)),
    Way(BASELINE, Lesson(balanced=True, classic=True)),
    Way("classic + mixup", Lesson(balanced=True, classic=True, mixed=True)),
    Way("GAN", Lesson(balanced=True), generated=True),
    Way("GAN + classic", Lesson(balanced=True, classic=True), generated=True),
    Way("GAN + classic + mixup", Lesson(balanced=True, classic=True, mixed=True), generated=True),
)


def measure(way: Way, train: Pictures, test: Pictures, seed: int, made: Pictures | None = None, share: float = 0.5) -> float:
    """Balanced accuracy on `test` of a classifier that has learned `train` in this way.

    Args:
        made: generated pictures, for ways that take them; with None these are the same way without.
        share: of a class's places in a batch that they take.
    """
    flips = way.lesson.classic and may_flip(train.images, train.labels)
    lesson = dataclasses.replace(way.lesson, flips=flips)
    return score(learn(train, lesson, seed, made if way.generated and share > 0 else None, share), test)


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one seed says: balanced accuracy by way, and the audit of the generated pictures of each class."""

    scores: dict[str, float]
    audits: list[Audit]


def trial(train: Pictures, test: Pictures, minutes: float, seed: int, share: float = 0.5) -> Trial:
    """Every way of one seed, side by side: generators of `minutes`, and a classifier a way."""
    made, audits = makers.train(train, minutes, seed).fill(MADE, seed)
    return Trial({way.name: measure(way, train, test, seed, made, share) for way in WAYS}, audits)


def chosen_share(way: Way, pictures: Pictures, minutes: float, seed: int, folds: int = FOLDS) -> dict[float, float]:
    """Mean balanced accuracy of a way at each share, and at 0, on real pictures that no generator or classifier saw.

    Takes `folds` trainings of the generators, `minutes` each.
    """
    found: dict[float, list[float]] = {share: [] for share in (0.0, *SHARES)}
    parts = pictures.folds(folds, seed)
    for i, held in enumerate(parts):
        rest = pictures.at(_others(parts, i))
        made, _ = makers.train(rest, minutes, derive(seed, "fold", i) % 2**31).fill(MADE, seed)
        for share, values in found.items():
            values.append(measure(way, rest, pictures.at(held), derive(seed, "fold", i), made, share))
    return {share: statistics.fmean(values) for share, values in found.items()}


def write(makers_: Makers, folder: Path, count: int, seed: int = 0) -> list[Audit]:
    """`count` pictures of every class as `folder/CLASS/000001.png`: audited before the first is written, copies dropped.

    Raises:
        InputError: what is left of a class lies nearer to its training pictures than fresh pictures would; nothing is written.
    """
    names = makers_.pictures.classes
    drawn = [makers_.audited(k, count, seed) for k in range(len(names))]
    for name, (_, found) in zip(names, drawn, strict=True):
        if found.fails:
            raise InputError(
                f"class {name}: the generated pictures lie too near to the training pictures ({found.authentic:.0%} authentic, "
                f"fresh ones would be {found.authentic_null:.0%}): nothing is written; give more pictures, or more minutes."
            )
    for slug, (made, _) in zip(slugs(names), drawn, strict=True):
        Images().save(made, [f"{i:06d}" for i in range(len(made))], folder / slug)
    return [found for _, found in drawn]


def _others(parts: Sequence[Int64[Tensor, " m"]], left_out: int) -> Int64[Tensor, " n"]:
    """The indices of all parts but one."""
    return torch.cat([part for i, part in enumerate(parts) if i != left_out])
