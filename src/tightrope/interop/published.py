"""A network of ours as the published one is: its tensors under the reference's keys, and called as the reference is called.

A system's file says, a player at a time, how its network is built from shapes (`Player.build`), what our tensors are called there
(`Player.names`) and how it is called (`Player.call`). Loading, saving and renaming are here, once for all systems.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tightrope.core.errors import InputError
from tightrope.interop.tensors import Tensors

State = Mapping[str, Tensor]
Names = Mapping[str, str]  # our key -> the reference's
SHOWN = 3  # keys that an error names
OPTIONAL = re.compile(r"(^|\.)(num_batches_tracked|sv\d+|resample_filter)$")  # counters, logs, constants: files may lack them
HARMLESS = re.compile(OPTIONAL.pattern + r"|(^|\.)accumulation_counter$")


@dataclasses.dataclass(frozen=True)
class Makes:
    """What a generator makes: from a latent of `z` numbers (and one of `classes`) a sample of `shape`."""

    z: int
    shape: tuple[int, int, int]
    classes: int = 0


@dataclasses.dataclass(frozen=True)
class Translates:
    """What a network makes of pictures: from `inputs` channels a picture of `outputs` channels, `scale` times as large.

    Attributes:
        multiple: the given picture's sides are multiples of it.
        darkest: the value of black; white is 1.
    """

    inputs: int
    outputs: int
    scale: int = 1
    multiple: int = 1
    darkest: float = -1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Player:
    """One network of a published system.

    Attributes:
        build: our network for tensors of these shapes; hints are arguments of the reference's constructor.
        kinds: the classes of the networks that `build` may return.
        names: what the tensors of such a network are called in the reference.
        call: the network, called as the reference's is; None where it has the published call itself, and is handed out bare.
        read: what is done to a file's keys first: older ways of writing them become the reference's.
        constants: tensors that the reference stores and ours computes.
        unused: keys that old files have and the reference leaves unread; they are kept, so that the file can be written back.
        makes: what a generator makes; None for what is none.
        translates: what a network that is given pictures makes of them; None for others.
        refusal: why the reference cannot hold such a network, although it is of the right kind; None where it can.
    """

    build: Callable[[Tensors, Mapping[str, Any]], nn.Module]
    kinds: tuple[type[nn.Module], ...]
    names: Callable[[nn.Module], Names]
    call: Callable[..., Tensor] | None
    read: Callable[[State], State] = dict
    constants: Callable[[Any], State] = lambda net: {}
    unused: Callable[[Any], Collection[str]] = lambda net: ()
    makes: Callable[[Any], Makes] | None = None
    translates: Callable[[Any], Translates] | None = None
    refusal: Callable[[Any], str | None] = lambda net: None


def unchanged(net: nn.Module) -> Names:
    """Our names are the reference's."""
    return {key: key for key in net.state_dict()}


def plainly(net: nn.Module, x: Tensor) -> Tensor:
    """Called as ours is."""
    return net(x)


