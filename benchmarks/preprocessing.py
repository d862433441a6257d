"""Which preprocessing `effnet-lite0` was trained with: what its weights remember of it, and images of known classes.

The first batch norm holds the mean of the first convolution's outputs over the training: 32 numbers that are linear in
the three channels' mean input, which least squares therefore gives back; its variance gives the scale. Then: a right
rule makes the right class likelier. The photographs are those of scikit-image's wheel and of the sets Set5 and Set14;
the drawings are Noto emoji whose name is a class of ImageNet's (far from ImageNet: only the comparison counts).

pip install scikit-image resvg-py "tightrope[metrics]"
python benchmarks/preprocessing.py --sets super-resolution --emoji noto.json.gz
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from tightrope.metrics.extractors import effnet
from tightrope.metrics.extractors.images import IMAGENET_MEAN, IMAGENET_STD, normalised, pillow_bicubic
from tightrope.metrics.extractors.weights import package_folder, read_tensors

PHOTOGRAPHS = {  # file: classes, of which any is right
    "skimage/data/chelsea.png": (281, 282, 285),
    "skimage/data/coffee.png": (504, 967, 968),
    "skimage/data/rocket.jpg": (657, 744, 812),
    "Set5/bird_GT.png": (96,),
    "Set5/butterfly_GT.png": (323,),
    "Set14/baboon.png": (372,),
    "Set14/comic.png": (917,),
    "Set14/monarch.png": (323,),
    "Set14/pepper.png": (945,),
    "Set14/zebra.png": (340,),
    "Set14/coastguard.png": (814, 554),
}
# fmt: off
EMOJI = {
    "lion": 291, "tiger": 292, "zebra": 340, "banana": 954, "strawberry": 949, "pineapple": 953, "lemon": 951, "hammer": 587,
    "umbrella": 879, "violin": 889, "accordion": 401, "mushroom": 947, "broccoli": 937, "cucumber": 943, "pizza": 963,
    "hamburger": 933, "hot-dog": 934, "pretzel": 932, "bagel": 931, "ambulance": 407, "fire-engine": 555, "airplane": 404,
    "speedboat": 814, "screwdriver": 784, "laptop": 620, "printer": 742, "keyboard": 508, "saxophone": 776, "trumpet": 513,
    "backpack": 414, "honeybee": 309, "lady-beetle": 301, "snail": 113, "scorpion": 71, "spider-web": 815, "lobster": 122,
    "penguin": 145, "flamingo": 130, "peacock": 84, "rooster": 7, "eagle": 22, "hippopotamus": 344, "llama": 355,
    "gorilla": 366, "orangutan": 365, "koala": 105, "panda": 388, "hamster": 333, "badger": 362, "otter": 360, "skunk": 361,
    "sloth": 364, "bison": 347, "ox": 345, "ram": 348, "teapot": 849, "balloon": 417, "basketball": 430, "soccer-ball": 805,
    "tennis": 852, "volleyball": 890, "bell-pepper": 945, "trolleybus": 874, "snowman": 981, "volcano": 980, "abacus": 398,
    "mouse-trap": 674, "safety-pin": 772, "toilet-paper": 999, "stethoscope": 823, "church": 497, "castle": 483,
    "crocodile": 49, "lizard": 46, "whale": 147, "jellyfish": 107, "dodo": 86, "goose": 99, "swan": 100, "cricket": 312,
}
# fmt: on


def photographs(sets: Path | None) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """The photographs that can be found, as RGB bytes."""
    found = []
    for name, classes in PHOTOGRAPHS.items():
        package = importlib.util.find_spec(name.partition("/")[0]) if name[0].islower() else None
        root = Path(package.origin).parents[1] if package and package.origin else sets
        if root and (root / name).is_file():
            found.append((np.asarray(Image.open(root / name).convert("RGB")), classes))
    return found


def drawings(icons: Path) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Emoji on white, with a margin."""
    import resvg_py

    content = json.loads(gzip.decompress(icons.read_bytes()))
    found = []
    for name, index in EMOJI.items():
        body = content["icons"].get(name, {}).get("body")
        if body:
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 -16 160 160" width="320" height="320">{body}</svg>'
            image = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")
            found.append(
                (np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")), (index,))
            )
    return found


def pillow(filter: Image.Resampling) -> Callable[[np.ndarray], np.ndarray]:
    """The shorter side to 224, the centre."""

    def resize(image: np.ndarray) -> np.ndarray:
        if filter is Image.Resampling.BICUBIC:
            return pillow_bicubic(image[None], 224, crop=True)[0]
        return np.asarray(Image.fromarray(middle(image)).resize((224, 224), filter))

    return resize


def cropped(image: np.ndarray) -> np.ndarray:
    """The middle 87.5 % of the shorter side, as the training's evaluation had it."""
    return np.asarray(Image.fromarray(middle(image, 0.875)).resize((224, 224), Image.Resampling.BICUBIC))


def squeezed(image: np.ndarray) -> np.ndarray:
    return pillow_bicubic(image[None], 224, crop=False)[0]


def aliased(image: np.ndarray) -> np.ndarray:
    """Bilinear without antialiasing."""
    x = torch.from_numpy(middle(image).copy()).permute(2, 0, 1)[None].float()
    return interpolate(x, (224, 224), mode="bilinear")[0].round().byte().permute(1, 2, 0).numpy()


def middle(image: np.ndarray, share: float = 1.0) -> np.ndarray:
    side = int(min(image.shape[:2]) * share)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


NORMALISATIONS: dict[str, Callable[[np.ndarray], Tensor]] = {
    "(x - 127) / 128": lambda x: normalised(x, (127 / 255,) * 3, (128 / 255,) * 3),
    "ImageNet mean, std": lambda x: normalised(x, IMAGENET_MEAN, IMAGENET_STD),
    "x / 255": lambda x: normalised(x, (0.0,) * 3, (1.0,) * 3),
    "(x - 127) / 128, BGR": lambda x: normalised(x[..., ::-1], (127 / 255,) * 3, (128 / 255,) * 3),
    "ImageNet mean, std, BGR": lambda x: normalised(x[..., ::-1], IMAGENET_MEAN, IMAGENET_STD),
}
RESIZES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bicubic": pillow(Image.Resampling.BICUBIC),
    "bilinear": pillow(Image.Resampling.BILINEAR),
    "bilinear, aliased": aliased,
    "bicubic, squeezed": squeezed,
    "bicubic, middle 87.5 %": cropped,
}


