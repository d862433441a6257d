"""Our numbers beside those of the tools people compare with, on the same features: one line a number, with its bar.

    pip install scipy scikit-learn tqdm && pip install --no-deps torch-fidelity pytorch-fid prdc torchmetrics lightning-utilities
    python benchmarks/agreement.py

A tool that is not installed is named and left out. torch-fidelity and pytorch-fid import torchvision at their head, for
pictures that are not needed here: where it is missing a stand-in takes its place, and their statistics run unchanged. The rows
of the pathological cases have the exact distance (singular values, float64) in the place of a tool; what the tools say there
follows.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from torch import Tensor

from tightrope.data import load
from tightrope.metrics.extractors.small import load_shipped
from tightrope.metrics.frechet import Moments, frechet_distance, frechet_from_features
from tightrope.metrics.kernel import kernel_distance
from tightrope.metrics.manifold import density_coverage, precision_recall
from tightrope.metrics.scores import inception_score

Row = tuple[str, float, float, float]  # quantity, ours, theirs, bar


def peer(name: str, package: str) -> Any:
    """A peer's module, or None."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: not here ({error})")
        return None
    print(f"{package} {importlib.metadata.version(package)}")
    return module


def stand_in_for_torchvision() -> None:
    if importlib.util.find_spec("torchvision") is None:
        for part in ("", ".transforms", ".transforms.functional", ".datasets", ".models", ".models.utils", ".utils"):
            name = "torchvision" + part
            sys.modules[name] = MagicMock(__spec__=importlib.machinery.ModuleSpec(name, None))


def moments_of(x: Tensor) -> Moments:
    moments = Moments()
    moments.add(x)
    return moments


