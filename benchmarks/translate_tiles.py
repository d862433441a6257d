"""How far pictures that are translated in parts lie from those translated whole, away from the border, in values of 255.

    python benchmarks/translate_tiles.py PHOTO [--megapixels 2] [--tile 512] [--network FILE|RUN ...]

Without --network: an RRDBNet, CycleGAN's ResNet with nine blocks, and U-Nets of pix2pix, narrow and with random weights large
enough that neighbours matter (Glorot's). The picture is PHOTO made smaller.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from tightrope import translate
from tightrope.networks.sr import RRDBNet
from tightrope.networks.translation import ResNetTranslator
from tightrope.networks.unet import UNetTranslator

BORDER = 16  # pixels that are left away


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--megapixels", type=float, default=2)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--network", type=Path, nargs="+")
    asked = parser.parse_args()
    torch.manual_seed(0)
    pixels = made_smaller(asked.photo, asked.megapixels)
    networks = [translate.opened(path) for path in asked.network] if asked.network else narrow()
    print(f"{pixels.shape[1]} x {pixels.shape[0]} px, parts of {asked.tile} px")
    print(f"{'':<28}{'largest':>9}{'mean':>9}{'above 2':>9}{'time':>7}")
    for network in networks:
        began = time.perf_counter()
        whole = translate.array(network, pixels, tile=10**6).astype(int)
        parts = np.abs(translate.array(network, pixels, tile=asked.tile) - whole)[BORDER:-BORDER, BORDER:-BORDER]
        spent = time.perf_counter() - began
        print(f"{network.name:<28}{parts.max():>9}{parts.mean():>9.4f}{(parts > 2).mean():>9.2%}{spent:>6.0f}s")


def made_smaller(photo: Path, megapixels: float) -> np.ndarray:
    with Image.open(photo) as image:
        factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        return np.asarray(image.convert("RGB").resize((round(image.width * factor), round(image.height * factor))))


def narrow() -> list[translate.Translator]:
    """One network of each kind."""
    rrdb = RRDBNet(3, 3, scale=1, width=16, blocks=4, growth=8)
    resnet = ResNetTranslator(3, 3, width=8, blocks=9)
    found = [
        translate.Translator(net=rrdb, name="rrdbnet", darkest=0.0, multiple=4, reach=10**4, restores=True),
        translate.Translator(net=resnet, name="cyclegan-resnet", multiple=4, least=8, reach=10**4, whole=True),
    ]
    for downs in (5, 8):
        net = UNetTranslator(3, 3, width=8, downs=downs)
        found.append(
            translate.Translator(net=net, name=f"pix2pix-unet, {downs} halvings", multiple=2**downs, least=2**downs, reach=10**4)
        )
    for network in found:
        strengthened(network.net)
    return found


def strengthened(net: nn.Module) -> None:
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_normal_(layer.weight)
    net.eval().requires_grad_(False)


if __name__ == "__main__":
    main()
