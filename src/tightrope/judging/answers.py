"""What a run that translates is scored on: pictures given, made of them, and wanted, as files would hold them.

Scored are pictures that training has not seen, where there are any; the picture given is an answer too, the trivial one.

Axes: n pictures, C channels, H W pixels.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope.core.data import Dataset
from tightrope.core.given import pictures_of
from tightrope.core.spec import DataSpec
from tightrope.explore.generator import Generator
from tightrope.judging.pairing import Progress
from tightrope.judging.subjects import Case
from tightrope.metrics.judge import spread_index

MOST, MOST_BYTES = 1_000, 256 << 20  # pictures scored, and what they may take in memory
BATCH = 16  # pictures at once
TRIVIAL = "the picture given, enlarged by cubic interpolation where it is smaller"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scored:
    """What is scored: data sets of one kind, and whether training has seen them."""

    parts: list[Dataset]
    seen: bool
    name: str

    @property
    def paired(self) -> bool:
        """Whether the pictures wanted are known."""
        return self.parts[0].spec.paired


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures as files would hold them, uint8 (n, H, W, C), all of one shape.

    Attributes:
        trivial: the pictures given, as an answer: see TRIVIAL.
        made: by the generator.
        wanted: in the place of those made; None where nobody knows them.
        names: of the pictures given, as far as the data has names.
    """

    trivial: UInt8[np.ndarray, "n H W C"]
    made: UInt8[np.ndarray, "n H W C"]
    wanted: UInt8[np.ndarray, "n H W C"] | None
    names: list[str]


def what_is_scored(case: Case, generator: Generator) -> Scored:
    """All of what was named as held out or is not the data of the training; else what that data holds out; else the data."""
    data = case.data
    if case.held_out is not None:
        return Scored(parts=_whole(case.held_out), seen=False, name=case.held_out.name)
    if generator.header.get("data_fingerprint") != data.fingerprint:
        return Scored(parts=_whole(data), seen=False, name=data.name)
    held = pictures_of(data).held
    if held is not None:
        return Scored(parts=[held], seen=False, name=f"held out of {data.name}")
    return Scored(parts=[data], seen=True, name=data.name)


def _whole(data: Dataset) -> list[Dataset]:
    """Data with what it would hold out of a training."""
    held = pictures_of(data).held
    return [data] if held is None else [data, held]


def collected(
    generator: Generator, scored: Scored, data: Dataset, most: int, progress: Progress | None = None
) -> Pictures:  # fmt: skip
    """At most `most` pictures, evenly through what is scored; fewer where they are large."""
    stored, spec = data.modality.to_array, data.spec
    ends = [0]
    for part in scored.parts:
        ends.append(ends[-1] + pictures_of(part).givens)
    index = spread_index(ends[-1], max(1, min(most, MOST, MOST_BYTES // math.prod(spec.shape))))
    trivial, made, wanted, names, done = [], [], [], [], 0
    for part, first, last in zip(scored.parts, ends, ends[1:], strict=False):
        there = index[(index >= first) & (index < last)] - first
        known = part.names() if scored.paired and hasattr(part, "names") else []  # without pairs they are the targets'
        names += [str(known[i]) if i < len(known) else "" for i in there.tolist()]
        for some in there.split(BATCH):
            given = pictures_of(part).given(some)
            trivial.append(stored(enlarged(given, spec)))
            made.append(stored(generator.decode(given)))
            wanted += [stored(part.batch(some))] if scored.paired else []
            done += len(some)
            if progress:
                progress(done, len(index))
    joined = np.concatenate
    return Pictures(trivial=joined(trivial), made=joined(made), wanted=joined(wanted) if wanted else None, names=names)


def enlarged(given: Float[Tensor, "n *given"], spec: DataSpec) -> Float[Tensor, "n *x"]:
    """Pictures given as answers: of the size wanted by cubic interpolation, their channels as far as they go."""
    if given.shape[-2:] != spec.shape[-2:]:  # antialias: the kernel of Keys 1981 with a = -1/2, as papers mean "bicubic"
        given = interpolate(given, spec.shape[-2:], mode="bicubic", antialias=True).clamp(-1, 1)
    if spec.channels == 1:
        return given.mean(1, keepdim=True)
    return (given if given.shape[1] >= spec.channels else given[:, :1])[:, : spec.channels].expand(-1, spec.channels, -1, -1)