class Published(nn.Module):
    """A network of ours that keeps another's names: in `state_dict`, `load_state_dict` and the lists of parameters.

    Attributes:
        net: the network itself, with our names and our call.
        names: our key -> the reference's, for the tensors that the file had.
        extras: tensors of the file that ours has no use for, kept so that the file can be written back.
    """

    def __init__(self, net: nn.Module, call: Callable[..., Tensor], names: Names, extras: State) -> None:
        super().__init__()
        self.net, self.call, self.names, self.extras = net, call, dict(names), dict(extras)
        self.register_state_dict_post_hook(_under_their_names)
        self.register_load_state_dict_pre_hook(_under_our_names)

    def forward(self, *args: Any, **options: Any) -> Tensor:
        return self.call(self.net, *args, **options)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        for name, parameter in self.net.named_parameters("", recurse, remove_duplicate):
            yield _joined(prefix, self.names.get(name, name)), parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        for name, buffer in self.net.named_buffers("", recurse, remove_duplicate):
            yield _joined(prefix, self.names.get(name, name)), buffer


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _under_their_names(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    assert isinstance(module, Published)
    inner = f"{prefix}net."
    for key in [key for key in state if key.startswith(inner)]:
        value, theirs = state.pop(key), module.names.get(key.removeprefix(inner))
        if theirs is not None:
            state[prefix + theirs] = value
    state.update({prefix + key: value for key, value in module.extras.items()})


def _under_our_names(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    assert isinstance(module, Published)
    for ours, value in module.net.state_dict().items():
        theirs = module.names.get(ours)
        if theirs is None:
            state[f"{prefix}net.{ours}"] = value  # the reference knows no such tensor: it stays
        elif prefix + theirs in state:
            state[f"{prefix}net.{ours}"] = state.pop(prefix + theirs)
    for key in module.extras:
        state.pop(prefix + key, None)


# ---------------------------------------------------------------- building
def rebuilt(player: Player, state: State, hints: Mapping[str, Any]) -> nn.Module:
    """The player's network with these tensors.

    Raises:
        InputError: they do not make such a network; the first few keys are named.
    """
    given = player.read(state)
    try:
        with _WithoutStart():
            net = player.build(Tensors(given, list(state)), hints)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise InputError(f"no such network has tensors of these shapes, or takes these hints ({first}).") from error
    names, constants = player.names(net), player.constants(net)
    _fill(net, names, given, constants, set(player.unused(net)))
    extras = {key: value.detach().clone() for key, value in given.items() if key not in set(names.values())}
    kept = {ours: theirs for ours, theirs in names.items() if theirs in given}
    return net if player.call is None else Published(net, player.call, kept, extras)


def _fill(net: nn.Module, names: Names, given: State, constants: State, unused: Collection[str]) -> None:
    """Bring the file's tensors in."""
    ours = net.state_dict()
    shapes = {theirs: ours[key].shape for key, theirs in names.items()} | {key: value.shape for key, value in constants.items()}
    there = [key for key in shapes if key in given]
    complaints = {
        "missing": [key for key in names.values() if key not in given and not OPTIONAL.search(key)],
        "of another shape": [_misshapen(key, given[key], shapes[key]) for key in there if given[key].shape != shapes[key]],
        "unknown": [key for key in given if key not in shapes and key not in unused and not HARMLESS.search(key)],
        "not the constant that they should be": [
            key for key in there if key in constants and _differs(given[key], constants[key])
        ],
    }
    wrong = [f"{len(keys)} tensors are {what}: {_listed(keys)}" for what, keys in complaints.items() if keys]
    if wrong:
        raise InputError(f"{'; '.join(wrong)}; take the system that the file is of, and the hints that it was made with.")
    state = {key: _own(given[theirs], ours[key]) for key, theirs in names.items() if theirs in given}
    net.load_state_dict({**ours, **state}, assign=True)


def _misshapen(key: str, value: Tensor, shape: Sequence[int]) -> str:
    return f"{key} {tuple(value.shape)} where {tuple(shape)} belongs"


def _differs(value: Tensor, constant: Tensor) -> bool:
    return value.shape == constant.shape and not torch.allclose(value.float(), constant)


def _listed(keys: Collection[str]) -> str:
    shown = list(keys)[:SHOWN]
    return ", ".join(shown) + (f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")


def _own(value: Tensor, like: Tensor) -> Tensor:
    """A copy of the file's tensor, so that training changes nobody else's, in our precision."""
    return value.detach().to(dtype=like.dtype, copy=True).contiguous()


class _WithoutStart(TorchFunctionMode):
    """Networks made inside keep whatever their memory holds: a file brings the values.

    Starting values would be thrown away, and orthogonal ones of a large network take minutes.
    """

    DRAWN: ClassVar[set[Callable[..., Any]]] = {
        nn.init.normal_, nn.init.uniform_, nn.init.kaiming_normal_, nn.init.kaiming_uniform_, Tensor.normal_, Tensor.uniform_,
    }  # fmt: skip

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in self.DRAWN:
            return args[0] if args else (kwargs or {})["tensor"]
        if func is torch.linalg.qr:  # of an orthogonal start
            return args[0], args[0]
        return func(*args, **(kwargs or {}))