def statistics_of(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return x.double().mean(0).numpy(), np.cov(x.double().numpy(), rowvar=False)


def sets(n: int, m: int, d: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Correlated non-negative features, as ReLU gives them, in float32."""
    draw = np.random.RandomState(seed)
    mixing = draw.randn(d, d) / d**0.5
    real, fake = (np.maximum(draw.randn(k, d) @ mixing + by, 0) for k, by in ((n, 0.3), (m, 0.4)))
    return torch.from_numpy(real.astype(np.float32)), torch.from_numpy(fake.astype(np.float32))


def their_frechet() -> dict[str, Callable[[Tensor, Tensor], float]]:
    """What each tool makes of two sets, through its own function of statistics."""
    tools: dict[str, Callable[[Tensor, Tensor], float]] = {}
    if fidelity := peer("torch_fidelity.metric_fid", "torch-fidelity"):
        key = fidelity.KEY_METRIC_FID

        def by_fidelity(x: Tensor, y: Tensor) -> float:
            both = [dict(zip(("mu", "sigma"), statistics_of(side), strict=True)) for side in (x, y)]
            return fidelity.fid_statistics_to_metric(*both, verbose=False)[key]

        tools["torch-fidelity"] = by_fidelity
    if pytorch_fid := peer("pytorch_fid.fid_score", "pytorch-fid"):
        tools["pytorch-fid"] = lambda x, y: pytorch_fid.calculate_frechet_distance(*statistics_of(x), *statistics_of(y))
    if torchmetrics := peer("torchmetrics.image.fid", "torchmetrics"):
        tools["torchmetrics"] = lambda x, y: torchmetrics._compute_fid(
            *(torch.from_numpy(a) for side in (x, y) for a in statistics_of(side))
        ).item()
    return tools


def pathological(d: int = 512) -> dict[str, tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(1)

    def normal(n: int, k: int) -> Tensor:
        return torch.randn(n, k, generator=draw, dtype=torch.float64)

    turn, fall = torch.linalg.qr(normal(d, d))[0], torch.logspace(0, -3, d, dtype=torch.float64)
    x, y = normal(3 * d, d) * fall @ turn, normal(3 * d, d) * fall @ torch.linalg.qr(normal(d, d))[0] + 0.1
    line, half = normal(3 * d, 1) @ normal(1, d), d // 2
    return {
        "fewer samples than features": (x[: d // 2], y[: d // 3]),
        "few generated samples": (x, y[: d // 3]),
        "duplicates": (x[: d // 4].repeat(9, 1), y),
        "duplicates in both": (x[: d // 4].repeat(9, 1), y[: d // 4].repeat(9, 1)),
        "all generated samples equal": (x, y[:1].repeat(100, 1)),
        "collapsed to a line": (x, line),
        "disjoint supports": (normal(3 * d, half) @ turn[:half], normal(3 * d, half) @ turn[half:]),
        "features x 1e-6": (x * 1e-6, y[: d // 3] * 1e-6),
        "features x 1e6": (x * 1e6, y[: d // 3] * 1e6),
        "features + 1e6": (x + 1e6, y[: d // 3] + 1e6),
        "a set against itself": (x, x.clone()),
    }


def exact(x: Tensor, y: Tensor) -> tuple[float, float]:
    """The distance by QR and singular values, and the sum of the traces."""
    a, b = ((side - side.mean(0)) / (len(side) - 1) ** 0.5 for side in (x, y))
    a, b = (torch.linalg.qr(side, mode="r").R if len(side) > side.shape[1] else side for side in (a, b))
    traces = (a.square().sum() + b.square().sum()).item()
    gap = (x.mean(0) - y.mean(0)).square().sum().item()
    return gap + traces - 2 * torch.linalg.svdvals(a @ b.T).sum().item(), traces


def full_rank(tools: dict[str, Callable[[Tensor, Tensor], float]]) -> Iterator[Row]:
    for d in (64, 512):
        x, y = sets(8 * d, 6 * d, d)
        ours = frechet_distance(moments_of(x), moments_of(y))
        for name, theirs in tools.items():
            yield f"Frechet, d = {d}, full rank: {name}", ours, theirs(x, y), 1e-9 * ours
        for batch in (1, 7, 64):
            parts = Moments()
            for rows in y.split(batch):
                parts.add(rows)
            yield f"Frechet, d = {d}, batches of {batch}", frechet_distance(moments_of(x), parts), ours, 1e-9 * ours
        shards = moments_of(y[:100]).merge(moments_of(y[100:1_000])).merge(moments_of(y[1_000:]))
        yield f"Frechet, d = {d}, merged shards", frechet_distance(moments_of(x), shards), ours, 1e-9 * ours


def lacking_rank() -> Iterator[Row]:
    for name, (x, y) in pathological().items():
        truth, traces = exact(x, y)
        yield f"Frechet of moments, {name}", frechet_distance(moments_of(x), moments_of(y)), truth, 1e-6 * traces
        yield f"Frechet of features, {name}", frechet_from_features(x, y), truth, 1e-6 * traces


def scores() -> Iterator[Row]:
    real, fake = sets(3_000, 2_500, 256, 1)
    if fidelity := peer("torch_fidelity.metric_kid", "torch-fidelity"):
        theirs = fidelity.kid_features_to_metric(fake, real, kid_subsets=100, kid_subset_size=1_000, rng_seed=2020, verbose=False)
        ours = kernel_distance(real, fake)
        mean, std = (theirs[key] for key in (fidelity.KEY_METRIC_KID_MEAN, fidelity.KEY_METRIC_KID_STD))
        yield "KID, mean of 100 subsets of 1,000: torch-fidelity", ours.value, mean, 5e-5 * abs(mean)
        yield "KID, standard deviation: torch-fidelity", ours.std, std, 5e-5 * std
    if fidelity := peer("torch_fidelity.metric_isc", "torch-fidelity"):
        logits = torch.from_numpy(np.random.RandomState(2).randn(5_003, 1_008).astype(np.float32) * 3)
        theirs, ours = fidelity.isc_features_to_metric(logits), inception_score(logits)
        mean, std = (theirs[key] for key in (fidelity.KEY_METRIC_ISC_MEAN, fidelity.KEY_METRIC_ISC_STD))
        yield "Inception Score of 5,003 x 1,008 logits: torch-fidelity", ours.value, mean, 1e-9 * mean
        yield "Inception Score, standard deviation: torch-fidelity", ours.std, std, 1e-9 * mean


def manifolds() -> Iterator[Row]:
    real, fake = sets(1_500, 1_200, 64, 3)
    if fidelity := peer("torch_fidelity.metric_prc", "torch-fidelity"):
        theirs = fidelity.prc_features_to_metric(
            fake, real, prc_neighborhood=3, prc_batch_size=500, save_cpu_ram=False, verbose=False
        )
        ours = precision_recall(real, fake, 3)
        yield "precision, k = 3: torch-fidelity", ours.precision, float(theirs[fidelity.KEY_METRIC_PRECISION]), 1 / len(fake)
        yield "recall, k = 3: torch-fidelity", ours.recall, float(theirs[fidelity.KEY_METRIC_RECALL]), 1 / len(real)
    if prdc := peer("prdc", "prdc"):
        with contextlib.redirect_stdout(io.StringIO()):
            theirs = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), 5)
        found = density_coverage(real, fake, 5)
        yield "density, k = 5: prdc", found.density, float(theirs["density"]), 1 / len(fake)
        yield "coverage, k = 5: prdc", found.coverage, float(theirs["coverage"]), 1 / len(real)


def whole_run() -> Iterator[Row]:
    """Embedded clothes, uint8, through one extractor registered with torch-fidelity: its own loop against `evaluate`."""
    fidelity = peer("torch_fidelity", "torch-fidelity")
    if fidelity is None:
        return
    base = importlib.import_module("torch_fidelity.feature_extractor_base").FeatureExtractorBase
    dataset, extractor = load("fashion"), load_shipped("fashion-cnn")
    first, second = torch.arange(1_500), torch.arange(5_000, 6_500)
    images = [torch.from_numpy(dataset.modality.to_array(dataset.batch(index))) for index in (first, second)]

    class Registered(base):  # type: ignore[misc,valid-type]
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        get_provided_features_list = staticmethod(lambda: ("all",))
        get_default_feature_layer_for_metric = staticmethod(lambda metric: "all")
        can_be_compiled = staticmethod(lambda: False)
        get_dummy_input_for_compile = staticmethod(lambda: None)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (extractor.read(x[:, :1].permute(0, 2, 3, 1).numpy()).features,)

    class Stored(torch.utils.data.Dataset):
        def __init__(self, pictures: Tensor) -> None:
            self.pictures = pictures

        def __len__(self) -> int:
            return len(self.pictures)

        def __getitem__(self, i: int) -> Tensor:
            return self.pictures[i].permute(2, 0, 1).expand(3, -1, -1)

    fidelity.register_feature_extractor("fashion-cnn", Registered)
    found = fidelity.calculate_metrics(
        input1=Stored(images[1]), input2=Stored(images[0]), fid=True, feature_extractor="fashion-cnn", cuda=False,
        verbose=False, save_cpu_ram=True, batch_size=50, cache=False, feature_layer_fid="all",
    )  # fmt: skip
    theirs = next(iter(found.values()))
    moments = [moments_of(extractor.read(stored.numpy()).features) for stored in images]
    yield "Frechet from uint8 images, one extractor: torch-fidelity", frechet_distance(*moments), theirs, 2e-6 * theirs


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    stand_in_for_torchvision()
    tools = their_frechet()
    rows = [*full_rank(tools), *lacking_rank(), *scores(), *manifolds(), *whole_run()]
    print(f"\n{'quantity':<62}{'ours':>18}{'theirs or exact':>18}{'difference':>12}{'bar':>10}")
    for name, ours, theirs, bar in rows:
        off = abs(ours - theirs)
        print(f"{name:<62}{ours:>18.9g}{theirs:>18.9g}{off:>12.1e}{bar:>10.1e}  {'within' if off <= bar else 'OUTSIDE'}")
    print("\nwhat the tools say of the pathological cases, in units of the bar (1e-6 of the traces)")
    for name, (x, y) in pathological().items():
        truth, traces = exact(x, y)
        said = {tool: in_bars(theirs, x, y, truth, traces) for tool, theirs in tools.items()}
        print(f"  {name:<30}" + "  ".join(f"{tool}: {verdict}" for tool, verdict in said.items()))


def in_bars(theirs: Callable[[Tensor, Tensor], float], x: Tensor, y: Tensor, truth: float, traces: float) -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return f"{abs(theirs(x, y) - truth) / (1e-6 * traces):.2g}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:40]


if __name__ == "__main__":
    main()
