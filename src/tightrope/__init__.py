"""Tightrope trains, steadies, judges and serves generative adversarial networks.

    import tightrope
    run = tightrope.train("swift", "fashion", minutes=10)
    images = tightrope.load(run.path).sample(64)

Importing the package imports neither torch nor any recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tightrope import explore, interop, translate
    from tightrope.api import Options, Run, doctor, evaluate, leaderboard, load, resume, train
    from tightrope.companion import Guardian
    from tightrope.synthesizer import TableSynthesizer

__all__ = [
    "Guardian", "Options", "Run", "TableSynthesizer", "doctor", "evaluate", "explore", "interop", "leaderboard", "load",
    "resume", "train", "translate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        if name in ("explore", "interop", "translate"):
            return importlib.import_module(f"tightrope.{name}")
        home = {"Guardian": "companion", "TableSynthesizer": "synthesizer"}.get(name, "api")
        return vars(importlib.import_module(f"tightrope.{home}"))[name]
    raise AttributeError(f"module 'tightrope' has no attribute {name!r}")
