"""What a data set is, as plain values: for `tightrope data PATH` and its --json."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tightrope.data.loading import Data, load
from tightrope.data.pairs import Pairs, Unpaired
from tightrope.data.points import PointDataset
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.summary import summary


def inspect(
    data: str | os.PathLike[str],
    *,
    size: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Everything known of a data set; loads it (and so fills the cache) as training would.

    Keys: name, modality, count, spec (what training sees), classes {name: count}, originals (shorter sides in pixels, kinds
    of files; images only), points (mean, scale, low, high, centres, sigma in data units; points only), rejects
    [{path, reason}], licence, fingerprint, source, cache (folder, or None); of pictures that are to be made of pictures also
    givens (how many are given) and held (how many are held out, and whether as "pairs" or "unpaired"; or None); of tables table
    (`tightrope.data.tables.summary`), and their spec without `coding`.
    """
    dataset = load(data, size=size, cache=cache, progress=progress)
    record: dict[str, Any] = {
        "name": dataset.name,
        "modality": dataset.spec.modality,
        "count": len(dataset),
        "spec": dataset.spec.to_json(),
        "classes": _class_counts(dataset),
        "rejects": [dataclasses.asdict(reject) for reject in dataset.rejects],
        "licence": dataset.licence,
        "fingerprint": dataset.fingerprint,
        "source": dataset.source,
        "cache": None,
    }
    if isinstance(dataset, PointDataset):
        return {**record, "points": _coordinates(dataset)}
    if isinstance(dataset, TableDataset):
        del record["spec"]["coding"]
        return {**record, "cache": str(dataset.folder), "table": summary(dataset)}
    if isinstance(dataset, Pairs | Unpaired):
        held = dataset.held
        record |= {"givens": dataset.givens, "held": held and {"count": len(held), "modality": held.spec.modality}}
    return {**record, "originals": dataset.index.get("originals", {}), "cache": str(dataset.folder)}


def _class_counts(dataset: Data) -> dict[str, int]:
    labels = dataset.labels(torch.arange(len(dataset)))
    if labels is None:
        return {}
    counts = torch.bincount(labels, minlength=len(dataset.spec.classes)).tolist()
    return dict(zip(dataset.spec.classes, counts, strict=True))


def _coordinates(dataset: PointDataset) -> dict[str, Any]:
    return {
        "mean": dataset.mean.tolist(),
        "scale": dataset.scale,
        "low": dataset.points.min(axis=0).tolist(),
        "high": dataset.points.max(axis=0).tolist(),
        "centres": None if dataset.centres is None else dataset.centres.tolist(),
        "sigma": dataset.sigma,
    }
