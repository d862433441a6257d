"""Judges of generated samples: distances to the real data, shares of classes, counts of modes. See docs/metrics.md."""
