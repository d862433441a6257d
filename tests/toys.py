"""Tiny data sets that satisfy the Dataset protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tightrope.core.blocks import Block
from tightrope.core.spec import DataSpec
from tightrope.core.strata import Strata

# of a toy table: a category, a number, a number with modes (its first: missing)
BLOCKS = (
    Block(column="kind", kind="onehot", role="category", start=0, stop=3),
    Block(column="size", kind="scalar", role="value", start=3, stop=4),
    Block(column="age", kind="onehot", role="mode", start=4, stop=7),
    Block(column="age", kind="scalar", role="value", start=7, stop=8, gate=(5, 6)),
)


class ToyModality:
    """Shows samples as one row of flat grey."""

    name = "toy"

    def __init__(self, exact: bool) -> None:
        self.exact = exact

    def grid(self, samples: Tensor, columns: int | None = None) -> np.ndarray:
        return np.full((4, len(samples), 3), 128, np.uint8)

    def to_array(self, samples: Tensor) -> np.ndarray:
        return samples.numpy()

    def save(self, samples: Tensor, names: list[str], folder: Path) -> list[Path]:
        raise NotImplementedError


class ToyDataset:
    """Random samples of a given shape, held in memory; of a "table", rows of BLOCKS; of "pairs" and "unpaired", with random pictures given beside them."""

    def __init__(self, shape: tuple[int, ...], count: int = 37, modality: str = "") -> None:
        points = len(shape) == 1
        modality, given = modality or ("points" if points else "images"), modality in ("pairs", "unpaired")
        self.name, self.fingerprint, self.licence, self.source = "toy", "0" * 64, None, {"data": "toy"}
        table = modality == "table"
        classes = () if given or table else ("a", "b")
        self.spec = DataSpec(
            modality=modality,
            shape=shape,
            classes=classes,
            count=count,
            given=shape if given else (),
            blocks=BLOCKS if table else (),
        )
        generator = torch.Generator().manual_seed(1)
        self.samples = encoded(count, generator) if table else torch.rand(count, *shape, generator=generator) * 2 - 1
        self.modality: Any = ToyModality(exact=points)
        self.others = torch.rand(self.spec.count, *self.spec.given, generator=generator) * 2 - 1
        self.givens, self.held = count, None

    def __len__(self) -> int:
        return len(self.samples)

    def batch(self, index: Tensor) -> Tensor:
        return self.samples[index]

    def labels(self, index: Tensor) -> Tensor | None:
        return index % 2 if self.spec.classes else None

    @property
    def strata(self) -> Strata:
        hots = [block for block in self.spec.blocks if block.kind == "onehot"]
        return Strata(hots, torch.stack([self.samples[:, block.slice].argmax(1) for block in hots], 1))

    def given(self, index: Tensor) -> Tensor:
        return self.others[index]

    def drawn(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        other = index if self.spec.paired else torch.randint(self.givens, index.shape, generator=generator)
        return self.batch(index), self.given(other)


SHAPES = {"images": (3, 16, 16), "points": (2,), "pairs": (3, 16, 16), "unpaired": (3, 16, 16), "table": (BLOCKS[-1].stop,)}


def encoded(n: int, generator: torch.Generator) -> Tensor:
    """Rows of BLOCKS: values and scalars by chance, scalars 0 where their mode does not hold."""
    rows = torch.zeros(n, BLOCKS[-1].stop)
    for block in BLOCKS:
        if block.kind == "onehot":
            rows[torch.arange(n), block.start + torch.randint(block.size, (n,), generator=generator)] = 1
        else:
            counts = rows[:, list(block.gate)].sum(1) if block.gate else 1
            rows[:, block.start] = (torch.rand(n, generator=generator) * 2 - 1) * counts
    return rows


def drawings(n: int, seed: int, size: int = 16) -> np.ndarray:
    """Bright bars of four angles at random places, uint8 (n, size, size)."""
    random = np.random.default_rng(seed)
    angle = (np.arange(n) % 4 * np.pi / 4)[:, None, None]
    y, x = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    centre, width = random.uniform(-0.5, 0.5, (2, n, 1, 1)), random.uniform(0.15, 0.35, (n, 1, 1))
    across = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    return ((np.abs(across) < width) * random.uniform(100, 255, (n, 1, 1))).astype(np.uint8)


def write_images(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:04d}.png")
    return folder


def numbers(n: int, d: int, seed: int) -> Tensor:
    """Numbers in [0, 1) that no version of a library can change."""
    i = torch.arange(n * d, dtype=torch.long) + 1_000_003 * seed
    i = (i * 2_654_435_761) % (1 << 32)
    i = ((i ^ (i >> 15)) * 2_246_822_519) % (1 << 32)
    return (((i ^ (i >> 13)) % 65_536).double() / 65_536).view(n, d).float()


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
