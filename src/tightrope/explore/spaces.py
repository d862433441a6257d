"""Spaces in which a generator is steered: Z of every recipe, W of generators in two halves.

Karras, Laine & Aila 2019 (arXiv:1812.04948), sections 2 and B: a mapping network takes z to a style w, and every layer of the
synthesis network is given one. A place in W here is one style a layer, so that it may be one of W+ (Abdal et al. 2019,
arXiv:1904.03189) as well. A place in Z is one latent; it too has layers where parts of it enter at different depths (BigGAN).

    space = spaces.of(generator, "w", psi=0.7)
    images = space.decode(space.draw([0, 1, 2]))

Axes: N places, P parts that are stored one by one (the layers of W; 1 in Z), D width of a part, K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tightrope.core import labels as labelling
from tightrope.core.errors import InputError
from tightrope.core.styled import Styled
from tightrope.explore import entries
from tightrope.explore.generator import BATCH, Classes, Generator, slerp

NAMES = ("z", "w")


@dataclasses.dataclass(frozen=True)
class Places:
    """N places of a space.

    Attributes:
        at: (N, P, D).
        labels: their classes, (N,), or shares of classes, (N, K); None where samples are made without classes.
    """

    at: Float[Tensor, "n p d"]
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: Any) -> Places:
        """The places at an index that keeps the first axis: a slice, a list, a tensor."""
        return Places(self.at[index], None if self.labels is None else self.labels[index])

    def moved(self, by: Float[Tensor, "#n #p #d"]) -> Places:
        """The same classes, elsewhere."""
        return Places(self.at + by, self.labels)


class Space(Protocol):
    """Where places are drawn, joined and decoded.

    Attributes:
        name: "z" or "w".
        parts, width: P and D.
        layers: layers that may be given different styles; 1 where the whole place enters at once.
        generator: what decodes.
    """

    name: str
    parts: int
    width: int
    generator: Generator

    @property
    def layers(self) -> int: ...

    def draw(self, seeds: list[int], labels: Classes | None = None) -> Places:
        """A place a seed, of its own class unless `labels` says others (see `Generator.sample`)."""
        ...

    def decode(self, places: Places) -> Float[Tensor, "n *x"]:
        """Samples, in the networks' range, on the CPU."""
        ...

    def render(self, at: Float[Tensor, "n p d"], labels: Tensor | None) -> Tensor:
        """The same for one batch, with gradients."""
        ...

    def between(self, a: Tensor, b: Tensor, t: Float[Tensor, " s"]) -> Float[Tensor, "s p d"]:
        """The way from a place to another, (P, D) both, at shares t of it."""
        ...

    def mask(self, layers: Sequence[int] | None) -> Bool[Tensor, "p d"]:
        """Which numbers of a place the chosen layers are given; all for None."""
        ...


def of(
    generator: Generator, name: str = "z", *, truncation: float | None = None, psi: float = 1.0, cutoff: int | None = None
) -> Space:
    """A space of a generator by its name.

    Args:
        name: "z" or "w".
        truncation: t above 0, of normal latents; see `explore.truncation`.
        psi: what is left of a style's distance from the mean style, where there are styles.
        cutoff: only the layers before this one are brought nearer; all for None.

    Raises:
        InputError: no such space, or the generator has no styles and `w`, psi or a cutoff was asked for.
    """
    if name not in NAMES:
        raise InputError(f"--space {name}: there are z (every recipe) and w (generators with styles; layer by layer it is W+).")
    net = styled(generator)
    if net is None and name == "w":
        raise InputError(
            f"--space w: recipe {generator.name} has no styles, its latents enter the network themselves; leave it out."
        )
    if net is None:
        if psi != 1 or cutoff is not None:
            raise InputError(f"--psi, --cutoff: recipe {generator.name} has no styles to bring nearer; use --truncation 0.7.")
        return Latents(generator, truncation)
    if cutoff is not None and not 0 <= cutoff <= net.num_ws:
        raise InputError(f"--cutoff {cutoff}: the generator has layers 0 to {net.num_ws - 1}; give at most {net.num_ws}.")
    nearer = _Nearer(net, psi, cutoff)
    return Styles(generator, truncation, nearer) if name == "w" else Latents(generator, truncation, nearer)


def styled(generator: Generator) -> Styled | None:
    """The network of two halves, where the generator is one."""
    return next((net for net in generator.nets.values() if isinstance(net, Styled)), None)


