"""Where a run begins: which weights fit, what is recorded of it, and how networks are brought there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.game import Networks, Recipe
from tightrope.core.spec import DataSpec
from tightrope.recipes import FEW, Header
from tightrope.training.engine import Engine
from tightrope.training.events import Events
from tightrope.training.game import Game
from tightrope.transfer.freezing import hold, layers
from tightrope.transfer.reading import Source, files_of, read

LEAST = 0.5  # share of the weights that samples are made with
SHOWN = 3  # fresh tensors that a sentence names
ADA = {"augmentation": "ada", "augment": 0.0, "augment_target": 0.6, "augment_images": 100_000.0}


@dataclasses.dataclass(frozen=True)
class Fit:
    """How a network and trained weights go together.

    Attributes:
        taken: what goes into the network.
        fresh: names of the network's other tensors, and why there is nothing for them.
        unused: number of tensors that have no place in the network.
        share: of the network's parameters that is taken, in numbers.
    """

    taken: Mapping[str, Tensor]
    fresh: Mapping[str, str]
    unused: int
    share: float

    def to_json(self) -> dict[str, Any]:
        return {"taken": len(self.taken), "fresh": dict(self.fresh), "unused": self.unused, "share": self.share}


def fit(net: nn.Module, found: Mapping[str, Tensor]) -> Fit:
    """Match a network's tensors with trained ones by name and shape."""
    own = net.state_dict()
    taken = {name: found[name] for name, here in own.items() if name in found and found[name].shape == here.shape}
    sizes = {name: parameter.numel() for name, parameter in net.named_parameters()}
    fresh = {
        name: f"{tuple(found[name].shape)} there, {tuple(here.shape)} here" if name in found else "not there"
        for name, here in own.items()
        if name not in taken
    }
    share = sum(size for name, size in sizes.items() if name in taken) / max(1, sum(sizes.values()))
    return Fit(taken, fresh, len(found.keys() - taken.keys()), share)


def plan(
    recipe: Recipe, spec: DataSpec, engine: Engine, start: str | Path | None, freeze: int | None, steered: Mapping[str, Any]
) -> dict[str, Any]:
    """What run.json holds of it, "start": what is taken from where, and which layers of D will stay. Empty without a start.

    Args:
        steered: what `few` returned.

    Raises:
        InputError: there are no weights, (nearly) none of them fit, or the layers to be held are not there or not trained.
    """
    if start is None:
        return {}
    path = Path(start).resolve()
    source, game = read(files_of(path)), Game(recipe, spec, Engine(str(engine.device)), seed=0)
    fits = {player: fit(net, source.weights.get(player, {})) for player, net in _learners(game.nets).items()}
    _require_enough(path, [fits[player] for player in recipe.AVERAGED])
    found = {
        "source": str(path),
        "files": dict(source.files),
        "facts": dict(source.facts),
        "players": {player: found.to_json() for player, found in fits.items()},
        "freeze": freeze,
        "frozen": _first(game, freeze, fits.get("D")) if freeze else [],
        "augmentation": dict(steered),
    }
    return {"start": found}


def _learners(nets: Networks) -> dict[str, nn.Module]:
    """Players with weights; what others remember (how much to augment ...) is of their own run."""
    return {player: net for player, net in nets.items() if next(net.parameters(), None) is not None}


def _require_enough(path: Path, fits: Sequence[Fit]) -> None:
    share = min(found.share for found in fits)
    if share < LEAST:
        reason = next(f"{name}: {why}" for found in fits for name, why in found.fresh.items())
        raise InputError(
            f"--from {path}: only {share:.0%} of the generator's weights fit the one to be trained ({reason}); "
            "name weights of this recipe, train it with the fields they were trained with, or leave out --from."
        )


def _first(game: Game, count: int, found: Fit | None) -> list[str]:
    """The modules of D's first layers, all of which trained weights fit."""
    if found is None:
        raise InputError(f"--freeze {count}: this recipe has no player D whose layers could be held; leave it out.")
    groups = layers(game)
    if count >= len(groups):
        raise InputError(f"--freeze {count}: D has {len(groups)} layers or blocks and one at least must learn; hold fewer.")
    names = [name for group in groups[:count] for name in group]
    for parameter, _ in game.nets["D"].named_parameters():
        if parameter in found.fresh and parameter.startswith(tuple(f"{name}." for name in names)):
            why = found.fresh[parameter]
            raise InputError(f"--freeze {count}: {parameter} of D would be held untrained ({why}); hold fewer layers, or none.")
    return names


