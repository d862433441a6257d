"""Adversarial losses: pure functions over logits (`adversarial`), and both players from one backward pass (`one_pass`)."""

from tightrope.objectives.adversarial import ALL, Objective, minimax, non_saturating, relativistic
from tightrope.objectives.one_pass import gradient_ratio, teach_generator

__all__ = ["ALL", "Objective", "gradient_ratio", "minimax", "non_saturating", "relativistic", "teach_generator"]