@dataclasses.dataclass(frozen=True)
class _Nearer:
    """A mapping with its truncation."""

    net: Styled
    psi: float = 1.0
    cutoff: int | None = None

    def __call__(self, z: Float[Tensor, "n z"], labels: Tensor | None) -> Float[Tensor, "n l w"]:
        c = labelling.weights(labels, self.net.c_dim) if labels is not None and self.net.c_dim else None
        return self.net.mapping(z, c, truncation_psi=self.psi, truncation_cutoff=self.cutoff)


class Latents:
    """Z: what a recipe draws. Ways are great arcs (White 2016, arXiv:1609.04468), which keep the length of normal latents."""

    name, parts = "z", 1

    def __init__(self, generator: Generator, truncation: float | None = None, nearer: _Nearer | None = None) -> None:
        self.generator, self.truncation = generator, truncation
        self.nearer = nearer if nearer is not None and nearer.psi != 1 else None
        self.width = generator.latents([0]).shape[1]

    @cached_property
    def groups(self) -> list[Bool[Tensor, " d"]]:
        """The numbers of a latent by the depth at which they enter, one mask a layer."""
        return entries.depths(self)

    @property
    def layers(self) -> int:
        return len(self.groups)

    def draw(self, seeds: list[int], labels: Classes | None = None) -> Places:
        return Places(self.generator.latents(seeds, self.truncation)[:, None], self.generator.chosen(seeds, labels))

    @torch.no_grad()
    def decode(self, places: Places) -> Float[Tensor, "n *x"]:
        if self.nearer is None:
            return self.generator.decode(places.at[:, 0], places.labels)
        return _in_batches(self, places)

    def render(self, at: Float[Tensor, "n 1 d"], labels: Tensor | None) -> Tensor:
        if self.nearer is None:
            return self.generator.recipe.sample(self.generator.nets, at[:, 0], labels)
        return self.nearer.net.synthesis(self.nearer(at[:, 0], labels), noise_mode="const")

    def between(self, a: Tensor, b: Tensor, t: Float[Tensor, " s"]) -> Float[Tensor, "s p d"]:
        return slerp(a[0], b[0], t)[:, None]

    def mask(self, layers: Sequence[int] | None) -> Bool[Tensor, "1 d"]:
        if layers is None:
            return torch.ones(1, self.width, dtype=torch.bool)
        _require(layers, self.layers, self.generator)
        return torch.stack([self.groups[layer] for layer in layers]).any(0)[None]


class Styles:
    """W, and W+ where the layers' styles differ. Ways are straight. A class is part of the style."""

    name = "w"

    def __init__(self, generator: Generator, truncation: float | None, nearer: _Nearer) -> None:
        self.generator, self.truncation, self.nearer = generator, truncation, nearer
        self.parts, self.width = nearer.net.num_ws, nearer.net.w_dim

    @property
    def layers(self) -> int:
        return self.parts

    @torch.no_grad()
    def draw(self, seeds: list[int], labels: Classes | None = None) -> Places:
        z, chosen = self.generator.latents(seeds, self.truncation), self.generator.chosen(seeds, labels)
        parts = zip(z.split(BATCH), [None] * len(z) if chosen is None else chosen.split(BATCH), strict=False)
        return Places(torch.cat([self.nearer(*part) for part in parts]), chosen)

    @torch.no_grad()
    def decode(self, places: Places) -> Float[Tensor, "n *x"]:
        return _in_batches(self, places)

    def render(self, at: Float[Tensor, "n l w"], labels: Tensor | None) -> Tensor:
        return self.nearer.net.synthesis(at, noise_mode="const")

    def between(self, a: Tensor, b: Tensor, t: Float[Tensor, " s"]) -> Float[Tensor, "s p d"]:
        return a + t[:, None, None] * (b - a)

    def mask(self, layers: Sequence[int] | None) -> Bool[Tensor, "l w"]:
        chosen = torch.zeros(self.parts, self.width, dtype=torch.bool)
        if layers is not None:
            _require(layers, self.layers, self.generator)
        chosen[slice(None) if layers is None else list(layers)] = True
        return chosen


def _in_batches(space: Space, places: Places) -> Tensor:
    parts = [places[i : i + BATCH] for i in range(0, len(places), BATCH)]
    return torch.cat([space.render(part.at, part.labels).float().cpu() for part in parts])


def _require(layers: Sequence[int], count: int, generator: Generator) -> None:
    beyond = [layer for layer in layers if not 0 <= layer < count]
    if beyond or not layers:
        there = "takes its whole latent at once (layer 0 alone)" if count == 1 else f"has layers 0 to {count - 1}"
        raise InputError(
            f"--layers: {beyond[0] if beyond else 'none'} was asked for; recipe {generator.name} {there} in this space."
        )
