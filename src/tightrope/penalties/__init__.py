"""Regularisers: pure functions of a critic and points (`gradient`), of logits (`consistency`, `lecam`), of weights (`weights`),
of all players' gradients (`consensus`)."""

from tightrope.penalties.consensus import consensus, field, followed
from tightrope.penalties.consistency import balanced, consistency, latent_spread, nearby
from tightrope.penalties.gradient import distance, dragan, interpolated, r1, r2, squared, squared_gradient, with_gradient
from tightrope.penalties.lecam import LeCam, lecam
from tightrope.penalties.weights import clip_, orthogonal

__all__ = [
    "LeCam",
    "balanced",
    "clip_",
    "consensus",
    "consistency",
    "distance",
    "dragan",
    "field",
    "followed",
    "interpolated",
    "latent_spread",
    "lecam",
    "nearby",
    "orthogonal",
    "r1",
    "r2",
    "squared",
    "squared_gradient",
    "with_gradient",
]
