"""Judge samples against real data: one call, a list of records that state how they were measured.

    records = evaluate(lambda start, n: generator(latents[start:start + n]), dataset)

The figures come from `metrics.suite`; this module decides what is compared: which real samples are the reference, what
files would hold of the generated ones, and what real data in their place would give (the null).

Axes: N samples, C channels, H W pixels, d features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.core.spec import DataSpec
from tightrope.metrics import features, suite
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.extractors import coordinates, rows
from tightrope.metrics.extractors.small import load_shipped
from tightrope.metrics.features import Features
from tightrope.metrics.modes import RADIUS, SAMPLES, mode_report
from tightrope.metrics.protocol import Record, record

Sampler = Callable[[int, int], Tensor]
Progress = Callable[[int, int], None]
BATCH = 250  # samples read at once


def judge_for(spec: DataSpec) -> Extractor:
    """The shipped extractor for a kind of data: fashion-cnn for grey images, emoji-cnn for RGB, coordinates for points, encoded
    rows for tables.

    Raises:
        InputError: none is known for this modality or number of channels.
    """
    if spec.modality == "points":
        return coordinates.load(spec.channels)
    if spec.modality == "table":
        return rows.load(spec.blocks)
    if spec.pictures and spec.channels in (1, 3):
        return load_shipped("fashion-cnn" if spec.channels == 1 else "emoji-cnn")
    raise InputError(
        f"no judge for {spec.modality} of the shape {spec.shape}; there are judges for grey and RGB images, points and tables."
    )


def at_home(extractor: Extractor, spec: DataSpec) -> bool:
    """Whether the extractor tells the data's own classes apart."""
    return bool(extractor.classes) and extractor.classes == tuple(spec.classes)


def evaluate(
    sample: Sampler,
    dataset: Dataset,
    *,
    count: int = 10_000,
    references: int | None = None,
    extractor: Extractor | None = None,
    held_out: Dataset | None = None,
    identity: Record | None = None,
    seed: int = 0,
    quick: bool = False,
) -> list[Record]:
    """Compare `count` generated samples with the real data; both as files would hold them (images: uint8).

    Args:
        sample: `sample(start, n)` gives generated samples start ... start + n - 1 in network range, on any device.
        dataset: the real data.
        count: generated samples. Values at different counts do not compare.
        references: real samples, drawn evenly through the data (`spread_index`), so that they have its class balance;
            None: as many as `count`, and never more than there are.
        extractor: whose features are compared; None takes `judge_for` the data.
        held_out: real data that the generator has not seen: adds what only such data can tell of memorisation.
        identity: what the generated samples depend on, as JSON; given, their features are kept in the cache.
        seed: of everything random in the figures.
        quick: the Frechet distance, classes and modes alone.

    Returns:
        Records as stored in metrics.jsonl, see `protocol.record`.

    Raises:
        InputError: no judge for this data, fewer than 4 real or 2 generated samples, or samples that are not finite.
    """
    extractor = extractor or judge_for(dataset.spec)
    if count < 2 or len(dataset) < 4:
        raise InputError(f"evaluate: {count} generated and {len(dataset)} real samples; at least 2 and 4 are needed.")
    real = reference(extractor, dataset, references or count)
    key = None if identity is None else {"extractor": extractor.protocol, "generated": identity, "count": count}
    fake = generated_features(extractor, sample, dataset, count, key)
    protocol = protocol_of(extractor, dataset, real, count, seed)
    first, second = _parts(real, count)
    sizes = [len(first.values), len(second.values)]
    nulls = {f.name: {"value": f.value, "n": sizes} for f in suite.figures(first, second, extractor, seed, quick=quick)}
    records = [
        record(
            figure.name, figure.value, figure.better, protocol | figure.protocol, interval=figure.interval,
            null=figure.null if figure.null is not None else nulls.get(figure.name), std=figure.std, notes=figure.notes,
        )
        for figure in suite.figures(real, fake, extractor, seed, interval=True, quick=quick)
    ]  # fmt: skip
    if at_home(extractor, dataset.spec):
        records += class_records(extractor, real, fake, protocol)
    if held_out is not None and not quick:
        records += _held_out_records(extractor, real, fake, held_out, protocol, seed)
    return records + _mixture_records(sample, dataset, count)


def reference(extractor: Extractor, dataset: Dataset, count: int, progress: Progress | None = None) -> Features:
    """The features of min(count, len) real samples, from the cache where they were read before."""
    index = spread_index(len(dataset), count)
    key = {"extractor": extractor.protocol, "data": dataset.fingerprint, "count": len(index), "drawn": "evenly, seed 0"}
    return features.cached(key, lambda: features.read(extractor, stored(dataset, index, progress)))


def stored(dataset: Dataset, index: Int64[Tensor, " n"], progress: Progress | None = None) -> Iterator[np.ndarray]:
    """Real samples as files hold them, in batches."""
    for start in range(0, len(index), BATCH):
        yield dataset.modality.to_array(dataset.batch(index[start : start + BATCH]))
        if progress:
            progress(min(start + BATCH, len(index)), len(index))


def generated_features(extractor: Extractor, sample: Sampler, dataset: Dataset, count: int, key: Record | None) -> Features:
    """The features of generated samples; from the cache when `key` says what they depend on."""

    def compute() -> Features:
        return features.read(extractor, generated(sample, dataset, count))

    return compute() if key is None else features.cached(key, compute)


