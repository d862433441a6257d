"""Regularisers: pure functions of a critic and points (`gradient`)."""

from tightrope.penalties.gradient import r1, r2, squared_gradient

__all__ = ["r1", "r2", "squared_gradient"]
