"""The spaces in which a picture is looked for: latents z of any recipe; styles w and w+ of generators in two halves.

Axes: P probed latents, N rows (a picture, or one of its restarts), Z latent, L layers, W style, K classes.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core import labels as labelling
from tightrope.core import seeds as seeding
from tightrope.core.errors import InputError
from tightrope.core.styled import Styled
from tightrope.explore import noise_maps
from tightrope.explore.generator import Generator
from tightrope.explore.spaces import styled

Name = Literal["z", "w", "w+"]
PROBED = 10_000  # latents that tell where the prior or the styles lie
RESTARTS = 4  # of a search among latents, from the best samples
PRIOR = 0.01  # weight of the term that keeps a latent's length among those of the prior
TYPICAL = (0.01, 0.99)  # quantiles of the prior's lengths, between which a latent costs nothing
DISCRETE = 16  # different values: a coordinate with fewer is a code, which cannot be moved a little


class Space(Protocol):
    """Points to move, and the images that they are.

    Attributes:
        name: "z", "w" or "w+".
        restarts: rows that search for one picture.
        spread: standard deviation of the noise that a search begins with, before its factor.
        free: 1 where a coordinate may be moved, 0 where it stays; broadcasts to points.
        low, high: bounds of coordinates; broadcast to points.
        labels: a class for each of the probed latents, or None.
    """

    name: Name
    restarts: int
    spread: float
    free: Tensor
    low: Tensor
    high: Tensor
    labels: Int64[Tensor, " P"] | None

    def random(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        """The images of probed latents, of their classes."""
        ...

    def begin(self, nearest: Int64[Tensor, " N"]) -> tuple[Tensor, Int64[Tensor, " N"] | None]:
        """A point for each row and its class, given the probed latent whose image is near to the picture."""
        ...

    def images(self, at: Tensor, labels: Int64[Tensor, " N"] | None, maps: noise_maps.Maps) -> Float[Tensor, "N C H W"]:
        """The images at points."""
        ...

    def penalty(self, at: Tensor) -> Float[Tensor, " N"]:
        """What keeps points where the generator knows its way."""
        ...

    def latent(self, at: Tensor) -> Tensor:
        """Points as the generator takes them."""
        ...

    def maps(self, rows: int) -> noise_maps.Maps:
        """Noise maps to begin with, the generator's own; empty where there are none to be found."""
        ...


