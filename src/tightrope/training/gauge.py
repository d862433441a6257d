"""The gauge: what a guardian is told of a game at a tick, beside terms, signals and samples. Reading it changes no bit of a run.

| name | what |
|---|---|
| balance/lead | 2 P(D(real) > D(fake)) - 1 over the last moves: 1 where D tells all apart, 0 where it cannot |
| grad/PLAYER | norm of the gradient of the player's last measured move |
| update/PLAYER | norm of that move's change over the norm of the weights |
| spectrum/PLAYER | the largest singular value among its weight matrices, over that at the start |
| critic/train, critic/held_out, critic/fake | mean logits on real samples D learns from, on others, on fresh generated ones |
| critic/overfit | (train - held_out) / (train - fake), Karras et al. 2020, equation 1: 0 is none, 1 knows them by heart |
| critic/sure | E[sign D(real)], ADA's r_t |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tightrope.core import seeds
from tightrope.core.data import Dataset
from tightrope.core.game import told
from tightrope.training.game import Game
from tightrope.training.meter import Meter

ITERATIONS = 3  # of the power method, always from the same vector: stateless, and the same error every time
JUDGED = 128  # samples of each kind that D judges at a tick, to the next batch (packs and groups of samples divide it)
Logits = Callable[[dict[str, nn.Module], Tensor, Tensor | None], Tensor]


class HeldOut(NamedTuple):
    """Real samples that D does not learn from, and how to ask D."""

    learned: Dataset
    others: Dataset
    logits: Logits


class Gauge:
    """Reads one game.

    Args:
        held_out: shows whether D knows its data by heart; None where there is none.
    """

    def __init__(self, game: Game, held_out: HeldOut | None = None) -> None:
        self.game, self.held_out = game, held_out
        self._judged = max(1, JUDGED // game.recipe.batch) * game.recipe.batch
        self._first = {name: spectrum(net) for name, net in game.nets.items()}
        self._ask()

    def _ask(self) -> None:
        for optimizer in self.game.optimizers.values():
            optimizer.measure = True

    def state(self) -> dict[str, Tensor]:
        """The measured steps, and who is still to be measured, for a checkpoint."""
        found = {f"asked/{player}": torch.tensor(optimizer.measure) for player, optimizer in self.game.optimizers.items()}
        measured = {f"measured/{player}": optimizer.measured for player, optimizer in self.game.optimizers.items()}
        return found | {name: value for name, value in measured.items() if value is not None}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        for player, optimizer in self.game.optimizers.items():
            optimizer.measure, optimizer.measured = bool(state[f"asked/{player}"]), state.get(f"measured/{player}")

    @torch.no_grad()
    def read(self, meter: Meter) -> dict[str, float]:
        """The values there are, by name."""
        lead = meter.lead()
        values = {} if lead is None else {"balance/lead": lead}
        for player, optimizer in self.game.optimizers.items():
            if optimizer.measured is not None:
                gradient, update = optimizer.measured.tolist()
                values |= {f"grad/{player}": gradient, f"update/{player}": update}
            if self._first[player] > 0:
                values[f"spectrum/{player}"] = spectrum(self.game.nets[player]) / self._first[player]
        self._ask()
        return values | (self._overfit(self.held_out) if self.held_out else {})

    def _overfit(self, held_out: HeldOut) -> dict[str, float]:
        game, dice = self.game, seeds.generator(self.game.seed, "held out", self.game.seen)
        critic = game.nets["D"]
        modes = {module: module.training for module in critic.modules()}
        critic.eval()
        means = {}
        with game.engine.autocast():
            for name, source in (("train", held_out.learned), ("held_out", held_out.others)):
                index = torch.randint(len(source), (self._judged,), generator=dice)
                index, labels = game.recipe.drawn(source, index, dice)
                x = game.engine.bring(source.batch(index))
                means[name] = held_out.logits(game.nets, x, None if labels is None else game.engine.bring(labels)).float()
            z = game.engine.bring(game.recipe.latents(self._judged, dice))
            asked = labels if labels is None else game.engine.bring(labels)
            fake = game.recipe.sample(game.average.nets, z, told(game.recipe, asked))
            means["fake"] = held_out.logits(game.nets, fake, asked).float()
        for module, mode in modes.items():
            module.training = mode
        train, held, fakes, sure = torch.stack(
            [means["train"].mean(), means["held_out"].mean(), means["fake"].mean(), means["train"].sign().mean()]
        ).tolist()
        span = train - fakes
        figures = {"critic/train": train, "critic/held_out": held, "critic/fake": fakes, "critic/sure": sure}
        return figures | ({"critic/overfit": (train - held) / span} if span > 1e-6 else {})


@torch.no_grad()
def spectrum(net: nn.Module) -> float:
    """The largest singular value among a network's weight matrices, by a few steps of the power method; 0 where it has none."""
    found = [_norm(p.detach().flatten(1).float()) for p in net.parameters() if p.dim() > 1]
    return torch.stack(found).max().item() if found else 0.0


def _norm(matrix: Tensor) -> Tensor:
    v = torch.ones(matrix.shape[1], device=matrix.device) / matrix.shape[1] ** 0.5
    for _ in range(ITERATIONS):
        u = torch.nn.functional.normalize(matrix @ v, dim=0)
        v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
    return (matrix @ v).norm()
