"""The words every other room is written in: recipes, phases, terms, knobs, data, seeds, files, errors.

The modules are imported one by one (`from tightrope.core.game import Terms`), because half of them do not need torch
and the command line answers its errors without importing it.
"""
