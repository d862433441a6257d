"""A toy that makes rows of a table by drawing real ones, and completes rows by writing what is known over them.

Paper:  none; written for the tests of drawing rows (the objective is Goodfellow et al. 2014, arXiv:1406.2661).
Run:    tightrope train tests/shuffled.py DATA
Expect: not reproduced here.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.data import TableDataset, load
from tightrope.explore.generator import Generator
from tightrope.objectives import non_saturating
from tightrope.training.artifact import write_generator

N = 300


class Rows(nn.Module):
    """The row whose number the latent says."""

    rows: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(count, width))

    def forward(self, z: Tensor, known: Tensor | None = None) -> Tensor:
        drawn = self.rows[(z[:, 0] * len(self.rows)).long()]
        return drawn if known is None else torch.where(known.isnan(), drawn, known)


@recipe
class Shuffled:
    MODALITIES: ClassVar[tuple[str, ...]] = ("table",)
    COMPLETES: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {}}

    lr: float = hyper(1e-6, "learning rate", low=1e-9, high=1.0)
    batch: int = hyper(8, "rows of a batch", low=2, high=64)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {"G": Rows(spec.count, spec.shape[0]), "D": nn.Sequential(nn.Linear(spec.shape[0], 1), nn.Flatten(0))}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, shared=False)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=non_saturating.d(nets["D"](batch.real), nets["D"](nets["G"](batch.z))))

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        return Terms(adversarial=non_saturating.g(nets["D"](nets["G"](batch.z)), None))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 1, generator=generator)


class Deaf(Shuffled):
    """Makes rows and completes none."""

    COMPLETES: ClassVar[bool] = False

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        assert labels is None
        rows: Tensor = nets["G"](z)
        return rows


class HardOfHearing(Shuffled):
    """Is told what is known and uses the first two one-hots alone."""

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            labels = labels.clone()
            labels[:, 5:] = float("nan")
        rows: Tensor = nets["G"](z, labels)
        return rows


def table(folder: Path, *constraints: str, **columns: dict[str, Any]) -> TableDataset:
    """A small table with a column of every kind, and the constraints of its schema."""
    random = np.random.default_rng(0)
    net, tax = random.integers(100, 900, N) * 10, random.integers(10, 90, N) * 10
    cells: dict[str, list[str]] = {
        "job": random.choice([" clerk", " cook", "?"], N, p=[0.6, 0.3, 0.1]).tolist(),
        "income": random.choice([" <=50K", " >50K"], N, p=[0.8, 0.2]).tolist(),
        "id": [f"C{k:04d}" for k in range(N)],
        "age": [f"{k}" for k in random.integers(17, 91, N)],
        "price": [f"{v}" for v in random.integers(75_000, 7_700_000, N)],
        "net": [str(v) for v in net],
        "tax": [str(v) for v in tax],
        "total": [str(v) for v in net + tax],
        "city": random.choice(["Rome", "Köln, am Rhein", 'Os"lo'], N).tolist(),
        "grade": random.choice(["low", "medium", "high"], N).tolist(),
        "when": [str(np.datetime64("2014-05-02") + int(k)) for k in random.integers(0, 900, N)],
        "height": ["" if k % 7 == 0 else f"{v:.3f}" for k, v in enumerate(random.normal(1.7, 0.1, N))],
    }
    path = folder / "people.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(cells)
        writer.writerows(zip(*cells.values(), strict=True))
    (folder / "people.table.json").write_text(json.dumps({"constraints": list(constraints), "columns": columns}))
    found = load(f"table:{path}", cache=folder)
    assert isinstance(found, TableDataset)
    return found


def state(data: TableDataset) -> dict[str, Tensor]:
    return {"rows": data.batch(torch.arange(len(data)))}


def generator_of(data: TableDataset, kind: type[Shuffled] = Shuffled) -> Generator:
    return Generator(kind(), data.spec, {f"G/{name}": value for name, value in state(data).items()}, {"recipe": __file__})  # type: ignore[arg-type]


def write(path: Path, data: TableDataset) -> Path:
    """A generator's file."""
    made = Shuffled().networks(data.spec)["G"]
    made.load_state_dict(state(data))
    facts = {"recipe": __file__, "fields": "{}", "spec": json.dumps(data.spec.to_json()), "seen": "8"}
    write_generator(path, {"G": made}, facts)
    return path
