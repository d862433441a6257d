"""Adversarial losses: pure functions over logits (`tightrope.objectives.adversarial`)."""

from tightrope.objectives.adversarial import ALL, Objective, minimax, non_saturating, relativistic

__all__ = ["ALL", "Objective", "minimax", "non_saturating", "relativistic"]
