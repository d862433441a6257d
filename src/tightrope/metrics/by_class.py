"""Figures of samples that were made for classes: are they what was asked for, and how good is each class by itself.

| figure | says |
|---|---|
| class accuracy | share of the samples that a classifier of this data recognises as the class they were made for |
| intra-class Frechet distance | mean over the classes of the distance within one (Miyato and Koyama 2018, section 5) |

A classifier does better on the data it has learnt from than on any new sample. So the null of the accuracy is what it reaches
on the real data or, where that is less, on what was held out when it was trained. The distance within a class rests on the
samples of that class, which are few: it includes the bias of so few, and so does its null.

Axes: N samples, d features, K classes.
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.seeds import generator
from tightrope.metrics import intervals
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.features import Features
from tightrope.metrics.frechet import frechet_from_features
from tightrope.metrics.protocol import BY_CLASS, Record, record
from tightrope.metrics.suite import INCEPTION

LEAST = 10  # samples of a class, and half its real ones, for a distance within it
NULL = "the classifier on the real data, or on data it has not learnt from where that is less"


class Labelled(NamedTuple):
    """Samples with their classes: those of real ones, or those that generated ones were made for."""

    read: Features
    labels: Int64[Tensor, " N"]

    def of(self, k: int) -> Float[Tensor, "n d"]:
        """The features of one class."""
        return self.read.values[self.labels == k]


def confusions(read: Int64[Tensor, " N"], asked: Int64[Tensor, " N"], classes: int) -> Int64[Tensor, "K K"]:
    """How many samples of each class (rows) were read as each class (columns)."""
    return torch.bincount(asked * classes + read, minlength=classes**2).view(classes, classes)


def usual_accuracy(extractor: Extractor, real: Labelled) -> Float[Tensor, " K"]:
    """The null of each class; 0 where there is no real sample of it."""
    assert real.read.classes is not None
    counts = confusions(real.read.classes, real.labels, len(extractor.classes)).double()
    measured = counts.diagonal() / counts.sum(1).clamp(min=1)
    stated = extractor.facts.get("accuracy by class") or {}
    overall = float(extractor.facts.get("accuracy", 1.0))
    held_out = torch.tensor([float(stated.get(name, overall)) for name in extractor.classes], dtype=torch.float64)
    return torch.minimum(measured, held_out)


def expected_accuracy(usual: Float[Tensor, " K"], asked: Int64[Tensor, " N"]) -> float:
    """The null over all classes, in the shares in which they were asked for."""
    return usual[asked].mean().item()


def accuracy_records(extractor: Extractor, real: Labelled, fake: Labelled, protocol: Record) -> list[Record]:
    """The share recognised as what was asked for, over all and for each class. The extractor is at home in the data."""
    assert fake.read.classes is not None
    counts = confusions(fake.read.classes, fake.labels, len(extractor.classes))
    right, many = counts.diagonal(), counts.sum(1)
    total, n = int(right.sum()), len(fake.labels)
    usual = usual_accuracy(extractor, real)
    span = intervals.share_interval(total, n)
    protocol = protocol | {"null": NULL}
    shares = {name: (right[k] / many[k]).item() for k, name in enumerate(extractor.classes) if many[k]}
    nulls = {name: usual[k].item() for k, name in enumerate(extractor.classes) if many[k]}
    numbers = {name: int(many[k]) for k, name in enumerate(extractor.classes)}
    null = {"value": expected_accuracy(usual, fake.labels), "n": len(real.labels)}
    return [
        record(f"class accuracy[{extractor.id}]", total / n, "higher", protocol, interval=(span.low, span.high), null=null),
        record(f"class accuracy{BY_CLASS}[{extractor.id}]", shares, "higher", protocol, null=nulls) | {"n": numbers},
    ]


def distance_records(
    extractor: Extractor, real: Labelled, fake: Labelled, classes: tuple[str, ...], protocol: Record, seed: int = 0
) -> list[Record]:
    """The Frechet distance within each class, and the mean over the classes; [] where no class has samples enough."""
    values: dict[str, float] = {}
    nulls: dict[str, float] = {}
    numbers: dict[str, list[int]] = {}
    for k, name in enumerate(classes):
        ours, theirs = real.of(k), fake.of(k)
        if len(theirs) < LEAST or len(ours) < 2 * LEAST:
            continue
        some, others = _parts(ours, len(theirs), seed, k)
        values[name], nulls[name] = frechet_from_features(ours, theirs), frechet_from_features(some, others)
        numbers[name] = [len(ours), len(theirs)]
    if not values:
        return []
    counts = [count for _, count in numbers.values()]
    left_out = f"; {len(classes) - len(values)} classes have too few" if len(values) < len(classes) else ""
    note = f"the distances within classes rest on {min(counts)} to {max(counts)} generated samples each{left_out}."
    known = protocol | {"ddof": 1}
    plain, single = ("FID", "intra-class FID") if extractor.id == INCEPTION else ("frechet", "intra-class frechet")
    mark = "" if extractor.id == INCEPTION else f"[{extractor.id}]"
    mean: dict[str, Any] = {"value": statistics.fmean(nulls.values()), "n": "halves of the real samples of each class"}
    return [
        record(f"{single}{mark}", statistics.fmean(values.values()), "lower", known, null=mean, notes=[note]),
        record(f"{plain}{BY_CLASS}{mark}", values, "lower", known, null=nulls) | {"n": numbers},
    ]


def _parts(features: Float[Tensor, "n d"], count: int, seed: int, k: int) -> tuple[Tensor, Tensor]:
    """Two random parts, the second of `count` samples or half of them."""
    order = torch.randperm(len(features), generator=generator(seed, "class", k))
    middle = len(order) - min(count, len(order) // 2)
    return features[order[:middle]], features[order[middle:]]