def remembered(state: dict[str, Tensor], images: list[np.ndarray]) -> None:
    """Print the mean input the first batch norm implies, beside what each rule makes of ImageNet's mean; and the scales."""
    weight, mean, variance = (state[key].double() for key in ("_conv_stem.weight", "_bn0.running_mean", "_bn0.running_var"))
    mixing = weight.sum((2, 3))
    found = torch.linalg.lstsq(mixing, mean[:, None]).solution
    residual = (mixing @ found - mean[:, None]).norm() / mean.norm()
    print("first batch norm                mean input (R G B)         its variance, photographs' over remembered")
    print(f"  {'remembered':<24} {_three(found.ravel())}   (residual {residual:.1%})")
    imagenet = np.array(IMAGENET_MEAN)[None, None, None] * 255
    for name, rule in NORMALISATIONS.items():
        inputs = torch.cat([rule(RESIZES["bicubic"](image)[None]) for image in images]).double()
        ratio = (conv2d(inputs, weight, stride=2).var((0, 2, 3)) / variance).log().median().exp()
        print(f"  {name:<24} {_three(rule(imagenet.astype(np.float32)).ravel())}   {ratio:.2f}")


def _three(values: Tensor) -> str:
    return " ".join(f"{value:7.3f}" for value in values.tolist())


def judged(network: effnet.EfficientNetLite0, inputs: Tensor, classes: list[tuple[int, ...]]) -> str:
    """Mean log-probability of the right class, its first and first-five shares, its median rank."""
    with torch.inference_mode():
        logs = torch.cat([network.logits(network(part)) for part in inputs.split(16)]).double().log_softmax(1)
    right = torch.stack([row[list(known)].logsumexp(0) for row, known in zip(logs, classes, strict=True)])
    best = torch.stack([row[list(known)].max() for row, known in zip(logs, classes, strict=True)])
    ranks = (logs > best[:, None]).sum(1) + 1
    first, five = (ranks == 1).double().mean(), (ranks <= 5).double().mean()
    return f"{right.mean():8.3f} {first:8.1%} {five:8.1%} {ranks.double().median():8.0f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=Path, help="folder that holds Set5 and Set14")
    parser.add_argument("--emoji", type=Path, help="noto.json.gz of Iconify")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = package_folder(effnet.PACKAGE)
    assert folder is not None, 'pip install "tightrope[metrics]"'
    state = read_tensors(folder / effnet.FILE)
    network, photos = effnet.EfficientNetLite0(state), photographs(arguments.sets)
    remembered(state, [image for image, _ in photos])
    sources = {"photographs": photos, "drawings": drawings(arguments.emoji) if arguments.emoji else []}
    for source, samples in sources.items():
        if not samples:
            continue
        classes = [known for _, known in samples]
        print(f"{len(samples)} {source}{'':<36} log p    first first 5     rank")
        rules = [(norm, "bicubic") for norm in NORMALISATIONS] + [("(x - 127) / 128", resize) for resize in list(RESIZES)[1:]]
        for norm, resize in rules:
            inputs = torch.cat([NORMALISATIONS[norm](RESIZES[resize](image)[None]) for image, _ in samples])
            print(f"  {norm:<24} {resize:<24} {judged(network, inputs, classes)}", flush=True)


if __name__ == "__main__":
    main()