@dataclasses.dataclass(frozen=True)
class Beginning:
    """Brings freshly built networks to where a run begins.

    Attributes:
        record: run.json's "start".
        weights: the trained ones are read and put in; False where a checkpoint has all that the run needs.
    """

    record: Mapping[str, Any]
    weights: bool

    def __call__(self, nets: Networks) -> None:
        if self.weights:
            found = self._source().weights
            for player, net in _learners(nets).items():
                net.load_state_dict(fit(net, found.get(player, {})).taken, strict=False)
        hold(nets, self.record["frozen"])

    def _source(self) -> Source:
        """The very files that were there when the run was planned."""
        files = self.record["files"]
        for file in files:
            if not Path(file).is_file():
                raise InputError(f"{file}: is gone, and the run that starts from it has no checkpoint yet; bring it back.")
        source = read([Path(file) for file in files])
        if source.files != files:
            raise InputError(f"{self.record['source']}: has changed since the run that starts from it began; start a new run.")
        return source


def beginning(record: Mapping[str, Any], weights: bool) -> Beginning | None:
    """A run's beginning by run.json; None where that is what its seed makes."""
    return Beginning(record["start"], weights) if record.get("start") else None


def few(
    start: str | Path | None, header: Header, preset: str | None, fields: Mapping[str, Any], spec: DataSpec
) -> dict[str, Any]:
    """Fields for a run from trained weights on few images: adaptive augmentation, at its authors' speed for such runs.

    Empty without a start, where images are not few, the recipe has no such augmentation, or the user has chosen how to augment.
    """
    chosen = {**header.presets.get(preset or "", {}), **fields}
    steered = {"augment_target", "augment_images"} <= header.fields.keys()
    wanted = start is not None and spec.pictures and not spec.given and 0 < spec.count < FEW
    if not (steered and wanted) or chosen.keys() & {"augmentation", "augment"} or chosen.get("augment_target") == 0:
        return {}
    return {name: value for name, value in ADA.items() if name in header.fields and name not in chosen}


def require_same(known: Mapping[str, Any] | None, start: str | Path | None, freeze: int | None, where: Path) -> None:
    """InputError where a run that is to be gone on with began elsewhere than is asked for now."""
    asked = None if start is None else (str(Path(start).resolve()), freeze)
    if asked != (None if known is None else (known["source"], known["freeze"])):
        raise InputError(f"{where}: already holds a run with another start; choose another --run, or resume that one.")


def tell(events: Events, record: Mapping[str, Any]) -> None:
    """What run.json's "start" says, as events: notes, and a warning for each player that does not go on whole."""
    start = record.get("start")
    if start is None:
        return
    players = {player: found for player, found in start["players"].items() if found["taken"]}
    shares = ", ".join(f"{found['share']:.0%} of {player}'s weights" for player, found in players.items())
    held = f"; held in D: {', '.join(start['frozen'])}" if start["frozen"] else ""
    events.write("note", message=f"starting from {start['source']}: {shares}{held}")
    for player, found in start["players"].items():
        if found["fresh"]:
            events.write("warning", name="start", message=_fresh(player, found))
    if start["augmentation"]:
        fields = ", ".join(f"{name} {value}" for name, value in start["augmentation"].items())
        events.write("note", message=f"few images: adaptive augmentation is on ({fields}); --augment-target 0 leaves it off")


def _fresh(player: str, found: Mapping[str, Any]) -> str:
    if not found["taken"]:
        return f"{player} starts fresh: nothing was found that fits it"
    fresh = list(found["fresh"].items())
    named = "; ".join(f"{name} ({why})" for name, why in fresh[:SHOWN]) + f" and {len(fresh) - SHOWN} more" * (len(fresh) > SHOWN)
    return f"{len(fresh)} of {len(fresh) + found['taken']} tensors of {player} start fresh: {named}"
