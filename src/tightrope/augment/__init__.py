"""Differentiable augmentation, shown to D on reals and fakes alike (`diffaugment`, `ada`), and how much of it (`controller`)."""

from collections.abc import Callable

from torch import Tensor

from tightrope.augment.ada import BGC, BGCFNC, BLIT, Policy, adaptive
from tightrope.augment.controller import AdaptiveProbability, pretended, probability
from tightrope.augment.diffaugment import augment, colour, cutout, translate

AUGMENTATIONS: dict[str, Callable[[Tensor, float | Tensor], Tensor]] = {
    "diffaugment": augment,
    "ada": adaptive,
    "apa": lambda x, p: x,  # changes which samples D is told are real, not what they look like
}

__all__ = [
    "AUGMENTATIONS",
    "BGC",
    "BGCFNC",
    "BLIT",
    "AdaptiveProbability",
    "Policy",
    "adaptive",
    "augment",
    "colour",
    "cutout",
    "pretended",
    "probability",
    "translate",
]