class Prior:
    """Latents in units of the prior's standard deviation, within what 10,000 draws of it showed."""

    name: Name = "z"
    restarts = RESTARTS

    def __init__(self, generator: Generator, z: Float[Tensor, "P Z"], labels: Int64[Tensor, " P"] | None) -> None:
        self.generator, self.z, self.labels = generator, z, labels
        ordered = z.sort(0).values
        self.free = ((ordered.diff(dim=0) > 0).sum(0) >= DISCRETE).float()
        self.mean, self.scale = z.mean(0), torch.where(self.free > 0, z.std(0), 1.0)
        self.low, self.high = ((edge - self.mean) / self.scale for edge in (ordered[0], ordered[-1]))
        self.spread = float(z.shape[1]) ** 0.5
        lengths = self._length((z - self.mean) / self.scale)
        self.typical, self.unit = torch.quantile(lengths, torch.tensor(TYPICAL)), lengths.std().clamp(min=1e-6)

    def random(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        return self._sample(self.z[index], None if self.labels is None else self.labels[index])

    def begin(self, nearest: Int64[Tensor, " N"]) -> tuple[Tensor, Int64[Tensor, " N"] | None]:
        """The near samples themselves, of their own classes: the best restart chooses the class."""
        return (self.z[nearest] - self.mean) / self.scale, None if self.labels is None else self.labels[nearest]

    def images(self, at: Tensor, labels: Int64[Tensor, " N"] | None, maps: noise_maps.Maps) -> Float[Tensor, "N C H W"]:
        return self._sample(self.latent(at), labels)

    def penalty(self, at: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """How far outside of the prior's usual ones the mean square of the free coordinates is, in its deviations, squared."""
        length = self._length(at)
        return PRIOR * ((length - length.clamp(*self.typical)) / self.unit).square()

    def latent(self, at: Float[Tensor, "N Z"]) -> Float[Tensor, "N Z"]:
        return self.mean + self.scale * at

    def maps(self, rows: int) -> noise_maps.Maps:
        return {}

    def _length(self, at: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        return (at.square() * self.free).sum(1) / self.free.sum().clamp(min=1)

    def _sample(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return self.generator.recipe.sample(self.generator.nets, z, labels)


class Styles:
    """Styles: one for all layers (w; Karras et al. 2020, appendix D) or one a layer (w+; Abdal et al. 2019, arXiv:1904.03189)."""

    restarts = 1

    def __init__(self, name: Name, net: Styled, z: Float[Tensor, "P Z"], labels: Int64[Tensor, " P"] | None) -> None:
        self.name, self.net, self.labels = name, net, labels
        c = labelling.weights(labels, net.c_dim) if labels is not None and net.c_dim else None
        parts = zip(z.split(1_000), c.split(1_000) if c is not None else [None] * len(z), strict=False)
        self.w = torch.cat([net.mapping(*part)[:, 0] for part in parts])
        self.means = self._means()
        self.spread = (self.w - self.w.mean(0)).square().sum(1).mean().sqrt().item()
        self.free, self.low, self.high = torch.ones(()), torch.tensor(-torch.inf), torch.tensor(torch.inf)

    def random(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        return self.images(self.w[index, None], None, {})

    def begin(self, nearest: Int64[Tensor, " N"]) -> tuple[Tensor, Int64[Tensor, " N"] | None]:
        """The mean style, where there are classes that of the near sample's class."""
        label = None if self.labels is None else self.labels[nearest]
        start = self.means[torch.zeros_like(nearest) if label is None else label][:, None]
        return (start.repeat(1, self.net.num_ws, 1) if self.name == "w+" else start), label

    def images(self, at: Float[Tensor, "N _ W"], labels: Tensor | None, maps: noise_maps.Maps) -> Float[Tensor, "N C H W"]:
        return noise_maps.synthesise(self.net.synthesis, at.expand(-1, self.net.num_ws, -1), maps)

    def penalty(self, at: Float[Tensor, "N _ W"]) -> Float[Tensor, " N"]:
        """None: styles are free."""
        return at.new_zeros(len(at))

    def latent(self, at: Float[Tensor, "N _ W"]) -> Float[Tensor, "N _ W"]:
        return at

    def maps(self, rows: int) -> noise_maps.Maps:
        return noise_maps.constant(self.net.synthesis, rows)

    def _means(self) -> Float[Tensor, "K W"]:
        """The mean style of each class; of a class without latents, and where there are no classes, of all."""
        whole = self.w.mean(0)
        if self.labels is None:
            return whole[None]
        parts = [self.w[self.labels == k] for k in range(int(self.labels.max()) + 1)]
        return torch.stack([part.mean(0) if len(part) else whole for part in parts])


@torch.no_grad()
def space_of(generator: Generator, name: str | None, label: str | int | None, seed: int) -> Space:
    """The space asked for; None is "w" where there are styles and "z" elsewhere.

    Raises:
        InputError: no such space, or not of this generator; a class where there are none, or an unknown one.
    """
    net = styled(generator)
    if name not in (None, "z", "w", "w+"):
        raise InputError(f"--space {name}: there are z (every recipe), w and w+ (generators with styles).")
    if name in ("w", "w+") and net is None:
        raise InputError(f"--space {name}: recipe {generator.name} has no styles to look among; leave it out, or write z.")
    given = None if label is None else generator.classes([label])[0]
    z = generator.recipe.latents(PROBED, seeding.generator(seed, "projection", "z"))
    labels = None
    if given is not None:
        labels = torch.full((PROBED,), given)
    elif generator.recipe.CONDITIONAL:
        labels = labelling.draw(generator.spec, PROBED, seeding.generator(seed, "projection", "class"))
    if name == "z" or net is None:
        return Prior(generator, z, labels)
    return Styles("w+" if name == "w+" else "w", net, z, labels)
