"""Differentiable augmentation, shown to D on reals and fakes alike."""
