"""`inception-v3-fid`: the Inception network of the FID (Szegedy et al. 2015; Heusel et al. 2017), from a file of the user's.

The published weights are TensorFlow's of 2015-12-05, ported by the project pytorch-fid; the network differs from the
paper's in what that graph did: averages at the border leave the padding out, the last block pools by the maximum, the
resize is TensorFlow 1's. Batch norms are folded into the convolutions.

    inception.load(Path("pt_inception-2015-12-05-6726825d.pth"), precision="bfloat16")

Axes: N images, H W pixels.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from tightrope.core.errors import InputError
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.images import channels_first, reader, tf1_bilinear
from tightrope.metrics.extractors.weights import fold, read_tensors, require

Precision = Literal["float32", "bfloat16"]
Backend = Literal["torch", "openvino"]
ID = "inception-v3-fid"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
SOURCE = f"{FILES[0]} of the project pytorch-fid, the same as {FILES[1]} of torch-fidelity (95,628,359 bytes)"
SIDE, DIMENSIONS, CLASSES = 299, 2048, 1008
BATCH = 16  # the fastest of 4, 8 and 16 on two cores
EPSILON = 1e-3  # of the batch norms
RULE = (
    "RGB uint8, TensorFlow 1 bilinear to 299 px (legacy grid, no antialiasing), (x - 128) / 128; pool features, unbiased logits"
)
average = functools.partial(avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
maximum = functools.partial(max_pool2d, kernel_size=3, stride=1, padding=1)
halve = functools.partial(max_pool2d, kernel_size=3, stride=2)


def load(weights: Path | None = None, precision: Precision = "float32", backend: Backend = "torch") -> Extractor:
    """The extractor of the FID.

    Args:
        weights: the published file; None looks for it where torch.hub would have put it.
        precision: "bfloat16" is faster on processors that have it, and rounds: numbers of both precisions do not compare.
            Features are averaged in float32.
        backend: "openvino" needs `pip install "tightrope[openvino]"`.

    Raises:
        InputError: no file, another file than the published one, or no OpenVINO.
    """
    if weights is None:
        places = [Path(torch.hub.get_dir()) / "checkpoints" / name for name in FILES]
        weights = next((place for place in places if place.is_file()), None)
    if weights is None:
        raise InputError(f"extractor {ID}: its weights are not shipped; give the path of {SOURCE}.")
    require(weights, SHA256, SOURCE)
    return from_state(read_tensors(weights), SHA256, precision, backend)


def from_state(state: dict[str, Tensor], sha256: str, precision: Precision, backend: Backend) -> Extractor:
    """The extractor of a state dict with the published names.

    Raises:
        InputError: tensors are missing or of other shapes, or the precision or the backend is unknown.
    """
    if precision not in ("float32", "bfloat16") or backend not in ("torch", "openvino"):
        raise InputError(f"extractor {ID}: precision {precision}, backend {backend}; choose float32, bfloat16; torch, openvino.")
    try:
        network = Inception(state, torch.float32 if backend == "openvino" else getattr(torch, precision))
        head = state["fc.weight"].float()
        network(torch.zeros(1, 3, SIDE, SIDE)) @ head.view(CLASSES, DIMENSIONS).T
    except (KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise InputError(f"extractor {ID}: the weights do not fit the network ({reason}); the right file is {SOURCE}.") from error
    pooled = _openvino(network, precision) if backend == "openvino" else network

    def forward(rgb: np.ndarray) -> Reading:
        features = pooled(prepared(rgb))
        return Reading(features, features @ head.T)

    return Extractor(
        id=ID if precision == "float32" else f"{ID}-bf16",  # rounded features are not those of the FID
        dimensions=DIMENSIONS,
        input_rule=f"{RULE}; {precision}, {backend}",
        read=reader(forward, ID, BATCH),
        weights_sha256=sha256,
        licence="Apache-2.0",
        classes=tuple(f"class {index}" for index in range(CLASSES)),
    )


def prepared(rgb: np.ndarray) -> Float[Tensor, "N 3 299 299"]:
    """RGB uint8 images as the network takes them."""
    return (tf1_bilinear(channels_first(rgb), SIDE) - 128) / 128


class Inception(nn.Module):
    """Images in [-1, 1) of 299 pixels to 2048 features; the names of the layers are the published ones.

    Args:
        state: convolutions without bias ("<name>.conv.weight") and their batch norms ("<name>.bn.*").
        dtype: of weights and activations.
    """

    def __init__(self, state: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        names = [key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")]
        self.dtype = dtype
        self.folded = {name: fold(state, f"{name}.conv", f"{name}.bn", EPSILON, dtype) for name in names}

    def forward(self, images: Float[Tensor, "N 3 299 299"]) -> Float[Tensor, "N 2048"]:
        """Pool features in float32."""
        x = images.to(self.dtype, memory_format=torch.channels_last)
        x = self.layer("Conv2d_1a_3x3", x, stride=2, padding=(0, 0))
        x = self.layer("Conv2d_2a_3x3", x, padding=(0, 0))
        x = halve(self.layer("Conv2d_2b_3x3", x))
        x = self.layer("Conv2d_3b_1x1", x)
        x = halve(self.layer("Conv2d_4a_3x3", x, padding=(0, 0)))
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self.block_35(name, x)
        x = self.shrink(x, "Mixed_6a", ["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"])
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self.block_17(name, x)
        x = self.shrink(x, "Mixed_7a", _steps("branch3x3", 2), _steps("branch7x7x3", 4))
        x = self.block_8("Mixed_7b", x, average)
        x = self.block_8("Mixed_7c", x, maximum)
        return x.float().mean((2, 3))

    def layer(self, name: str, x: Tensor, stride: int = 1, padding: tuple[int, int] | None = None) -> Tensor:
        """Convolution and ReLU; it keeps the size unless told otherwise."""
        weight, bias = self.folded[name]
        same = weight.shape[2] // 2, weight.shape[3] // 2
        return conv2d(x, weight, bias, stride, same if padding is None else padding).relu_()

    def chain(self, block: str, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.layer(f"{block}.{name}", x)
        return x

    def block_35(self, block: str, x: Tensor) -> Tensor:
        """1x1, 5x5, twice 3x3, average."""
        go = functools.partial(self.chain, block)
        parts = go(x, "branch1x1"), go(x, *_steps("branch5x5", 2)), go(x, *_steps("branch3x3dbl", 3))
        return torch.cat([*parts, go(average(x), "branch_pool")], 1)

    def block_17(self, block: str, x: Tensor) -> Tensor:
        """1x1, 7x7 in two passes, 7x7 in four, average."""
        go = functools.partial(self.chain, block)
        parts = go(x, "branch1x1"), go(x, *_steps("branch7x7", 3)), go(x, *_steps("branch7x7dbl", 5))
        return torch.cat([*parts, go(average(x), "branch_pool")], 1)

    def block_8(self, block: str, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
        """1x1, 3x3 fanned out, 3x3 twice fanned out, pool."""
        go = functools.partial(self.chain, block)
        once, twice = go(x, "branch3x3_1"), go(x, *_steps("branch3x3dbl", 2))
        fans = go(once, "branch3x3_2a"), go(once, "branch3x3_2b"), go(twice, "branch3x3dbl_3a"), go(twice, "branch3x3dbl_3b")
        return torch.cat([go(x, "branch1x1"), *fans, go(pool(x), "branch_pool")], 1)

    def shrink(self, x: Tensor, block: str, *branches: list[str]) -> Tensor:
        """Every branch's last layer has a stride of 2, and so has the maximum beside them."""
        ends = [self.layer(f"{block}.{last}", self.chain(block, x, *names), 2, (0, 0)) for *names, last in branches]
        return torch.cat([*ends, halve(x)], 1)


def _steps(name: str, count: int) -> list[str]:
    return [f"{name}_{step}" for step in range(1, count + 1)]


def _openvino(network: Inception, precision: Precision) -> Callable[[Tensor], Tensor]:
    """The same network compiled by OpenVINO for this processor."""
    try:
        import openvino
    except ImportError as error:
        raise InputError(f'extractor {ID}: OpenVINO is missing; pip install "tightrope[openvino]".') from error
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its converter calls what torch has deprecated
        model = openvino.convert_model(network, example_input=torch.zeros(1, 3, SIDE, SIDE))
    hints = {"INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.compile_model(model, "CPU", hints | {"INFERENCE_NUM_THREADS": torch.get_num_threads()})
    return lambda images: torch.from_numpy(compiled(images.numpy())[0].copy())
