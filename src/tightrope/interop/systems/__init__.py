"""The published systems, one file each: how its players are rebuilt from their tensors. Importing this package imports none.

A system's file is found by its name; its `PLAYERS` are what it has: `PLAYERS["generator"]` of dcgan.py is "dcgan-generator". One
network that is known by the system's own name is `PLAYERS[""]`: that of rrdbnet.py is "rrdbnet".
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.shelf import Shelf
from tightrope.interop.published import Player, Published, rebuilt

SHELF = Shelf(Path(__file__).parent, "tightrope.interop.systems", "system")
PARALLEL = "module."  # before every key of a network that was trained on several devices
WITHIN = ("params_ema", "params")  # where BasicSR puts a state dict; the averaged one is the published one


def names() -> list[str]:
    """Every system and player: "dcgan-discriminator", "dcgan-generator" ..."""
    return sorted(f"{system}-{player}" if player else system for system in SHELF.names() for player in _players(system))


def player(system: str) -> Player:
    """What is known of a system's player.

    Raises:
        InputError: there is no such system.
    """
    family, _, which = system.partition("-")
    found = _players(family).get(which) if family in SHELF.names() else None
    if found is None:
        near = difflib.get_close_matches(system, names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}."
        raise InputError(f"no system is called {system!r}: {hint}")
    return found


def build(system: str, state_dict: Mapping[str, Tensor], hints: Mapping[str, Any]) -> nn.Module:
    """A published network with these weights.

    Raises:
        InputError: no such system, or the tensors do not fit it.
    """
    asked = player(system)
    try:
        return rebuilt(asked, _plain(state_dict), hints)
    except InputError as error:
        raise InputError(f"{system}: {error}") from None


def export(net: nn.Module) -> dict[str, Tensor]:
    """The weights of a network that `build` made, or of one of the same kind that was trained here, under the reference's keys.

    Raises:
        InputError: no published system is made of such networks.
    """
    inner = net.net if isinstance(net, Published) else net
    known = next(
        (found for system in SHELF.names() for found in _players(system).values() if isinstance(inner, found.kinds)), None
    )
    if known is None:
        raise InputError(f"a {type(net).__name__} is a network of no published system; export knows {', '.join(names())}.")
    if reason := known.refusal(inner):
        raise InputError(reason)
    stored = _stored(net, known)
    return {key: value.detach().clone() for key, value in stored.items()}


def _stored(net: nn.Module, known: Player) -> dict[str, Tensor]:
    """What the reference keeps of a network; one that was trained here must be one that it can have."""
    ours = net.state_dict()
    if isinstance(net, Published):
        return ours
    found = {theirs: ours[key] for key, theirs in known.names(net).items()} | dict(known.constants(net))
    if known.call is not None:
        try:
            rebuilt(known, found, {})
        except InputError as error:
            raise InputError(f"this {type(net).__name__} is none that its reference can hold: {error}") from None
    return found


def _players(system: str) -> dict[str, Player]:
    found: dict[str, Player] = vars(SHELF.load(SHELF.path(system)))["PLAYERS"]
    return found


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without what stands around them: a dictionary, the prefix of networks that were trained on several devices."""
    held = next((state[name] for name in WITHIN if isinstance(state.get(name), Mapping)), None)
    if held is not None:
        return _plain(held)  # type: ignore[arg-type]
    other = next((key for key, value in state.items() if not isinstance(key, str) or not isinstance(value, Tensor)), None)
    if other is not None:
        raise InputError(f"{other!r} is no tensor with a name; pass the network's state dict, not the whole file.")
    wrapped = bool(state) and all(key.startswith(PARALLEL) for key in state)
    return {key.removeprefix(PARALLEL) if wrapped else key: value for key, value in state.items()}
