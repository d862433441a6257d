"""500 pictures of shoes: from scratch, and from a generator of other clothes, at equal samples seen.

python benchmarks/transfer.py

The embedded fashion set alone: `swift` learns its seven classes that are not shoes, then 500 images of sandals, sneakers and
boots. The distance is the Frechet distance in the features of fashion-cnn between 2,000 samples and the 4,150 shoes that were
not trained on; the 500 themselves are judged by it as well. What `swift` chooses for few images is diffaugment from scratch
and adaptive augmentation from trained weights: both ways have both, so that the rows tell one from the other.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import tightrope
from tightrope import data
from tightrope.api import Options, Run
from tightrope.metrics import features, judge
from tightrope.metrics.frechet import frechet_from_features
from tightrope.transfer import ADA

SHOES, FEW = (5, 7, 9), 500
HOW: dict[str, Any] = {"judge": 0, "watch": False, "care": False, "guard": "off", "precision": "fp32", "threads": 1}
SCRATCH = {"augmentation": "diffaugment", "augment": 1.0}  # what swift chooses for few images


def written(place: Path, name: str, whole: Any, index: Tensor) -> Path:
    """Some of the images as a file of their own."""
    np.savez(place / f"{name}.npz", images=whole.modality.to_array(whole.batch(index)), labels=whole.labels(index).numpy())
    return place / f"{name}.npz"


def divided(place: Path) -> dict[str, Path]:
    """The other clothes; 500 shoes; the rest of the shoes."""
    whole = data.load("fashion")
    labels = whole.labels(torch.arange(len(whole)))
    shoe = torch.isin(labels, torch.tensor(SHOES))
    shoes = shoe.nonzero().flatten()
    shoes = shoes[torch.randperm(len(shoes), generator=torch.Generator().manual_seed(0))]
    parts = {"others": (~shoe).nonzero().flatten(), "few": shoes[:FEW], "held out": shoes[FEW:]}
    return {name: written(place, name, whole, index) for name, index in parts.items()}


class Judge:
    """The distance of samples to the shoes that were not trained on."""

    def __init__(self, held: Path, count: int) -> None:
        self.data, self.count = data.load(held), count
        self.extractor = judge.judge_for(self.data.spec)
        self.real = judge.reference(self.extractor, self.data, len(self.data)).values

    def of_run(self, run: Run) -> float:
        generator = run.generator()
        made = judge.generated(lambda start, n: generator.sample(seeds=list(range(start, start + n))), self.data, self.count)
        return frechet_from_features(self.real, features.read(self.extractor, made).values)

    def of_data(self, path: Path) -> float:
        real = data.load(path)
        return frechet_from_features(self.real, judge.reference(self.extractor, real, len(real)).values)


def trained(
    place: Path, name: str, given: Path, seen: int, seed: int, start: Path | None, freeze: int | None, **fields: Any
) -> Run:
    options = Options(**HOW, start=start, freeze=freeze)
    return tightrope.train(
        "swift", given, run=place / f"{name}-{seed}", seen=seen, seed=seed, width=64, options=options, **fields
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--source", type=int, default=16_000, help="samples of the other clothes that the source sees")
    parser.add_argument("--seen", type=int, default=4_000, help="samples of shoes that every run sees")
    arguments = parser.parse_args()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = divided(place)
        judged = Judge(parts["held out"], 2_000)
        source = trained(place, "source", parts["others"], arguments.source, 0, None, None)
        print(f"the 500 shoes themselves    {judged.of_data(parts['few']):8.2f}")
        print(f"the source as it is         {judged.of_run(source):8.2f}   ({arguments.source:,} other clothes seen)")
        rows: dict[str, tuple[Path | None, int | None, dict[str, Any]]] = {
            "from scratch, diffaugment": (None, None, SCRATCH),
            "from scratch, adaptive": (None, None, ADA),
            "--from, diffaugment": (source.path, None, SCRATCH),
            "--from, adaptive": (source.path, None, {}),
            "--from --freeze 1, adaptive": (source.path, 1, {}),
        }
        for name, (start, freeze, fields) in rows.items():
            runs = [
                trained(place, name, parts["few"], arguments.seen, seed, start, freeze, **fields)
                for seed in range(arguments.seeds)
            ]
            found = [judged.of_run(run) for run in runs]
            each = ", ".join(f"{value:.2f}" for value in found)
            print(f"{name:<28}{statistics.mean(found):8.2f}   seeds: {each}   ({arguments.seen:,} shoes seen)", flush=True)
    print(f"{time.process_time() - began:.0f} s of one core")


if __name__ == "__main__":
    main()
