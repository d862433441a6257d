"""Inception features of the FID: images a second and the FID they give, beside torch-fidelity, on the same CPU threads.

Two sets of real images, crops of photographs and emoji; every path reads the same parts of them in turn, so that a busy
machine slows all alike.

Without the published weights both networks get the same random ones, and their batch norms the statistics of some of the
images. Speed does not depend on the weights. The difference in FID may: only the float32 rows mean anything then, and
bfloat16 must be judged with the published file.

pip install torch-fidelity openvino
python benchmarks/inception.py --photographs FOLDER [--weights pt_inception-2015-12-05-6726825d.pth]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tightrope.core.seeds import generator
from tightrope.data import load
from tightrope.metrics.extractors import inception
from tightrope.metrics.frechet import Moments, frechet_distance

SIDE = 64
BARS = {"faster": 4.0, "FID": 0.001}
Path_ = Callable[[np.ndarray], Tensor]


def crops(folder: Path, count: int) -> np.ndarray:
    """`count` squares of 64 pixels, in turn from every picture under `folder`."""
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.rglob("*.png"))]
    pictures = [picture for picture in pictures if min(picture.shape[:2]) >= SIDE]
    draw, found = np.random.default_rng(0), []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = (draw.integers(0, length - SIDE + 1) for length in picture.shape[:2])
        found.append(picture[top : top + SIDE, left : left + SIDE])
    return np.stack(found)


def emoji(count: int) -> np.ndarray:
    data = load("emoji")
    index = torch.randperm(len(data), generator=generator(0, "emoji"))[:count]
    return data.modality.to_array(data.batch(index))


def drawn(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Random weights that keep the activations sane."""
    for name, value in state.items():
        random = generator(0, name)
        if value.ndim > 1:
            state[name] = torch.randn(value.shape, generator=random) * (2 / value[0].numel()) ** 0.5
        elif name.endswith(("bn.weight", "bn.bias")):
            state[name] = value + 0.2 * torch.randn(value.shape, generator=random)
    return state


def peer(weights: Path | None, images: np.ndarray) -> tuple[Path_, dict[str, Tensor]]:
    """torch-fidelity's module with these weights, or with random ones that know the images' statistics; and its state dict."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Filled(FeatureExtractorInceptionV3):
        def load_state_dict(self, state: dict, strict: bool = True) -> object:
            return super().load_state_dict(state or drawn(self.state_dict()), strict)

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.pth"
        torch.save({}, empty)
        network = Filled("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights or empty))

    def read(stored: np.ndarray) -> Tensor:
        with torch.inference_mode():
            return network(torch.from_numpy(stored).permute(0, 3, 1, 2).contiguous())[0]

    if weights is None:
        for norm in [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]:
            norm.momentum = 1.0
        network.train()
        read(images)
        network.eval()
    return read, network.state_dict()


def ours(state: dict[str, Tensor], precision: inception.Precision, backend: inception.Backend) -> Path_:
    extractor = inception.from_state(state, inception.SHA256, precision, backend)
    return lambda stored: extractor.read(stored).features


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photographs", type=Path, required=True, help="folder with PNG files")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--count", type=int, default=256, help="images of each set")
    parser.add_argument("--part", type=int, default=32, help="images read by one path before the next has its turn")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sets = [crops(arguments.photographs, arguments.count), emoji(arguments.count)]
    theirs, state = peer(arguments.weights, np.concatenate([images[-16:] for images in sets]))
    paths: dict[str, Path_] = {"torch-fidelity": theirs}
    for precision, backend in [("float32", "torch"), ("bfloat16", "torch"), ("float32", "openvino"), ("bfloat16", "openvino")]:
        paths[f"{precision}, {backend}"] = ours(state, precision, backend)  # type: ignore[arg-type]
    print(f"{arguments.threads} threads, load {os.getloadavg()[0]:.1f}, {arguments.count} images a set of {SIDE} px")
    for path in paths.values():
        path(sets[0][: arguments.part])
    moments = {name: [Moments(), Moments()] for name in paths}
    speeds: dict[str, list[float]] = {name: [] for name in paths}
    errors: dict[str, list[float]] = {name: [] for name in paths}
    for number, images in enumerate(sets):
        for start in range(0, arguments.count, arguments.part):
            part, truth = images[start : start + arguments.part], None
            for name, path in paths.items():
                begin = time.perf_counter()
                features = path(part)
                speeds[name].append(len(part) / (time.perf_counter() - begin))
                truth = features if truth is None else truth
                errors[name].append(((features - truth).norm() / truth.norm()).item())
                moments[name][number].add(features)
            print("  " + ", ".join(f"{name} {speed[-1]:.1f}" for name, speed in speeds.items()), "images/s", flush=True)
    reference = frechet_distance(*moments["torch-fidelity"])
    print(f"{'path':<20} images/s   times torch-fidelity: median (all rounds)   feature error        FID   difference")
    for name in paths:
        ratios = [a / b for a, b in zip(speeds[name], speeds["torch-fidelity"], strict=True)]
        fid = frechet_distance(*moments[name])
        gap = abs(fid / reference - 1)
        print(
            f"{name:<20} {statistics.median(speeds[name]):8.1f} {statistics.median(ratios):12.2f} ({min(ratios):.2f} ... "
            f"{max(ratios):.2f}) {max(errors[name]):24.1e} {fid:10.4f} {gap:12.4%}"
            f"{'   bars kept' if statistics.median(ratios) >= BARS['faster'] and gap < BARS['FID'] else ''}"
        )


if __name__ == "__main__":
    main()
