"""Where a game and a guardian meet: the facts that a guardian is given of a recipe's game."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tightrope.balance.decision import Facts
from tightrope.balance.guardian import Guardian
from tightrope.core.rates import weight_size
from tightrope.core.spec import DataSpec
from tightrope.objectives import ALL
from tightrope.steadied import Steadied
from tightrope.training.game import Game


def _ideals(recipe: Any) -> dict[str, float]:
    """D's loss at balance, where the recipe names an objective that has one."""
    objective = ALL.get(str(getattr(recipe, "objective", "")))
    return {"D": objective.ideal} if objective and objective.ideal else {}


def guardian_for(
    game: Game, spec: DataSpec, seen: float, *, act: bool, target: Mapping[str, float] | None = None, safer: bool = False
) -> Guardian:
    """A guardian of this game.

    Args:
        seen: samples of the whole run, as far as is known.
        act: whether it may turn knobs and go back; False: it only says what it sees.
        target: figures of the samples that are good enough, name to least value.
        safer: whether it may change the objective.
    """
    recipe = game.recipe
    rates = {player: optimizer.rule.lr for player, optimizer in game.optimizers.items()}
    sizes = {player: weight_size(game.nets[player]) or 0.0 for player in rates}
    knobs = recipe.knobs if isinstance(recipe, Steadied) else frozenset()
    facts = Facts(
        rates=rates, sizes=sizes, knobs=knobs, numbers=math.prod(spec.shape), steps=seen / recipe.batch,
        target=dict(target or {}), safer=safer, ideals=_ideals(recipe),
        momentum={player: float(getattr(optimizer.rule, "beta1", 0.0)) for player, optimizer in game.optimizers.items()},
    )  # fmt: skip
    return Guardian(facts, act=act)
