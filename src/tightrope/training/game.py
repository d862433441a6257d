"""The state of a run: networks, averages, optimizers and counters, all that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tightrope.core import seeds
from tightrope.core.game import Knobs, Networks, Recipe
from tightrope.core.spec import DataSpec
from tightrope.core.turns import Turns
from tightrope.training.average import Average
from tightrope.training.engine import Engine
from tightrope.training.optimizers import Optimizer


class Game:
    """Builds every player from (recipe, spec, seed).

    Args:
        begin: brings the fresh networks to where the run begins, before averages and optimizers know them.

    Attributes:
        seen: real samples shown to D so far.
        round: rounds played; a round is every phase once.
        draws: batches drawn.
        seconds: wall time spent training, over all starts.
        turns: what a guardian has done to the knobs.
    """

    def __init__(
        self, recipe: Recipe, spec: DataSpec, engine: Engine, seed: int, begin: Callable[[Networks], None] | None = None
    ) -> None:
        self.recipe, self.spec, self.engine, self.seed = recipe, spec, engine, seed
        torch.manual_seed(seeds.derive(seed, "init"))
        self.nets: dict[str, nn.Module] = {name: engine.place(net).train() for name, net in recipe.networks(spec).items()}
        if begin:
            begin(self.nets)
        self.average = Average(self.nets, recipe.AVERAGED, recipe.BUFFERS)
        self.optimizers = {name: Optimizer(self.nets[name], rule) for name, rule in recipe.optimizers().items()}
        self._parameters = {name: list(net.parameters()) for name, net in self.nets.items()}
        self.seen = self.round = self.draws = 0
        self.seconds = 0.0
        self.turns = Turns()

    def knobs(self, progress: float) -> Knobs:
        """The recipe's schedule, with the turns laid over it."""
        return self.turns.over(self.recipe.schedule(self.seen, progress), self.seen, progress)

    def only(self, movers: tuple[str, ...]) -> None:
        """Let gradients reach these players and freeze the others, whose weight gradients are then never computed."""
        for name, parameters in self._parameters.items():
            if parameters and parameters[0].requires_grad != (name in movers):
                for parameter in parameters:
                    parameter.requires_grad_(name in movers)

    def parameters(self) -> dict[str, int]:
        """Number of parameters of each player."""
        return {name: sum(p.numel() for p in net.parameters()) for name, net in self.nets.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, by a path-like name."""
        state: dict[str, Tensor] = {"rng/torch": torch.get_rng_state()}
        for prefix, nets in (("net", self.nets), ("average", self.average.nets)):
            state |= {f"{prefix}/{p}/{k}": v for p, net in nets.items() for k, v in net.state_dict().items()}
        state["average/copies"] = torch.tensor(self.average.copies)
        for player, optimizer in self.optimizers.items():
            state |= {f"optimizer/{player}/{key}": value for key, value in optimizer.state().items()}
        if self.engine.device.type == "cuda":
            state["rng/cuda"] = torch.cuda.get_rng_state(self.engine.device)
        return state

    def counters(self) -> dict[str, Any]:
        now = {"seen": self.seen, "round": self.round, "draws": self.draws, "seconds": self.seconds}
        return now if self.turns.neutral else {**now, "turns": self.turns.to_json()}

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """Take up a saved state, exactly."""
        self.rewind(tensors)
        torch.set_rng_state(tensors["rng/torch"].to("cpu", torch.uint8))
        if "rng/cuda" in tensors and self.engine.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["rng/cuda"].to("cpu", torch.uint8), self.engine.device)
        self.seen, self.round, self.draws = (int(counters[key]) for key in ("seen", "round", "draws"))
        self.seconds = float(counters["seconds"])
        self.turns = Turns.from_json(counters.get("turns", {}))

    def rewind(self, tensors: dict[str, Tensor]) -> None:
        """Take up a saved state's networks, averages and optimizers; the clock and what is drawn go on."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

        for prefix, nets in (("net", self.nets), ("average", self.average.nets)):
            for player, net in nets.items():
                net.load_state_dict(under(f"{prefix}/{player}/"))
        for player, optimizer in self.optimizers.items():
            optimizer.restore(under(f"optimizer/{player}/"))
        copies = tensors.get("average/copies")  # files from before there was this have none
        self.average.restored(None if copies is None else bool(copies))
