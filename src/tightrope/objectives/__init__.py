"""Losses: adversarial ones over logits (`adversarial`, `divergences`), those of classes and codes (`classes`), BEGAN's (`began`),
matching (`matching`), and what shapes them (`shaping`)."""

from tightrope.objectives.adversarial import (
    Objective,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    relativistic,
    relativistic_average,
    wasserstein,
)
from tightrope.objectives.divergences import js, kl, pearson, reverse_kl

_CLASSIC = (minimax, non_saturating, least_squares, hinge, wasserstein, relativistic, relativistic_average)
ALL = {objective.name: objective for objective in (*_CLASSIC, kl, reverse_kl, pearson, js)}

__all__ = [
    "ALL",
    "Objective",
    "hinge",
    "js",
    "kl",
    "least_squares",
    "minimax",
    "non_saturating",
    "pearson",
    "relativistic",
    "relativistic_average",
    "reverse_kl",
    "wasserstein",
]
