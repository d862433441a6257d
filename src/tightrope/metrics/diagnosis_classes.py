"""The sixth question of `metrics.diagnosis`: are samples that were made for classes what was asked for?

Two faults have names. Samples that ignore their classes are recognised about as often as chance would have it. Samples that
mix classes up are recognised, but some class comes out as another, or too many do.

Axes: N samples, K classes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.metrics.by_class import confusions, expected_accuracy
from tightrope.metrics.diagnosis_checks import SCATTER, SHOWN, Finding

IGNORES, MIXES = "ignores its classes", "mixes up classes"
# share kept of the way from chance to real data's accuracy; real data keeps 0.9 and more
IGNORED, MIXED = 0.3, 0.7
PAIR = 0.25  # of the samples of one class, read as one other, beyond all that the classifier misreads of it
DEPENDS = 0.5  # of what perfect obedience gives: from here on what comes depends on the class, if not as it should
LEAST_ASKED = 20  # samples of a class that are enough to judge it
LEAST_POWER = 0.2  # between chance and real data's accuracy: a classifier that reads no better can say nothing


class Pair(NamedTuple):
    """A class that comes out as another: the share of its samples, and how far that is beyond what may be."""

    asked: int
    read: int
    share: float
    excess: float


def obeying(
    classes: tuple[str, ...], read: Int64[Tensor, " N"], asked: Int64[Tensor, " N"], usual: Float[Tensor, " K"]
) -> Finding:
    """Whether samples are of the classes they were made for.

    Evidence: `misread`, indices of samples that were read as another class, those of the worst pair first.

    Args:
        read: the class that a classifier at home in the data sees in each sample.
        asked: the class that each sample was made for.
        usual: share of real samples of each class that the classifier recognises.
    """
    counts = confusions(read, asked, len(classes)).double()
    n = len(asked)
    accuracy, null = (counts.diagonal().sum() / n).item(), expected_accuracy(usual, asked)
    chance = ((counts.sum(0) / n) @ (counts.sum(1) / n)).item()
    worst = _worst_pair(counts, usual)
    kept = (accuracy - chance) / (null - chance) if null - chance > LEAST_POWER else math.inf
    clear = null - accuracy > SCATTER * (null * (1 - null) / n) ** 0.5
    said = f"{accuracy:.1%} of the samples are recognised as the class they were made for, where {null:.1%} of real ones are."
    name, alarm = IGNORES, False
    if kept < IGNORED and clear and _dependence(counts) < DEPENDS:
        alarm, said = True, f"The samples do not follow their classes: {said[:-1]} and chance gives {chance:.1%}."
    elif worst is not None or (kept < MIXED and clear):
        name, alarm, said = MIXES, True, f"{_in_words(worst, counts, usual, classes)}{said}"
    misread = (read != asked).nonzero().flatten().tolist()
    if worst is not None:
        misread.sort(key=lambda i: (int(asked[i]), int(read[i])) != (worst.asked, worst.read))
    return Finding(name=name, alarm=alarm, figure=accuracy, null=null, sentence=said, evidence={"misread": misread[:SHOWN]})


def _dependence(counts: Float[Tensor, "K K"]) -> float:
    """How far what is read depends on what was asked: mean total variation between a class's row and all samples together,
    over that of samples that obey; 0 where no class was asked for often enough to tell."""
    judged = counts[counts.sum(1) >= LEAST_ASKED]
    if len(judged) < 2:
        return 0.0
    weights, together = judged.sum(1) / judged.sum(), judged.sum(0) / judged.sum()
    apart = (judged / judged.sum(1, keepdim=True) - together).abs().sum(1) / 2
    return ((weights @ apart) / (1 - weights.square().sum())).item()


def _worst_pair(counts: Float[Tensor, "K K"], usual: Float[Tensor, " K"]) -> Pair | None:
    """The class that comes out most as one other, beyond PAIR and chance."""
    many = counts.sum(1)
    shares = counts / many.clamp(min=1)[:, None]
    limit = 1 - usual + torch.clamp(SCATTER * (0.25 / many.clamp(min=1)).sqrt(), min=PAIR)
    excess = shares - limit[:, None]
    excess[many < LEAST_ASKED] = -1
    excess.fill_diagonal_(-1)
    place = int(excess.argmax())
    asked, read = divmod(place, len(counts))
    if excess[asked, read] <= 0:
        return None
    return Pair(asked, read, shares[asked, read].item(), excess[asked, read].item())


def _in_words(worst: Pair | None, counts: Float[Tensor, "K K"], usual: Float[Tensor, " K"], classes: tuple[str, ...]) -> str:
    if worst is None:
        return "Classes are mixed up: "
    asked, read = classes[worst.asked], classes[worst.read]
    back = (counts[worst.read, worst.asked] / counts[worst.read].sum().clamp(min=1)).item()
    both = back > 1 - usual[worst.read].item() + PAIR
    first = f"{asked} and {read} are mixed up" if both else f"{asked} comes out as {read}"
    return f"{first} ({worst.share:.0%} of the samples made as {asked} are read as {read}). "
