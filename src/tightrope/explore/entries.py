"""The layers that a place enters: found by following it through the network, so that no family has to be known.

A layer is entered when what it is given depends on the place and on nothing that another layer with weights has made. While a
sample is drawn, the outputs of all such layers are cut from the graph, and what still has a gradient at the next one has come
straight from the place: through splits, classes set beside it, normalisation.

Axes: N places, P parts, D width of a part, F numbers that a layer puts out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

if TYPE_CHECKING:
    from tightrope.explore.spaces import Places, Space

CHUNK = 128  # directions that go through a layer at once
AFFINE = 1e-3  # how far twice the change may be from the change of twice as much, relative, in a layer that is linear


@dataclasses.dataclass(frozen=True)
class Entry:
    """A layer with what it was given, of which one tensor came from the place.

    Attributes:
        module: the layer.
        given: that tensor for one place, (1, ...), with its graph.
        call: the layer as a function of that tensor for many, the rest of what it was given repeated.
    """

    module: nn.Module
    given: Tensor
    call: Callable[[Tensor], Tensor]

    def slopes(self, by: Float[Tensor, " d"]) -> Float[Tensor, "u d"]:
        """How what the layer is given changes with the direction `by`, one row a number."""
        flat = self.given.flatten()
        rows = torch.eye(len(flat), dtype=flat.dtype, device=flat.device)
        found = torch.autograd.grad(flat, by, rows, retain_graph=True, is_grads_batched=True, allow_unused=True)[0]
        return torch.zeros(len(flat), len(by)) if found is None else found.detach()

    @torch.no_grad()
    def responses(self, slopes: Float[Tensor, "u d"]) -> Float[Tensor, "d f"] | None:
        """How what the layer puts out changes with each coordinate; None where the layer is not linear."""
        base = self.call(self.given.detach())
        if not isinstance(base, Tensor):
            return None

        def change(of: Float[Tensor, "m u"]) -> Float[Tensor, "m f"]:
            return (self.call(self.given.detach() + of.reshape(-1, *self.given.shape[1:])) - base).flatten(1)

        whole = slopes.sum(1)[None]
        once, twice = change(whole), change(2 * whole)
        if (twice - 2 * once).norm() > AFFINE * twice.norm():
            return None
        return torch.cat([change(part) for part in slopes.T.split(CHUNK)])


def weighted(space: Space) -> list[nn.Module]:
    """Every layer of the generator that has a matrix of weights of its own."""
    found: dict[int, nn.Module] = {}
    for net in space.generator.nets.values():
        for module in net.modules():
            if is_parametrized(module) or any(weight.ndim >= 2 for weight in module.parameters(recurse=False)):
                found[id(module)] = module
    return list(found.values())


def find(space: Space, place: Places, by: Float[Tensor, " d"], mask: Bool[Tensor, "p d"]) -> list[Entry]:
    """The layers that one place moved by `by` enters where `mask` is set, in the order in which they are reached.

    `by` is a leaf that requires gradients; the entries' graphs lead back to it.
    """
    found: list[Entry] = []

    def visit(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        inner = {id(m) for m in module.modules()} - {id(module)}
        fresh = [value for value in [*args, *kwargs.values()] if isinstance(value, Tensor) and value.requires_grad]
        if len(fresh) == 1 and not any(id(entry.module) in inner for entry in found):
            found.append(Entry(module, fresh[0], _calling(module, args, kwargs, fresh[0])))
        return _cut(output)

    with _watching(weighted(space), visit):
        space.render(place.at + mask * by, place.labels)
    return found


def depths(space: Space) -> list[Bool[Tensor, " d"]]:
    """The coordinates of a latent by the layer that they enter first: masks that split them all."""
    by = torch.zeros(space.width, requires_grad=True)
    left, found = torch.ones(space.width, dtype=torch.bool), []
    with torch.enable_grad():
        for entry in find(space, space.draw([0]), by, space.mask(None)):
            taken = (entry.slopes(by) != 0).any(0) & left
            if taken.any():
                found.append(taken)
                left = left & ~taken
    if not found:
        return [torch.ones(space.width, dtype=torch.bool)]
    found[-1] = found[-1] | left
    return found


@contextmanager
def _watching(modules: list[nn.Module], visit: Callable[..., Any]) -> Iterator[None]:
    handles = [module.register_forward_hook(visit, with_kwargs=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _cut(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.detach()
    return type(output)(map(_cut, output)) if isinstance(output, (tuple, list)) else output


def _calling(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], given: Tensor) -> Callable[[Tensor], Tensor]:
    """The layer as a function of one of the tensors that it was given."""

    def call(x: Tensor) -> Tensor:
        def put(value: Any) -> Any:
            if value is given:
                return x
            if isinstance(value, Tensor) and value.ndim and len(value) == 1:
                return value.detach().expand(len(x), *value.shape[1:])
            return value

        return module(*map(put, args), **{name: put(value) for name, value in kwargs.items()})

    return call
