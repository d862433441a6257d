"""Judge a generator against the real data of its run: one call, a list of records that state how they were measured.

    records = evaluate(lambda start, n: generator(latents[start:start + n]), dataset)

The distance is Frechet's (tightrope.metrics.frechet) in the features of a small classifier trained on a related
kind of image. Its values compare with each other under one protocol, and with no number of Inception features.

Axes: N samples, C channels, H W pixels, d features, K classes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import interpolate

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.core.spec import DataSpec
from tightrope.metrics.classifier import WEIGHTS, SmallCNN, load_classifier
from tightrope.metrics.frechet import Moments, frechet_distance
from tightrope.metrics.modes import RADIUS, SAMPLES, mode_report

Sampler = Callable[[int, int], Tensor]
Record = dict[str, Any]
COVERED = 0.25  # a class counts as covered from this fraction of its real share


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judge:
    """What turns stored samples into the features that are compared.

    Attributes:
        id: stands in square brackets in the names of records.
        weights_sha256: of the weights file; None where nothing was trained.
        licence: of the weights.
        input_rule: the images the network expects.
        classes: what the network tells apart, in the order of its logits.
        network: None for points, whose features are their coordinates.
        size: side of the network's input in pixels.
    """

    id: str
    weights_sha256: str | None = None
    licence: str | None = None
    input_rule: str
    classes: tuple[str, ...] = ()
    network: SmallCNN | None = None
    size: int = 0

    @torch.inference_mode()
    def features(self, stored: np.ndarray) -> Float[Tensor, "N d"]:
        """Features of samples as users store them: uint8 (N, H, W, C) images of any size, or (N, dim) coordinates."""
        if self.network is None:
            return torch.from_numpy(np.ascontiguousarray(stored))
        images = torch.from_numpy(np.ascontiguousarray(stored)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        if images.shape[-2:] != (self.size, self.size):
            images = interpolate(images, (self.size, self.size), mode="bilinear", antialias=True)
        return self.network.features(images)

    @torch.inference_mode()
    def classify(self, features: Float[Tensor, "N d"]) -> Int64[Tensor, " N"]:
        """The most likely class of each sample."""
        if self.network is None:
            raise InputError(f"judge {self.id}: it knows no classes; use a judge of images.")
        return self.network.head(features).argmax(1)

    def resize_rule(self, spec: DataSpec) -> str | None:
        """What happens between the stored image and the network's input."""
        if self.network is None:
            return None
        return "none" if spec.size == self.size else f"{spec.size} to {self.size} px, bilinear, antialiased"


COORDINATES = Judge(id="coordinates", input_rule="points in the units of their data")


@functools.cache
def _image_judge(name: str) -> Judge:
    classifier = load_classifier(WEIGHTS / f"{name}.safetensors")
    return Judge(
        id=classifier.header["name"],
        weights_sha256=classifier.sha256,
        licence=classifier.header["licence"],
        input_rule=classifier.header["input"],
        classes=classifier.classes,
        network=classifier.network,
        size=int(classifier.header["size"]),
    )


def judge_for(spec: DataSpec) -> Judge:
    """The judge of a kind of data: fashion-cnn for grey images, emoji-cnn for RGB, coordinates for points.

    Raises:
        InputError: no judge is known for this modality or number of channels.
    """
    if spec.modality == "points":
        return COORDINATES
    if spec.modality == "images" and spec.channels in (1, 3):
        return _image_judge("fashion-cnn" if spec.channels == 1 else "emoji-cnn")
    raise InputError(
        f"no judge for {spec.modality} of the shape {spec.shape}; there are judges for grey and RGB images and for points."
    )


@dataclasses.dataclass(frozen=True)
class Tally:
    """What is kept of a set of samples: moments of their features, and how many fell into each class."""

    moments: Moments
    counts: Int64[Tensor, " K"]

    def merge(self, other: Tally) -> Tally:
        return Tally(self.moments.merge(other.moments), self.counts + other.counts)

    @property
    def shares(self) -> list[float]:
        return (self.counts.double() / self.counts.sum()).tolist()


def tally(judge: Judge, batches: Iterable[np.ndarray]) -> Tally:
    """Stream stored samples through a judge."""
    moments, counts = Moments(), torch.zeros(len(judge.classes), dtype=torch.int64)
    for stored in batches:
        features = judge.features(stored)
        moments.add(features)
        if judge.classes:
            counts += torch.bincount(judge.classify(features), minlength=len(counts))
    return Tally(moments, counts)


def evaluate(sample: Sampler, dataset: Dataset, *, count: int = 10_000, batch: int = 250) -> list[Record]:
    """Compare `count` generated samples with the real data; both as files would hold them (images: uint8).

    Args:
        sample: `sample(start, n)` gives generated samples start ... start + n - 1 in network range, on any device.
        dataset: the real data of the run; min(count, len) samples, drawn evenly through it, are the reference
            (`reference_index`), so that it has the data's class balance.
        count: generated samples. Values at different counts do not compare.
        batch: samples asked for at once.

    Returns:
        Records {"name", "value", "better": "lower" | "higher" | None, "protocol"} as stored in metrics.jsonl.

    Raises:
        InputError: no judge for this data, fewer than 4 real or 2 generated samples, or samples that are not finite.
    """
    judge = judge_for(dataset.spec)
    if count < 2 or batch < 1 or len(dataset) < 4:
        raise InputError(f"evaluate: count {count}, batch {batch}, {len(dataset)} real samples; at least 2, 1 and 4 are needed.")
    halves = reference_halves(judge, dataset, count, batch)
    reference, protocol = halves[0].merge(halves[1]), protocol_of(judge, dataset, halves, count)
    stored: Iterable[np.ndarray] = generated(sample, dataset, count, batch)
    centres, sigma = (
        getattr(dataset, "centres", None),
        getattr(dataset, "sigma", None),
    )  # only mixtures have them
    if centres is not None and sigma is not None:
        stored = list(stored)
    found = tally(judge, stored)
    records = [_record(f"frechet[{judge.id}]", frechet_distance(reference.moments, found.moments), "lower", protocol)]
    if judge.classes and judge.classes == tuple(dataset.spec.classes):
        records += class_records(judge, reference, found, protocol)
    if centres is not None and sigma is not None:
        points = np.concatenate(list(stored))[:SAMPLES]
        records += mode_records(points, torch.as_tensor(centres).cpu(), float(sigma), dataset.name)
    return records


