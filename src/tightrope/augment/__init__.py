"""Differentiable augmentation, shown to D on reals and fakes alike (`diffaugment`)."""

from tightrope.augment.diffaugment import augment, colour, translate

__all__ = ["augment", "colour", "translate"]
