"""Features of many samples at once, read batch by batch and kept on the disk, so that nothing is read twice.

Axes: N samples, d features, K classes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import cache_root, write_atomically
from tightrope.metrics.extractor import Extractor

MOST_CACHED = 2 << 30  # bytes; the features that were used least recently go first


class Features(NamedTuple):
    """What an extractor says of a set of samples."""

    values: Float[Tensor, "N d"]
    logits: Float[Tensor, "N K"] | None = None

    @property
    def classes(self) -> Int64[Tensor, " N"] | None:
        """The most likely class of each sample, where the extractor knows classes."""
        return None if self.logits is None else self.logits.argmax(1)

    def at(self, index: Tensor) -> Features:
        """The features of some of the samples."""
        return Features(self.values[index], None if self.logits is None else self.logits[index])


def read(extractor: Extractor, batches: Iterable[np.ndarray]) -> Features:
    """Stream stored samples through an extractor.

    Raises:
        InputError: no samples, or features that are not finite.
    """
    readings = [extractor.read(stored) for stored in batches if len(stored)]
    if not readings:
        raise InputError(f"{extractor.id}: no samples were given; at least one is needed.")
    values = torch.cat([reading.features.float() for reading in readings])
    broken = int((~torch.isfinite(values)).any(1).sum())
    if broken:
        raise InputError(
            f"{extractor.id}: the features of {broken} of {len(values)} samples are NaN or infinite; look at these samples."
        )
    logits = [reading.logits for reading in readings if reading.logits is not None]
    return Features(values, torch.cat(logits).float() if logits else None)


def cached(key: dict[str, Any], compute: Callable[[], Features]) -> Features:
    """Features from the cache, or computed and put there. `key`: everything they depend on, as JSON."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_root() / "features" / f"{digest}.safetensors"
    with contextlib.suppress(OSError, SafetensorError, KeyError):
        found = load_file(path)
        os.utime(path)
        return Features(found["values"], found.get("logits"))
    computed = compute()
    tensors = {"values": computed.values} | ({} if computed.logits is None else {"logits": computed.logits})
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with contextlib.suppress(InputError, SafetensorError, OSError):  # a cache that cannot be written costs time and nothing else
        write_atomically(path, lambda partial: save_file(tensors, partial))
        _prune(path.parent)
    return computed


def _prune(folder: Path) -> None:
    files = sorted(((file.stat().st_mtime, file.stat().st_size, file) for file in folder.glob("*.safetensors")), reverse=True)
    total = 0
    for _, size, file in files:
        total += size
        if total > MOST_CACHED:
            file.unlink(missing_ok=True)
