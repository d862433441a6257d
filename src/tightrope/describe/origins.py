"""Where tensors come from: follows real samples, latents and classes through the networks of a game into the terms of a loss.

Every operation's outputs inherit the origins of its inputs (they are known by their memory). At the border of a player its
output is marked as a `Passed`: "D's answer to real samples and to G's answer to latents".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SOURCES = ("real", "fake", "class", "latent")  # in the order people read them


@dataclasses.dataclass(frozen=True)
class Passed:
    """The output of a player. `sample`: it has the shape of the data and was made from latents or classes alone."""

    player: str
    inputs: frozenset[Any]
    sample: bool


@dataclasses.dataclass(frozen=True)
class Weights:
    """A player's own weights, where nothing else went into a number."""

    player: str


Origin = str | Passed | Weights
Told = Callable[[str, str, Any, int, int], None]


def sources(origins: frozenset[Origin]) -> frozenset[str]:
    """What a number was computed on, in plain words: samples that were made count as "fake", and not as their latents."""
    found: set[str] = set()
    for origin in origins:
        if isinstance(origin, str):
            found.add(origin)
        elif isinstance(origin, Passed):
            found |= {"fake"} if origin.sample else sources(origin.inputs)
    return frozenset(found)


def passes(origins: frozenset[Origin]) -> Iterator[Passed]:
    """Every pass that went into a number, those made first coming first."""
    for origin in sorted((o for o in origins if isinstance(o, Passed)), key=repr):
        yield from passes(origin.inputs)
        yield origin


def implied(origins: frozenset[Origin]) -> frozenset[Origin]:
    """The same, where a player's weights met something outside of its forward pass (in a gradient, or a method of its own)."""
    met = frozenset(o for o in origins if not isinstance(o, Weights))
    if not met:
        return origins
    known = {o.player for o in met if isinstance(o, Passed)}
    players = [o.player for o in origins if isinstance(o, Weights) and o.player not in known]
    return met | {Passed(player, met, False) for player in players}


def tensors(*values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Origins(TorchDispatchMode):
    """The books. Inside `with`, operations write them."""

    def __init__(self) -> None:
        super().__init__()
        self._of: dict[int, frozenset[Origin]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = self.of(*tensors(args, kwargs))
        out = func(*args, **kwargs)
        for tensor in tensors(out):
            self.mark(tensor, found)
        return out

    def of(self, *those: Tensor) -> frozenset[Origin]:
        """The origins of tensors, together."""
        return frozenset().union(*(self._of.get(tensor.untyped_storage().data_ptr(), frozenset()) for tensor in those))

    def mark(self, tensor: Tensor, origins: frozenset[Origin]) -> None:
        """Say where a tensor comes from."""
        place = tensor.untyped_storage().data_ptr()
        if origins and place:
            self._of[place] = origins
        else:
            self._of.pop(place, None)


@dataclasses.dataclass(frozen=True)
class Use:
    """One call of a player: its output's origin, whether gradients flow through it, for how many samples."""

    passed: Passed
    differentiable: bool


class Borders:
    """Hooks on every module of every player: they mark what comes out, and tell what was called with what shape.

    Args:
        clock: read when a module begins.
        told: called after every module's pass with (player, path of the module, its output, what the clock said, samples).
    """

    def __init__(
        self, nets: Mapping[str, nn.Module], origins: Origins, shape: tuple[int, ...], clock: Callable[[], int], told: Told
    ) -> None:
        self.uses: list[Use] = []
        self.origins, self.shape, self.clock, self.told = origins, shape, clock, told
        self._begun: dict[str, list[int]] = {player: [] for player in nets}
        self._samples = dict.fromkeys(nets, 1)
        self._depth = dict.fromkeys(nets, 0)
        self._inputs: dict[str, frozenset[Origin]] = {}
        seen: set[nn.Module] = set()
        for player, net in nets.items():
            for path, module in net.named_modules():
                if module not in seen:  # a trunk that two players share belongs to the first
                    seen.add(module)
                    self._watch(player, path, net, module)

    def _watch(self, player: str, path: str, net: nn.Module, module: nn.Module) -> None:
        def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
            if self._depth[player] == 0:
                given = tensors(args, kwargs)
                self._inputs[player] = self.origins.of(*given)
                self._samples[player] = max((t.shape[0] for t in given if t.dim()), default=1)
            self._depth[player] += 1
            self._begun[player].append(self.clock())

        def leave(_: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            self._depth[player] -= 1
            self.told(player, path, out, self._begun[player].pop(), self._samples[player])
            if self._depth[player] == 0:
                self._pass(player, net, out)

        module.register_forward_pre_hook(enter, with_kwargs=True)
        module.register_forward_hook(leave, with_kwargs=True)

    def _pass(self, player: str, net: nn.Module, out: Any) -> None:
        inputs = frozenset(origin for origin in self._inputs[player] if not isinstance(origin, Weights))
        own = [origin for origin in inputs if isinstance(origin, Passed) and origin.player == player and not origin.sample]
        if own:  # a network whose parts are called one after the other
            inputs = inputs - set(own) | frozenset().union(*(origin.inputs for origin in own))
        made = inputs <= {"latent", "class"} and any(t.shape[1:] == self.shape for t in tensors(out))
        passed = Passed(player, inputs, made)
        for tensor in tensors(out):
            self.origins.mark(tensor, frozenset({passed}))
        if any(True for _ in net.parameters()):
            for buffer in net.buffers():  # batch statistics and the like are no way from one batch to another
                self.origins.mark(buffer, frozenset())
        use = Use(passed, any(t.requires_grad for t in tensors(out)))
        self.uses = [u for u in self.uses if u.passed.player != player or u.passed not in (*own, passed)] + [
            Use(passed, use.differentiable or any(u.differentiable for u in self.uses if u.passed == passed))
        ]


def mark_weights(origins: Origins, nets: Mapping[str, nn.Module]) -> None:
    """Let numbers that are made of weights alone be known as such."""
    for player, net in nets.items():
        for parameter in net.parameters():
            origins.mark(parameter, frozenset({Weights(player)}))
            if parameter.grad is not None:
                origins.mark(parameter.grad, frozenset())
