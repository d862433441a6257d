"""`domain`: a small network trained in minutes on the user's own data, the judge where no ready one fits.

    from tightrope.metrics.extractors import domain
    extractor = domain.train(dataset)               # metrics.domain_training; three minutes on two cores
    domain.save(Path("domain.safetensors"), extractor)
    extractor = domain.load(Path("domain.safetensors"))

With labels it is a classifier, without them it learns to know an image again after it was moved, turned and recoloured.
The file's header says what it was trained on, how well it does on held-out data, and its power: how surely its Frechet
distance sees that one class is missing.

Axes: N samples, H W pixels, C channels, d features, K classes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.metrics.classifier import SmallCNN, serialise
from tightrope.metrics.domain_training import train_network
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.small import squares

ID = "domain"
BATCH = 250


@dataclasses.dataclass(frozen=True)
class Reader:
    """The network of an extractor with the scale of its features; `read` of the contract.

    Attributes:
        network: in evaluation mode; its head tells the classes apart, if there are any.
        mean, deviation: of the features on the training data; the features given out have mean 0 and deviation 1 there.
        header: what the file says: text by name, the values of several as JSON.
    """

    network: SmallCNN
    mean: Float[Tensor, " d"]
    deviation: Float[Tensor, " d"]
    header: dict[str, str]

    @torch.inference_mode()
    def __call__(self, stored: np.ndarray) -> Reading:
        """Stored images, uint8 (N, H, W, C) of any size with C of 1 or 3.

        Raises:
            InputError: another type or shape.
        """
        if stored.dtype != np.uint8 or stored.ndim != 4 or stored.shape[3] not in (1, 3):
            raise InputError(f"{ID}: images are {stored.dtype} of the shape {stored.shape}; give uint8 (N, H, W, 1 or 3).")
        channels, size = int(self.header["channels"]), int(self.header["size"])
        known = [self.network.features(squares(stored[i : i + BATCH], channels, size)) for i in range(0, len(stored), BATCH)]
        features = torch.cat([*known, torch.empty(0, self.network.dimensions)])
        logits = self.network.head(features) if json.loads(self.header["classes"]) else None
        return Reading((features - self.mean) / self.deviation, logits)

    def content(self) -> bytes:
        """The file's bytes; equal weights and header give equal bytes."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        return serialise(tensors | {"mean": self.mean, "deviation": self.deviation}, self.header)


def train(
    dataset: Dataset, *, minutes: float = 3.0, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Extractor:
    """Train the extractor of a data set; see `metrics.domain_training.train_network`, which takes the same arguments."""
    trained = train_network(dataset, minutes=minutes, seed=seed, progress=progress)
    return as_extractor(Reader(*trained))


def as_extractor(reader: Reader) -> Extractor:
    """A trained network as an extractor."""
    header = reader.header
    return Extractor(
        id=ID,
        dimensions=reader.network.dimensions,
        input_rule=header["input"],
        read=reader,
        weights_sha256=hashlib.sha256(reader.content()).hexdigest(),
        licence=header["licence"],
        classes=tuple(json.loads(header["classes"])),
        facts={name: json.loads(header[name]) for name in json.loads(header["facts"])},
    )


def save(path: Path, extractor: Extractor) -> None:
    """Write the weights with their header as safetensors; the same extractor gives the same bytes.

    Raises:
        InputError: the extractor is of another kind, or the file cannot be written.
    """
    if not isinstance(extractor.read, Reader):
        raise InputError(f"{extractor.id}: only an extractor made by `domain.train` can be saved here.")
    content = extractor.read.content()
    write_atomically(path, lambda partial: _write(partial, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def load(path: Path) -> Extractor:
    """Read a file of `save`.

    Raises:
        InputError: the file is missing, or is not a domain extractor.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        scale = tensors.pop("mean"), tensors.pop("deviation")
        shape = {key: int(header[key]) for key in ("channels", "size", "width")}
        network = SmallCNN(classes=max(1, len(json.loads(header["classes"]))), **shape)
        network.load_state_dict({name.removeprefix("network."): value for name, value in tensors.items()})
        return as_extractor(Reader(network.eval().requires_grad_(False), *scale, header))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is not the weights of a domain extractor ({reason}); train it again.") from error
