"""What watching and steadying somebody else's loop needs: to look aside, to hold an optimizer's reins, to go back to a state;
and what is refused of what they hand over.

Their networks, optimizers and schedulers stay theirs: nothing here is seen by them outside of one optimizer step.
"""

from __future__ import annotations

import contextlib
import copy
import random
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tightrope.core.errors import InputError

KEEP = 2  # snapshots beside the one of the start
Optimizers = Mapping[str, torch.optim.Optimizer]


@contextlib.contextmanager
def aside(nets: Mapping[str, nn.Module], seed: int) -> Iterator[None]:
    """Inside: networks in eval mode, no gradients, every global generator at `seed`. After it all is as it was, to the bit."""
    modes = {module: module.training for net in nets.values() for module in net.modules()}
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # a device that was never used has no state, and asking for it would begin one
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        if cuda is not None:
            torch.cuda.manual_seed_all(seed)
        for net in nets.values():
            net.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


class Rein:
    """Held on an optimizer: measures a step when asked, and turns rate and momentum for the length of each step.

    The turned values are put back after every step, so that any scheduler goes on from its own.

    Attributes:
        measure: measure the next step; then `measured` is (norm of its gradient, norm of its change over that of the weights).
        rate: factor of the learning rate. beta1: Adam's first decay rate in its own one's place; None leaves it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.measure, self.rate = False, 1.0
        self.beta1: float | None = None
        self.measured: Tensor | None = None
        self._own: list[dict[str, Any]] = []
        self._before: list[Tensor] = []
        self._gradient: Tensor | None = None
        held = weakref.ref(self)  # a guardian that is gone holds nothing any more
        optimizer.register_step_pre_hook(lambda *_: rein._begin() if (rein := held()) else None)
        optimizer.register_step_post_hook(lambda *_: rein._end() if (rein := held()) else None)

    @property
    def parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _begin(self) -> None:
        self._give_back()  # where the last step raised
        if self.rate != 1.0 or self.beta1 is not None:
            for group in self.optimizer.param_groups:
                self._own.append({name: group[name] for name in ("lr", "betas") if name in group})
                group["lr"] = group["lr"] * self.rate
                if self.beta1 is not None and "betas" in group:
                    group["betas"] = (self.beta1, *group["betas"][1:])
        if self.measure:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            self._gradient = _length(gradients) if gradients else None
            self._before = [p.detach().clone() for p in self.parameters]

    def _end(self) -> None:
        self._give_back()
        if self.measure and self._gradient is not None:
            change = [p.detach() - before for p, before in zip(self.parameters, self._before, strict=True)]
            share = _length(change) / _length(self._before).clamp_min(1e-30)
            self.measured = torch.stack([self._gradient, share])
        self.measure, self._before, self._gradient = False, [], None

    def _give_back(self) -> None:
        for group, own in zip(self.optimizer.param_groups, self._own, strict=False):
            group.update(own)
        self._own = []


def _length(tensors: list[Tensor]) -> Tensor:
    """The norm of all of them together."""
    return torch.stack([t.detach().float().norm() for t in tensors]).norm()


class Snapshots:
    """Networks and optimizers as they were: at the start, and the newest few that were asked for. In memory."""

    def __init__(self, nets: Mapping[str, nn.Module], optimizers: Optimizers) -> None:
        self.nets, self.optimizers = nets, optimizers
        self.held: dict[int, dict[str, dict[str, Any]]] = {}

    def keep(self, seen: int) -> None:
        """Take a snapshot."""
        self.held[seen] = {
            "nets": {name: copy.deepcopy(net.state_dict()) for name, net in self.nets.items()},
            "optimizers": {name: copy.deepcopy(o.state_dict()["state"]) for name, o in self.optimizers.items()},
        }
        for old in sorted(key for key in self.held if key)[:-KEEP]:
            del self.held[old]

    def take_up(self, seen: int) -> None:
        """Bring everything back to a snapshot, but for rates and the like: those are their schedulers' business."""
        state = copy.deepcopy(self.held[seen])  # loading may keep the tensors that it is given
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        for name, optimizer in self.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})


def check(
    nets: Mapping[str, Any], optimizers: Mapping[str, Any], samples: tuple[Any, Any], steps: int | None, every: int | None,
    act: bool, until: str,
) -> None:  # fmt: skip
    """Raise InputError for what cannot be."""
    if not {"D", "G"} <= nets.keys() or not all(isinstance(net, nn.Module) for net in nets.values()):
        raise InputError("Guardian: give the networks by name, D=netD and G=netG; several of one side as one ModuleList.")
    for name, optimizer in optimizers.items():
        if name not in nets or not isinstance(optimizer, torch.optim.Optimizer):
            raise InputError(f"Guardian: optimizers[{name!r}] must be the torch optimizer of one of {', '.join(nets)}.")
    if (samples[0] is None) != (samples[1] is None):
        raise InputError("Guardian: sample= and data= belong together; give both, or neither.")
    if any(number is not None and number < 1 for number in (steps, every)):
        raise InputError("Guardian: steps= and every= must be at least 1.")
    if until not in ("", "converged"):
        raise InputError(f"Guardian: until={until!r}: can be 'converged', or is left out.")
    if (act or until) and (steps is None or samples[0] is None):
        raise InputError("Guardian: act= and until= need steps=, the run's length, and sample= and data=.")
    if act and not {"D", "G"} <= optimizers.keys():
        raise InputError("Guardian: act=True turns rates; give optimizers={'D': ..., 'G': ...}.")
    if act and torch.distributed.is_available() and torch.distributed.is_initialized():
        raise InputError("Guardian: act=True works in one process alone; let rank 0 watch.")


def logits(name: str, given: Tensor) -> Tensor:
    """(N, ...) -> (N,): one number a sample, the mean over patches."""
    if not isinstance(given, Tensor) or given.dim() == 0 or not given.numel():
        raise InputError(f"step: {name}= must be D's logits before their mean is taken, (N,) or (N, ...).")
    return given.detach().flatten(1).mean(1) if given.dim() > 1 else given.detach().clone()


def scalar(name: str, loss: Tensor | float) -> Tensor:
    """A loss as a detached scalar of its own."""
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise InputError(f"step: {name}= has the shape {tuple(loss.shape)}; give the loss that went backward, one number.")
    return loss.detach().reshape(()).clone() if isinstance(loss, Tensor) else torch.tensor(float(loss))
