"""Care before a run: what is wrong from the start, and the range of rates that each player can use. Told, never acted upon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from tightrope.balance import startup
from tightrope.core.data import Dataset
from tightrope.core.game import Recipe
from tightrope.options import Options
from tightrope.training import ranges
from tightrope.training.engine import Engine
from tightrope.training.events import Events


def examine(
    recipe: Recipe, nets: Mapping[str, nn.Module], dataset: Dataset, engine: Engine, record: Mapping[str, Any], options: Options
) -> dict[str, Any]:
    """What run.json holds of it: "warnings" and "rate_test", where the options ask for them.

    Args:
        record: run.json so far: the budget, the measured speed, the seed.
    """
    found: dict[str, Any] = {}
    if options.care:
        start = startup.survey(recipe, nets, dataset.spec, expected(record), engine.processes)
        found["warnings"] = [caution.to_json() for caution in startup.look(start)]
    if options.rate_test and engine.chief:
        found["rate_test"] = ranges.test(recipe, dataset, engine, seed=record["seed"]).to_json()
    return found


def expected(record: Mapping[str, Any]) -> float:
    """Real samples of the whole run: its budget, or its minutes at the speed that was measured before (0: none was).

    That speed is of small batches, each of which every player moves on once: a lower bound where batches are large.
    """
    budget = record["budget"]
    speed = record.get("probe", {}).get(record.get("precision"), 0.0)
    return float(budget["seen"] or (budget["minutes"] or 0.0) * 60 * speed)


def tell(events: Events, record: Mapping[str, Any]) -> None:
    """The warnings and the finding of the range test as events, in this order."""
    for caution in record.get("warnings", ()):
        events.write("warning", name=caution["name"], message=caution["sentence"])
    tested = record.get("rate_test", {})
    for player, found in tested.get("players", {}).items():
        events.write("rate", player=player, message=found["sentence"])
    for player, reason in tested.get("skipped", {}).items():
        events.write("rate", player=player, message=f"rate of {player} not tested: {reason}")
