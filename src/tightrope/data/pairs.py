"""Pictures that are made of pictures: `core.data.Dataset` and `core.data.Translatable`, whatever they are read from.

Axes: n samples, C channel, H W pixels; pixels in [-1, 1].
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.seeds import derive
from tightrope.core.spec import DataSpec
from tightrope.data.images import ImageDataset, Images
from tightrope.data.making import Making
from tightrope.data.sources import Reject

_RULE = "pairs-1"  # in fingerprints: changes when the same pixels would be held out or given otherwise


class Pictures(Protocol):
    """Any data that is read as pictures, by index."""

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]: ...


class Giver(Protocol):
    """Where pictures given come from; `index` is that of the pictures which they shall become."""

    shape: tuple[int, ...]

    def fixed(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        """The same at every call."""
        ...

    def fresh(
        self, index: Int64[Tensor, " n"], real: Float[Tensor, "n C H W"], generator: torch.Generator
    ) -> Float[Tensor, "n *given"]:
        """Made of `real`, the pictures at `index`, as chance wills."""
        ...


class Half:
    """One of two pictures that lie in one: three of its six channels, or one where all are grey."""

    def __init__(self, both: ImageDataset, first: int, grey: bool) -> None:
        self.both, self.channels = both, slice(first, first + (1 if grey else 3))
        self.shape = (1 if grey else 3, *both.spec.shape[1:])

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        return self.both.batch(index, self.channels)


class Stored:
    """Pictures given as they lie on the disk."""

    def __init__(self, pictures: Pictures, shape: tuple[int, ...]) -> None:
        self.pictures, self.shape = pictures, shape

    def fixed(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        return self.pictures.batch(index)

    def fresh(
        self, index: Int64[Tensor, " n"], real: Float[Tensor, "n C H W"], generator: torch.Generator
    ) -> Float[Tensor, "n *given"]:
        return self.pictures.batch(index)


class Made:
    """Pictures given that are made of what they shall become."""

    def __init__(self, pictures: Pictures, making: Making, shape: tuple[int, ...]) -> None:
        self.pictures, self.making, self.shape = pictures, making, shape

    def fixed(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        numbers = torch.tensor([derive(0, "given", i) for i in index.tolist()], dtype=torch.int64)
        return self.making(self.pictures.batch(index), numbers)

    def fresh(
        self, index: Int64[Tensor, " n"], real: Float[Tensor, "n C H W"], generator: torch.Generator
    ) -> Float[Tensor, "n *given"]:
        return self.making(real, torch.randint(2**62, (len(real),), generator=generator))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """What a data set of pairs tells of where it comes from.

    Attributes:
        content: fingerprints, and the rule by which pictures are given.
        folder, index: of the pixel cache of what is made.
    """

    name: str
    content: tuple[str, ...]
    licence: str | None
    source: dict[str, Any]
    rejects: list[Reject]
    folder: Path
    index: dict[str, Any]

    def fingerprint(self, *indices: Int64[Tensor, " n"]) -> str:
        """sha256 of the content and of which of it is used."""
        digest = hashlib.sha256(repr((_RULE, *self.content)).encode())
        for index in indices:
            digest.update(index.numpy().astype("<i8").tobytes() + b"|")
        return digest.hexdigest()


class Pairs:
    """Pictures, each with the one it is made of.

    Args:
        targets: of any length; the samples are those at `places`.
        names: of the samples.
        held: the pairs that training never sees.
    """

    def __init__(
        self, origin: Origin, targets: Pictures, giver: Giver, places: Int64[Tensor, " n"],
        *, shape: tuple[int, ...], names: list[str], held: Pairs | None = None,
    ) -> None:  # fmt: skip
        self.origin, self.name, self.licence, self.source = origin, origin.name, origin.licence, origin.source
        self.rejects, self.folder, self.index = origin.rejects, origin.folder, origin.index
        self.targets, self.giver, self.places, self.held = targets, giver, places, held
        self.givens, self._names = len(places), names
        self.modality: Modality = Images()
        self.fingerprint = origin.fingerprint(places)
        self.spec = DataSpec(modality="pairs", shape=shape, given=giver.shape, count=len(places))

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        """What should be made of the pictures given at `index`."""
        return self.targets.batch(self.places[index])

    def given(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        """Pictures given, always the same."""
        return self.giver.fixed(self.places[index])

    def drawn(
        self, index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n C H W"], Float[Tensor, "n *given"]]:
        """The samples at `index` and the pictures they are made of, made anew where chance has a part in it."""
        real = self.batch(index)
        return real, self.giver.fresh(self.places[index], real, generator)

    def labels(self, index: Int64[Tensor, " n"]) -> None:
        """None: pairs have no classes."""

    def names(self) -> list[str]:
        """The file each sample came from."""
        return self._names


class Unpaired:
    """Pictures to be made, and others, of which they are to be made; which belongs to which is not known, or not told.

    Args:
        targets, others: of any length; the samples are the targets at `here`, those given are the others at `there`.
        held: what training never sees; pairs where it is known what belongs together.
    """

    def __init__(
        self, origin: Origin, targets: Pictures, others: Pictures, here: Int64[Tensor, " n"], there: Int64[Tensor, " m"],
        *, shape: tuple[int, ...], given: tuple[int, ...], names: list[str], held: Pairs | Unpaired | None = None,
    ) -> None:  # fmt: skip
        self.origin, self.name, self.licence, self.source = origin, origin.name, origin.licence, origin.source
        self.rejects, self.folder, self.index = origin.rejects, origin.folder, origin.index
        self.targets, self.others, self.here, self.there, self.held = targets, others, here, there, held
        self.givens, self._names = len(there), names
        self.modality: Modality = Images()
        self.fingerprint = origin.fingerprint(here, there)
        self.spec = DataSpec(modality="unpaired", shape=shape, given=given, count=len(here))

    def __len__(self) -> int:
        return len(self.here)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        """Pictures of the kind that is to be made."""
        return self.targets.batch(self.here[index])

    def given(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        """Pictures given; `index` counts them, not the samples."""
        return self.others.batch(self.there[index])

    def drawn(
        self, index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n C H W"], Float[Tensor, "n *given"]]:
        """The samples at `index`, and as many pictures given, any."""
        return self.batch(index), self.given(torch.randint(self.givens, index.shape, generator=generator))

    def labels(self, index: Int64[Tensor, " n"]) -> None:
        """None: pictures to be translated have no classes."""

    def names(self) -> list[str]:
        """The file each sample came from."""
        return self._names