def generated(sample: Sampler, dataset: Dataset, count: int) -> Iterator[np.ndarray]:
    """`count` generated samples as a file would hold them, in batches.

    Raises:
        InputError: samples of another shape than the data's, or not finite (rounding to bytes would hide a NaN).
    """
    for start in range(0, count, BATCH):
        expected = (min(BATCH, count - start), *dataset.spec.shape)
        samples = sample(start, expected[0])
        if tuple(samples.shape) != expected:
            raise InputError(
                f"evaluate: sample({start}, {expected[0]}) gave the shape {tuple(samples.shape)}; {expected} was expected."
            )
        samples = samples.detach().to("cpu", torch.float32)
        if not torch.isfinite(samples).all():
            raise InputError("evaluate: generated samples hold a NaN or an infinity; go back to an earlier checkpoint.")
        yield dataset.modality.to_array(samples)


def spread_index(length: int, count: int) -> Int64[Tensor, " n"]:
    """min(count, length) indices, rising: one drawn from each of as many equal stretches, always the same.

    Stretches keep the balance of data stored class by class; the draw keeps that of data dealt out in turn, of which
    every tenth sample may be of one class.
    """
    n = min(count, length)
    edges = torch.arange(n + 1) * length // n
    within = torch.rand(n, generator=generator(0, "reference"), dtype=torch.float64)
    return edges[:-1] + (within * edges.diff()).long()


def _parts(real: Features, count: int) -> tuple[Features, Features]:
    """Two disjoint random parts of the reference, the second of `count` samples or half of it.

    Against each other they are what no generator can be asked to beat.
    """
    shuffled = torch.randperm(len(real.values), generator=generator(0, "reference", "parts"))
    middle = len(shuffled) - min(count, len(shuffled) // 2)
    return real.at(shuffled[:middle]), real.at(shuffled[middle:])


def protocol_of(extractor: Extractor, dataset: Dataset, real: Features, count: int, seed: int) -> Record:
    """Everything that two values must share to be compared."""
    n = len(real.values)
    images = dataset.spec.pictures
    return extractor.protocol | {
        "pixels": dataset.spec.size if images else None,
        "quantised": "uint8" if images else None,
        "n_real": n,
        "n_generated": count,
        "reference": f"{dataset.name} {dataset.fingerprint[:12]}, {n} of {len(dataset)} drawn evenly",
        "seed": seed,
    }


def class_records(extractor: Extractor, real: Features, fake: Features, protocol: Record) -> list[Record]:
    """Shares of the classes as the judge sees them, in real and generated images alike: its confusions cancel."""
    expected, found = (_shares(each, len(extractor.classes)) for each in (real, fake))
    covered = sum(share > 0 and share >= suite.COVERED * usual for share, usual in zip(found, expected, strict=True))
    protocol = protocol | {"covered": f"share > 0 and >= {suite.COVERED} of the class's share in the reference"}
    name = extractor.id
    usual = dict(zip(extractor.classes, expected, strict=True))
    return [
        record(f"class shares[{name}]", dict(zip(extractor.classes, found, strict=True)), None, protocol, null=usual),
        record(f"classes covered[{name}]", covered, "higher", protocol, null=len(extractor.classes)),
        record(f"smallest class share[{name}]", min(found), None, protocol, null=min(expected)),
        record(f"largest class share[{name}]", max(found), None, protocol, null=max(expected)),
    ]


def _shares(read: Features, kinds: int) -> list[float]:
    classes = read.classes
    assert classes is not None
    return (torch.bincount(classes, minlength=kinds).double() / len(classes)).tolist()


def _held_out_records(
    extractor: Extractor, real: Features, fake: Features, held_out: Dataset, protocol: Record, seed: int
) -> list[Record]:
    unseen = reference(extractor, held_out, len(real.values))
    protocol = protocol | {"held_out": f"{held_out.name} {held_out.fingerprint[:12]}, {len(unseen.values)} of {len(held_out)}"}
    found = suite.held_out_figures(real, unseen, fake, extractor, seed)
    return [record(f.name, f.value, f.better, protocol | f.protocol, null=f.null, notes=f.notes) for f in found]


def _mixture_records(sample: Sampler, dataset: Dataset, count: int) -> list[Record]:
    """The mode report, where the data is a mixture whose centres are known."""
    centres, sigma = getattr(dataset, "centres", None), getattr(dataset, "sigma", None)
    if centres is None or sigma is None:
        return []
    points = np.concatenate(list(generated(sample, dataset, min(count, SAMPLES))))
    return mode_records(points, torch.as_tensor(centres).cpu(), float(sigma), dataset.name)


def mode_records(points: np.ndarray, centres: Tensor, sigma: float, name: str) -> list[Record]:
    """The mode report as records."""
    report = mode_report(torch.from_numpy(points), centres, sigma)
    protocol: dict[str, Any] = {
        "n_generated": len(points),
        "centres": len(centres),
        "sigma": sigma,
        "radius_sigmas": RADIUS,
        "shares": "of high-quality samples, against equal shares",
        "reference": f"{name}: its true centres",
    }
    perfect = (len(centres) - 1) / (2 * len(points))
    return [
        record("modes", report.captured, "higher", protocol, null=len(centres)),
        record("high-quality share", report.high_quality, "higher", protocol),
        record("reverse KL", report.reverse_kl, "lower", protocol, null=perfect),
    ]
