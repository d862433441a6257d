"""The loop and what stands around it: engine, feed, optimizers, averages, checkpoints, events, previews, budget.

Knows phases and nothing of GANs; meets recipes and data through `tightrope.core`'s protocols alone.
"""
