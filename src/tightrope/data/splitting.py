"""Data of one kind -> pairs or unpaired pictures, with a part that training never sees (`groups` says which)."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tightrope.data.groups import groups, held_groups, held_out, stem
from tightrope.data.images import ImageDataset
from tightrope.data.making import Making
from tightrope.data.pairing import licences
from tightrope.data.pairs import Giver, Half, Made, Origin, Pairs, Pictures, Stored, Unpaired
from tightrope.data.part import Part
from tightrope.data.stacked import StackedDataset

Images = ImageDataset | StackedDataset


def stored(both: ImageDataset) -> Pairs:
    """Pairs that lie in six channels."""
    given, target = (Half(both, first, grey) for first, grey in zip((0, 3), both.index["grey"], strict=True))
    origin = Origin(
        name=both.name, content=("stored", both.fingerprint), licence=both.licence, source=both.source,
        rejects=both.rejects, folder=both.folder, index=both.index,
    )  # fmt: skip
    return _split(origin, target, Stored(given, given.shape), target.shape, both.names())


def made(data: Images, way: Making) -> Pairs:
    """Pairs of images and what is made of them."""
    origin = Origin(
        name=f"{way.name}-{data.name}", content=(way.name, data.fingerprint), licence=data.licence,
        source={**data.source, "data": f"{way.name}:{data.source['data']}"},
        rejects=data.rejects, folder=data.folder, index=data.index,
    )  # fmt: skip
    return _split(origin, data, Made(data, way, way.shape(data.spec.shape)), data.spec.shape, data.names())


def _split(origin: Origin, targets: Pictures, giver: Giver, shape: tuple[int, ...], names: list[str]) -> Pairs:
    """Training pairs, and with them those that are held out."""
    held = held_out(names)

    def part(chosen: Bool[Tensor, " N"], of: Origin, rest: Pairs | None) -> Pairs:
        places = chosen.nonzero()[:, 0]
        return Pairs(of, targets, giver, places, shape=shape, names=_at(names, places), held=rest)

    return part(~held, origin, part(held, _unseen(origin), None) if held.any() else None)


def _unseen(origin: Origin) -> Origin:
    return dataclasses.replace(origin, name=f"{origin.name}-held-out")


def _at(names: list[str], places: Int64[Tensor, " n"]) -> list[str]:
    return [names[i] for i in places.tolist()]


def apart(given: Images, target: Images) -> Unpaired:
    """Two image data whose pictures are drawn independently.

    Where most of their files have equal names (not only numbers), one split holds for both sides, and what is held out are
    pairs: what is learned without pairs can be judged by them.
    """
    names = [given.names(), target.names()]
    hidden = _hidden_pairs(*names)
    there, here = _one_split(*names) if hidden else map(held_out, names)
    if not (there.any() and here.any()):
        there, here = torch.zeros_like(there), torch.zeros_like(here)
    origin = Origin(
        name=f"{given.name}-to-{target.name}", content=("unpaired", given.fingerprint, target.fingerprint),
        licence=licences(given.licence, target.licence),
        source={"data": f"unpaired:{given.source['data']},{target.source['data']}", "size": target.spec.size},
        rejects=[*given.rejects, *target.rejects], folder=target.folder, index=target.index,
    )  # fmt: skip
    held: Pairs | Unpaired | None = _hidden(origin, given, target, there, here) if hidden else None
    if held is None and there.any():
        held = _two(_unseen(origin), given, target, there, here, None)
    return _two(origin, given, target, ~there, ~here, held)


def _two(
    origin: Origin,
    given: Images,
    target: Images,
    there: Bool[Tensor, " M"],
    here: Bool[Tensor, " N"],
    held: Pairs | Unpaired | None,
) -> Unpaired:
    places = here.nonzero()[:, 0]
    return Unpaired(
        origin, target, given, places, there.nonzero()[:, 0],
        shape=target.spec.shape, given=given.spec.shape, names=_at(target.names(), places), held=held,
    )  # fmt: skip


def _hidden_pairs(given: list[str], target: list[str]) -> bool:
    """Most names of the smaller side are in the other one too, and they are more than numbers, which say nothing."""
    shared = set(map(stem, given)) & set(map(stem, target))
    return 2 * len(shared) >= min(len(given), len(target)) and not all(name.isdigit() for name in shared)


def _one_split(*sides: list[str]) -> list[Bool[Tensor, " n"]]:
    """One split of the groups of all sides."""
    everything = [name for names in sides for name in names]
    held, of = held_groups(everything), groups(everything)
    mask = torch.tensor([group in held for group in of], dtype=torch.bool)
    return list(mask.split([len(names) for names in sides]))


def _hidden(origin: Origin, given: Images, target: Images, there: Bool[Tensor, " M"], here: Bool[Tensor, " N"]) -> Pairs | None:
    """The held-out pictures of equal names, as pairs."""
    others = {stem(name): i for i, name in enumerate(given.names()) if there[i]}
    both = [(i, others[stem(name)], name) for i, name in enumerate(target.names()) if here[i] and stem(name) in others]
    if not both:
        return None
    to, of = (torch.tensor(index) for index in ([i for i, _, _ in both], [j for _, j, _ in both]))
    giver = Stored(Part(given, of, given.name), given.spec.shape)
    targets, names = Part(target, to, target.name), [name for _, _, name in both]
    return Pairs(_unseen(origin), targets, giver, torch.arange(len(both)), shape=target.spec.shape, names=names)


def forgotten(pairs: Pairs) -> Unpaired:
    """Pairs without what belongs to which; those that are held out stay pairs."""
    origin = dataclasses.replace(
        pairs.origin, name=f"unpaired-{pairs.name}", content=("unpaired", *pairs.origin.content),
        source={**pairs.source, "data": f"unpaired:{pairs.source['data']}"},
    )  # fmt: skip
    every = torch.arange(len(pairs))
    return Unpaired(
        origin, pairs, _GivenOf(pairs), every, every,
        shape=pairs.spec.shape, given=pairs.spec.given, names=pairs.names(), held=pairs.held,
    )  # fmt: skip


class _GivenOf:
    """Pictures given by pairs, as data of their own."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        return self.pairs.given(index)
