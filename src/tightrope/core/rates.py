"""Learning rates beside the weights that they move."""

from __future__ import annotations

import dataclasses
import statistics

import torch
from torch import nn

from tightrope.core.rules import SGD, Lookahead, Rule


def weight_size(net: nn.Module) -> float | None:
    """The median of the root mean squares of the weight matrices and kernels; None where there are none.

    Weights that start at 0 are left out, and so are biases and gains, whose rates nobody chooses. A constant that scales a
    weight in the forward pass (equalised rates) or a norm that divides it (spectral) does not change what a step is a share of.
    """
    weights = [p.detach() for p in net.parameters() if p.dim() > 1]
    if not weights:
        return None
    squares = torch.stack([w.square().mean().float() for w in weights]).sqrt().tolist()
    sizes = [size for size in squares if size > 0]
    return statistics.median(sizes) if sizes else None


def normalised(rule: Rule) -> bool:
    """True where a step is about the rate, whatever the size of the gradient: every rule but gradient descent."""
    return not isinstance(rule.inner if isinstance(rule, Lookahead) else rule, SGD)


def with_rate(rule: Rule, rate: float) -> Rule:
    """The same rule at another learning rate."""
    if isinstance(rule, Lookahead):
        return dataclasses.replace(rule, inner=dataclasses.replace(rule.inner, lr=rate))
    return dataclasses.replace(rule, lr=rate)
