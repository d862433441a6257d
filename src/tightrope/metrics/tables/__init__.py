"""Judging tables: one small pure function a figure, each read against held-out real rows in the place of the generated ones.

from tightrope.metrics.tables.columns import Columns
from tightrope.metrics.tables.quality import quality
real, fake = Columns(values, kinds), Columns(others, kinds)  # {"age": floats, "sex": texts}, {"age": "number", "sex": "category"}
print(quality(real, fake))
"""
