"""`dinov2-*` and `clip-*`: vision transformers (Dosovitskiy et al. 2021) from published checkpoints the user has.

DINOv2 (Oquab et al. 2023): the class token after the last norm, as FD-DINOv2 (Stein et al. 2023) takes it. CLIP (Radford
et al. 2021): the image embedding, as CLIP-FID and CMMD (Jayasumana et al. 2024; it then divides by the norm) take it.

Axes: N images, T tokens, D width, S side of the input in pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, gelu, interpolate, layer_norm, linear, scaled_dot_product_attention

from tightrope.core.errors import InputError
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.extractors.images import IMAGENET_MEAN, IMAGENET_STD, normalised, pillow_bicubic, reader
from tightrope.metrics.extractors.weights import read_tensors, sha256_of

HEAD = 64  # width of an attention head, in all of them
BATCH = 8
Weights = dict[str, Tensor]


class Family(NamedTuple):
    """What the models of one paper share.

    Attributes:
        rename: the published state dict to this file's names.
        crop: the centre of the shorter side's square, or the whole image squeezed.
        epsilon: of the layer norms.
    """

    rename: Callable[[Weights], Weights]
    activation: Callable[[Tensor], Tensor]
    epsilon: float
    crop: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    licence: str
    rule: str


class Model(NamedTuple):
    """One published model; `sha256` is None where the publisher states none."""

    family: Family
    file: str
    side: int
    dimensions: int
    sha256: str | None = None


def quick_gelu(x: Tensor) -> Tensor:
    """CLIP's approximation."""
    return x * torch.sigmoid(1.702 * x)


def _parts(state: Weights, names: dict[str, str]) -> Weights:
    """Tensors by their new names; keys without a counterpart (text tower, mask token) are left out."""
    found = {}
    for key, value in state.items():
        for old, new in names.items():
            if key.startswith(old):
                found[new + key.removeprefix(old)] = value.float()
                break
    return found


def from_dinov2(state: Weights) -> Weights:
    """Names of facebookresearch/dinov2."""
    tensors = _parts(
        state,
        {"cls_token": "class", "pos_embed": "positions", "patch_embed.proj": "patch", "norm.": "last.", "blocks.": "blocks."},
    )
    swaps = {
        "attn.qkv": "qkv",
        "attn.proj": "out",
        "mlp.fc1": "up",
        "mlp.fc2": "down",
        "ls1.gamma": "scale1",
        "ls2.gamma": "scale2",
    }
    tensors = {_swap(key, swaps): value for key, value in tensors.items()}
    return tensors | {"positions": tensors["positions"][0], "class": tensors["class"].reshape(-1)}


def from_clip(state: Weights) -> Weights:
    """Names of openai/CLIP (`visual.*`), or of its copies for transformers (`vision_model.*`)."""
    if any(key.startswith("vision_model.") for key in state):
        state = _from_transformers(state)
    names = {
        "class_embedding": "class",
        "positional_embedding": "positions",
        "conv1": "patch",
        "ln_pre.": "first.",
        "ln_post.": "last.",
        "proj": "project",
        "transformer.resblocks.": "blocks.",
    }
    tensors = _parts({key.removeprefix("visual."): value for key, value in state.items() if key.startswith("visual.")}, names)
    swaps = {
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.in_proj_": "qkv.",
        "attn.out_proj": "out",
        "mlp.c_fc": "up",
        "mlp.c_proj": "down",
    }
    return {_swap(key, swaps): value for key, value in tensors.items()}