def generated(sample: Sampler, dataset: Dataset, count: int, batch: int) -> Iterator[np.ndarray]:
    """`count` generated samples as a file would hold them, in batches.

    Raises:
        InputError: samples of another shape than the data's, or not finite (rounding to bytes would hide a NaN).
    """
    for start in range(0, count, batch):
        expected = (min(batch, count - start), *dataset.spec.shape)
        samples = sample(start, expected[0])
        if tuple(samples.shape) != expected:
            raise InputError(
                f"evaluate: sample({start}, {expected[0]}) gave the shape {tuple(samples.shape)}; {expected} was expected."
            )
        samples = samples.detach().to("cpu", torch.float32)
        if not torch.isfinite(samples).all():
            raise InputError("evaluate: generated samples hold a NaN or an infinity; go back to an earlier checkpoint.")
        yield dataset.modality.to_array(samples)


_REFERENCES: dict[tuple[str, str, str | None, int], tuple[Tally, Tally]] = {}


def reference_halves(judge: Judge, dataset: Dataset, count: int, batch: int = 250) -> tuple[Tally, Tally]:
    """The reference in two disjoint random halves, kept in memory by data, judge and count.

    Together they are the reference; against each other they are the null: what no generator can be asked to beat.
    """
    key = (dataset.fingerprint, judge.id, judge.weights_sha256, min(count, len(dataset)))
    if key not in _REFERENCES:
        index = reference_index(len(dataset), count)
        shuffled = index[torch.randperm(len(index), generator=generator(0, "reference", "halves"))]
        first, second = (
            tally(judge, (dataset.modality.to_array(dataset.batch(chunk)) for chunk in half.split(batch)))
            for half in (shuffled[: len(index) // 2], shuffled[len(index) // 2 :])
        )
        _REFERENCES[key] = first, second
    return _REFERENCES[key]


def reference_index(length: int, count: int) -> Int64[Tensor, " n"]:
    """min(count, length) indices, rising: one drawn from each of as many equal stretches, always the same.

    Stretches keep the balance of data stored class by class; the draw keeps that of data dealt out in turn, of which
    every tenth sample may be of one class.
    """
    n = min(count, length)
    edges = torch.arange(n + 1) * length // n
    within = torch.rand(n, generator=generator(0, "reference"), dtype=torch.float64)
    return edges[:-1] + (within * edges.diff()).long()


def protocol_of(judge: Judge, dataset: Dataset, halves: tuple[Tally, Tally], count: int) -> Record:
    """Everything that two values must share to be compared."""
    sizes = [half.moments.n for half in halves]
    null = frechet_distance(halves[0].moments, halves[1].moments) if min(sizes) > 1 else None
    return {
        "extractor": judge.id,
        "weights_sha256": judge.weights_sha256,
        "features": halves[0].moments.dimensions,
        "resize": judge.resize_rule(dataset.spec),
        "quantised": "uint8" if judge.network is not None else None,
        "n_real": sum(sizes),
        "n_generated": count,
        "ddof": 1,
        "reference": f"{dataset.name} {dataset.fingerprint[:12]}, {sum(sizes)} of {len(dataset)} drawn evenly",
        "real_against_real": {"value": null, "n": sizes},
    }


def class_records(judge: Judge, real: Tally, found: Tally, protocol: Record) -> list[Record]:
    """Shares of the classes as the judge sees them, in real and generated images alike: its confusions cancel."""
    protocol = protocol | {
        "real_shares": dict(zip(judge.classes, real.shares, strict=True)),
        "covered": f"share > 0 and >= {COVERED} of the class's share in the reference, both by the judge's reading",
    }
    pairs = zip(found.shares, real.shares, strict=True)
    covered = sum(share > 0 and share >= COVERED * expected for share, expected in pairs)
    return [
        _record(f"class shares[{judge.id}]", dict(zip(judge.classes, found.shares, strict=True)), None, protocol),
        _record(f"classes covered[{judge.id}]", covered, "higher", protocol),
        _record(f"smallest class share[{judge.id}]", min(found.shares), None, protocol),
        _record(f"largest class share[{judge.id}]", max(found.shares), None, protocol),
    ]


def mode_records(points: np.ndarray, centres: Tensor, sigma: float, name: str) -> list[Record]:
    """The mode report as records."""
    report = mode_report(torch.from_numpy(points), centres, sigma)
    protocol = {
        "n_generated": len(points),
        "centres": len(centres),
        "sigma": sigma,
        "radius_sigmas": RADIUS,
        "shares": "of high-quality samples, against equal shares",
        "perfect_reverse_kl": (len(centres) - 1) / (2 * len(points)),
        "reference": f"{name}: its true centres",
    }
    return [
        _record("modes", report.captured, "higher", protocol),
        _record("high-quality share", report.high_quality, "higher", protocol),
        _record("reverse KL", report.reverse_kl, "lower", protocol),
    ]


def _record(name: str, value: Any, better: str | None, protocol: Record) -> Record:
    return {"name": name, "value": value, "better": better, "protocol": protocol}
