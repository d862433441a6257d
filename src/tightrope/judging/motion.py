"""How exactly a generator that can be told to move its images does so: EQ-T and EQ-R (see `metrics.equivariance`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tightrope.explore.generator import Generator
from tightrope.judging.subjects import Case
from tightrope.metrics import equivariance
from tightrope.metrics.protocol import record

TRANSFORM = "synthesis.input.transform"  # the buffer that moves the canvas, by its published name
SAMPLES = 16


def motion_records(case: Case, seed: int = 0) -> list[dict[str, Any]]:
    """EQ-T by whole pixels and by parts of them, and EQ-R, in decibels; [] where the generator cannot be told to move."""
    generator = case.subject.generator
    transform = None if generator is None else _transform(generator)
    if generator is None or transform is None:
        return []
    seeds = list(range(SAMPLES))
    z, classes = generator.latents(seeds), generator.labels(seeds)

    def draw(to_source: Tensor) -> Tensor:
        with _moved(transform, to_source):
            return generator.decode(z, classes)

    protocol = {"samples": SAMPLES, "pixels": generator.spec.size, "seed": seed}
    figures = {
        "EQ-T": equivariance.translation(draw, seed=seed),
        "EQ-T of parts of a pixel": equivariance.translation(draw, fractional=True, seed=seed),
        "EQ-R": equivariance.rotation(draw, seed=seed),
    }
    return [record(f"{name} [dB]", value, "higher", protocol) for name, value in figures.items()]


def _transform(generator: Generator) -> Tensor | None:
    """The buffer; None where there is none."""
    return dict(generator.nets["G"].named_buffers()).get(TRANSFORM) if "G" in generator.nets else None


@contextmanager
def _moved(transform: Tensor, to_source: Tensor) -> Iterator[None]:
    """The canvas stands elsewhere for a while."""
    kept = transform.clone()
    with torch.no_grad():
        transform.copy_(to_source)
        try:
            yield
        finally:
            transform.copy_(kept)