def _from_transformers(state: Weights) -> Weights:
    names = {
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "vision_model.embeddings.patch_embedding": "visual.conv1",
        "vision_model.pre_layrnorm": "visual.ln_pre",
        "vision_model.post_layernorm": "visual.ln_post",
        "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    }
    swaps = {"self_attn.": "attn.", "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    tensors = {_swap(key, swaps): value for key, value in _parts(state, names).items()}
    for key in [key for key in tensors if ".q_proj." in key]:
        joined = torch.cat([tensors.pop(key.replace("q_proj", part)) for part in ("q_proj", "k_proj", "v_proj")])
        tensors[key.replace("q_proj.", "in_proj_")] = joined
    return tensors | {"visual.proj": state["visual_projection.weight"].float().T}


def _swap(key: str, swaps: dict[str, str]) -> str:
    for old, new in swaps.items():
        key = key.replace(f".{old}", f".{new}")
    return key


DINOV2 = Family(
    from_dinov2,
    gelu,
    1e-6,
    False,
    IMAGENET_MEAN,
    IMAGENET_STD,
    "Apache-2.0",
    "squeezed to {side} px by Pillow's bicubic; ImageNet mean and standard deviation; class token after the last norm",
)
CLIP = Family(
    from_clip,
    quick_gelu,
    1e-5,
    True,
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
    "MIT",
    "shorter side to {side} px by Pillow's bicubic, centre; CLIP's mean and standard deviation; image embedding",
)
MODELS = {
    "dinov2-vits14": Model(DINOV2, "dinov2_vits14_pretrain.pth", 224, 384),
    "dinov2-vitb14": Model(DINOV2, "dinov2_vitb14_pretrain.pth", 224, 768),
    "dinov2-vitl14": Model(DINOV2, "dinov2_vitl14_pretrain.pth", 224, 1024),
    "clip-vit-b32": Model(CLIP, "ViT-B-32.pt", 224, 512, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    "clip-vit-l14-336": Model(
        CLIP, "ViT-L-14-336px.pt", 336, 768, "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"
    ),
}


def load(id: str, weights: Path | None = None) -> Extractor:
    """The extractor `id` of MODELS, from the published checkpoint or a .safetensors file or state dict with its names.

    Raises:
        InputError: no file, or one that is not a checkpoint of this model.
    """
    model = MODELS[id]
    if weights is None:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / model.file
        weights = cached if cached.is_file() else None
    if weights is None:
        project = "facebookresearch/dinov2" if model.family is DINOV2 else "openai/CLIP"
        raise InputError(f"extractor {id}: its weights are not shipped; give the path of {model.file} of the project {project}.")
    digest = sha256_of(weights)
    state = _scripted(weights) if digest == model.sha256 else read_tensors(weights)
    return from_state(id, state, digest)


def _scripted(path: Path) -> Weights:
    """CLIP is published as TorchScript, which may hold code: opened only where the sha256 is the published one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = torch.jit.load(str(path), map_location="cpu").state_dict()
    return {name: value.detach() for name, value in state.items()}


def from_state(id: str, state: Weights, sha256: str) -> Extractor:
    """The extractor of a state dict with the published names.

    Raises:
        InputError: tensors are missing or of other shapes.
    """
    model = MODELS[id]
    family = model.family
    try:
        network = Transformer(family.rename(state), model.side, family.activation, family.epsilon)
        found = network(torch.zeros(1, 3, model.side, model.side)).shape[1]
    except (KeyError, RuntimeError, IndexError, ValueError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise InputError(f"extractor {id}: the weights do not fit the network ({reason}); give {model.file}.") from error
    if found != model.dimensions:
        raise InputError(f"extractor {id}: the weights give {found} features, not {model.dimensions}; give {model.file}.")

    def forward(rgb: np.ndarray) -> Reading:
        images = pillow_bicubic(rgb, model.side, crop=family.crop)
        return Reading(network(normalised(images, family.mean, family.std)))

    return Extractor(
        id=id,
        dimensions=model.dimensions,
        input_rule=f"RGB uint8, {family.rule.format(side=model.side)}; float32",
        read=reader(forward, id, BATCH),
        weights_sha256=sha256,
        licence=family.licence,
        facts={"weights": "the published file" if sha256 == model.sha256 else "not compared with a published sha256"},
    )


class Transformer:
    """A network of tensors named patch, class, positions, blocks.<n>.*, last and, where the model has them, first, project."""

    def __init__(self, tensors: Weights, side: int, activation: Callable[[Tensor], Tensor], epsilon: float) -> None:
        self.tensors, self.activation, self.epsilon = tensors, activation, epsilon
        self.patch = tensors["patch.weight"].shape[-1]
        self.depth = 1 + max(int(key.split(".")[1]) for key in tensors if key.startswith("blocks."))
        self.positions = fitted(tensors["positions"], side // self.patch)

    def __call__(self, images: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N d"]:
        """The class token after the last norm, projected where the model does."""
        patches = conv2d(images, self.tensors["patch.weight"], self.tensors.get("patch.bias"), stride=self.patch)
        token = self.tensors["class"].expand(len(images), 1, -1)
        x = torch.cat([token, patches.flatten(2).transpose(1, 2)], 1) + self.positions
        x = self.norm("first", x) if "first.weight" in self.tensors else x
        for number in range(self.depth):
            block = f"blocks.{number}."
            x = x + self.scale(block + "scale1", self.attend(block, self.norm(block + "norm1", x)))
            hidden = self.activation(self.linear(block + "up", self.norm(block + "norm2", x)))
            x = x + self.scale(block + "scale2", self.linear(block + "down", hidden))
        last = self.norm("last", x[:, 0])
        return last @ self.tensors["project"] if "project" in self.tensors else last

    def attend(self, block: str, x: Float[Tensor, "N T D"]) -> Float[Tensor, "N T D"]:
        """Self-attention with heads of 64."""
        parts = self.linear(block + "qkv", x).unflatten(2, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.linear(block + "out", mixed.transpose(1, 2).flatten(2))

    def linear(self, name: str, x: Tensor) -> Tensor:
        return linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        return layer_norm(x, x.shape[-1:], self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], self.epsilon)

    def scale(self, name: str, x: Tensor) -> Tensor:
        return x * self.tensors[name] if name in self.tensors else x


def fitted(positions: Float[Tensor, "T D"], grid: int) -> Float[Tensor, "t D"]:
    """Position embeddings of a grid x grid image: bicubic with DINOv2's step of (grid + 0.1) / trained grid."""
    trained = round((len(positions) - 1) ** 0.5)
    if trained == grid:
        return positions
    square = positions[1:].T.reshape(1, -1, trained, trained)
    resized = interpolate(square, scale_factor=(grid + 0.1) / trained, mode="bicubic")
    return torch.cat([positions[:1], resized[0].flatten(1).T])
