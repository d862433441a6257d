"""The domain extractor: what it costs, how well it reads held-out images, how surely it sees one missing class.

python benchmarks/domain.py --mnist DIR --fashion DIR     folders with the four gzipped IDX files of each set

Trained on the 60,000 training images, with their labels and without; measured on the 10,000 test images: 2,000 against
2,000, 16 splits, by true class in both cases. One thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from tightrope.data import load
from tightrope.metrics.domain_training import missing_class_power
from tightrope.metrics.extractors import domain


class Unlabelled:
    """A data set whose labels are hidden."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.spec = dataclasses.replace(dataset.spec, classes=())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._dataset)

    def labels(self, index: torch.Tensor) -> None:
        return None


def trial(name: str, folder: Path, labelled: bool, seed: int, out: Path, cache: Path) -> None:
    train, test = (load(str(folder / f"{part}-images-idx3-ubyte.gz"), cache=cache) for part in ("train", "t10k"))
    start = time.process_time()
    extractor = domain.train(train if labelled else Unlabelled(train), seed=seed)
    seconds = time.process_time() - start
    path = out / f"{name}-{'labels' if labelled else 'no-labels'}-{seed}.safetensors"
    domain.save(path, extractor)
    everything = torch.arange(len(test))
    truth = test.labels(everything)
    assert truth is not None
    reading = extractor.read(test.modality.to_array(test.batch(everything)))
    accuracy = f"{(reading.logits.argmax(1) == truth).double().mean():.2%}" if reading.logits is not None else "-"
    power = missing_class_power(reading.features, truth, seed)
    assert power is not None
    print(
        f"{name:8} {'labels' if labelled else 'no labels':10} seed {seed}  {seconds:4.0f} CPU s  test accuracy {accuracy:7}"
        f"  missing class: worst {power.worst:.1f} sd, median {power.median:.1f} sd at {power.n}"
        f"  own measurement: {extractor.facts}  {path.stat().st_size / 1e3:.0f} kB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, default=Path("mnist"))
    parser.add_argument("--fashion", type=Path, default=Path("fashion-mnist"))
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion"], choices=("mnist", "fashion"))
    parser.add_argument("--labels", nargs="+", default=["yes", "no"], choices=("yes", "no"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder that keeps the trained files")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.data:
            for labels in options.labels:
                for seed in options.seeds:
                    trial(name, getattr(options, name), labels == "yes", seed, options.out or Path(scratch), Path(scratch))


if __name__ == "__main__":
    main()
