"""The small classifiers whose penultimate features and class counts judge generated images.

Their weights ship in `weights/` (under 1 MB each); the file's safetensors header states the classes, the
input rule, the training data, the held-out accuracy and the licence. `scripts/train_judge.py` makes them.

Axes: N batch, C channel, H W pixels, K classes, d features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically

WEIGHTS = Path(__file__).parent / "weights"
FINEST = 8  # pixels: the side at which the strided stages stop; finer averages blur what the features say of the shape


class SmallCNN(nn.Module):
    """3x3 convolutions with batch norm, strided down to 8x8, two more there; the mean over pixels; one linear head.

    Args:
        channels: C of the images.
        size: side of the square input in pixels, a power of two of at least 16.
        classes: K, the number of logits.
        width: channels of the first stage; the strided ones after it have 2 * width, the last has d = 4 * width.
    """

    def __init__(self, channels: int, size: int, classes: int, width: int = 32) -> None:
        super().__init__()
        if size < 2 * FINEST or size & (size - 1):
            raise InputError(f"SmallCNN: size {size} is not a power of two of at least {2 * FINEST}; choose 32 or 64.")
        self.dimensions = 4 * width
        halvings = (size // FINEST).bit_length() - 2
        widths = [width, *[2 * width] * halvings]
        stages = [_stage(channels, width, stride=2), _stage(width, width)]
        stages += [_stage(inputs, 2 * width, stride=2) for inputs in widths[:-1]]
        stages += [_stage(widths[-1], widths[-1]), _stage(widths[-1], self.dimensions)]
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(self.dimensions, classes)

    def features(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N d"]:
        """Penultimate features of images in [-1, 1]."""
        return self.body(images).mean(dim=(2, 3))

    def forward(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N K"]:
        """Logits of images in [-1, 1]."""
        return self.head(self.features(images))


def _stage(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Classifier(NamedTuple):
    """A trained network with what its file says of it."""

    network: SmallCNN
    header: dict[str, str]
    sha256: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the logits."""
        return tuple(json.loads(self.header["classes"]))


def save_classifier(path: Path, network: SmallCNN, header: dict[str, str]) -> None:
    """Write the weights with `header` in the safetensors metadata; equal content gives equal bytes."""
    content = serialise(network.state_dict(), header)
    write_atomically(path, lambda partial: _write(partial, content))


def serialise(tensors: Mapping[str, Tensor], header: dict[str, str]) -> bytes:
    """A safetensors file as bytes; equal content gives equal bytes."""
    return _in_order(save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, metadata=header))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its header's keys sorted: the library writes metadata in an order that varies."""
    length = int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def load_classifier(path: Path) -> Classifier:
    """Read a file of `save_classifier`: the network in evaluation mode on the CPU.

    Raises:
        InputError: the file is missing or is not a judge.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        shape = {key: int(header[key]) for key in ("channels", "size", "width")}
        network = SmallCNN(classes=len(json.loads(header["classes"])), **shape)
        network.load_state_dict(tensors)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is not the weights of a judge ({reason}); reinstall tightrope.") from error
    return Classifier(network.eval().requires_grad_(False), header, hashlib.sha256(path.read_bytes()).hexdigest())
