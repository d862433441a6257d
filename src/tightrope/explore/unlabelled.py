"""Directions without labels: from the weights alone (SeFa), and from what samples do to the first layers (GANSpace).

Shen & Zhou 2021, "Closed-form factorization of latent semantics in GANs", arXiv:2007.06600.
Harkonen, Hertzmann, Lehtinen & Paris 2020, "GANSpace: discovering interpretable GAN controls", arXiv:2004.02546.

Axes: N places, D width of a part, F numbers of a layer, K directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.explore import entries
from tightrope.explore.directions import DRAWN, Direction, along, flat
from tightrope.explore.spaces import Places, Space

PROBES = 4  # places at which the layers are read, for spaces that are normalised before they enter
SAMPLES = 2_000  # of GANSpace in Z, whose layers are wide
SAMPLES_W = 10_000  # of GANSpace in W
AT_ONCE = 64  # places sent through the first layers together


def sefa(space: Space, count: int = 8, layers: Sequence[int] | None = None) -> list[Direction]:
    """The directions that change most what the first layers put out (section 3.1): eigenvectors of sum_l A_l^T A_l.

    A_l are the linear maps that the places enter, found by following them: the first layer of a plain generator, every block's
    share of BigGAN's, the affine maps of StyleGAN's styles in the chosen layers. Where a latent is normalised first, the mean
    over directions has the same eigenvectors.

    Raises:
        InputError: more directions than dimensions, or no layer takes the place linearly.
    """
    mask = space.mask(layers)
    available = int(mask.any(0).sum())
    _require(count, available, space)
    gram = torch.zeros(space.width, space.width, dtype=torch.float64)
    for seed in range(PROBES):
        by = torch.zeros(space.width, requires_grad=True)
        with torch.enable_grad():
            found = entries.find(space, space.draw([seed]), by, mask)
        for entry in found:
            response = entry.responses(entry.slopes(by))
            if response is not None:
                gram += (response.double() @ response.double().T) / PROBES
    if not gram.any():
        raise InputError(f"sefa: recipe {space.generator.name} has no linear layer that takes space {space.name}; try ganspace.")
    values, vectors = torch.linalg.eigh(gram)
    drawn, total = space.draw(list(range(DRAWN))), values.sum().item()
    order = range(space.width - 1, space.width - 1 - count, -1)
    return [
        along(
            space,
            _upright(vectors[:, i].float()),
            f"sefa {k}",
            drawn,
            layers,
            method="sefa",
            share=round(values[i].item() / total, 6),
        )
        for k, i in enumerate(order)
    ]


def ganspace(space: Space, count: int = 8, layers: Sequence[int] | None = None) -> list[Direction]:
    """Principal components of w (section 2.2); in Z those of the first layer's activations, regressed back to z (equation 3).

    Raises:
        InputError: more directions than dimensions, or nothing lies behind the first layer.
    """
    _require(count, space.width, space)
    drawn = space.draw(list(range(SAMPLES_W if space.name == "w" else SAMPLES)))
    at = flat(drawn)
    seen = at if space.name == "w" else activations(space, drawn)
    centred = (seen - seen.mean(0)).double()
    parts, shares = _components(centred, count)
    vectors = torch.linalg.lstsq(
        parts, (at - at.mean(0)).double()
    ).solution  # rows: what a step along a component is in the space
    names = [f"ganspace {k}" for k in range(count)]
    return [
        along(space, _upright(vector.float()), name, drawn, layers, method="ganspace", share=round(share, 6))
        for vector, name, share in zip(vectors, names, shares.tolist(), strict=True)
    ]


def _components(centred: Float[Tensor, "n f"], count: int) -> tuple[Float[Tensor, "n k"], Float[Tensor, " k"]]:
    """Coordinates of the samples on the first principal components, and each component's share of the variance."""
    wide = centred.shape[1] > len(centred)
    values, vectors = torch.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, vectors = values.flip(0)[:count].clamp(min=0), vectors.flip(1)[:, :count]
    parts = vectors * values.sqrt() if wide else centred @ vectors
    return parts, values / centred.square().sum()


class _Enough(Exception):
    """The layer that was waited for has been reached."""


@torch.no_grad()
def activations(space: Space, places: Places) -> Float[Tensor, "n f"]:
    """What the first layer hands to the next one, behind its normalisation and rectifier."""
    layer = _second(space)
    caught: list[Tensor] = []

    def stop(module: nn.Module, args: tuple[Any, ...]) -> NoReturn:
        caught.append(args[0].flatten(1).float().cpu())
        raise _Enough

    handle = layer.register_forward_pre_hook(stop)
    try:
        for start in range(0, len(places), AT_ONCE):
            part = places[start : start + AT_ONCE]
            try:
                space.render(part.at, part.labels)
            except _Enough:
                continue
    finally:
        handle.remove()
    return torch.cat(caught)


@torch.no_grad()
def _second(space: Space) -> nn.Module:
    """The first layer with weights that is given what an entered layer has made of the place."""
    by = torch.zeros(space.width, requires_grad=True)
    pair = space.draw([0, 1])
    with torch.enable_grad():
        entered = {id(entry.module) for entry in entries.find(space, pair[:1], by, space.mask(None))}
    reached: list[nn.Module] = []

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        inner = {id(m) for m in module.modules()}
        given = args[0] if args and isinstance(args[0], Tensor) and args[0].is_floating_point() else None
        if given is not None and not inner & entered and len(given) == 2 and not torch.equal(given[0], given[1]):
            reached.append(module)

    labels = None if pair.labels is None else pair.labels[:1].repeat(2, *[1] * (pair.labels.ndim - 1))
    handles = [module.register_forward_pre_hook(note) for module in entries.weighted(space)]
    try:
        space.render(pair.at, labels)
    finally:
        for handle in handles:
            handle.remove()
    if not reached:
        raise InputError(f"ganspace: nothing lies behind the first layer of recipe {space.generator.name}; try sefa.")
    return reached[0]


def _upright(vector: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """An eigenvector has no sense of its own: its largest number is made positive, so that it is the same one everywhere."""
    return vector * vector[vector.abs().argmax()].sign()


def _require(count: int, available: int, space: Space) -> None:
    if not 1 <= count <= available:
        raise InputError(
            f"--count {count}: space {space.name} has {available} dimensions in these layers; ask for 1 to {available}."
        )
