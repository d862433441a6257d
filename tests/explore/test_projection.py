"""Projection: what a generator made is found again, in every space; and what `tightrope project` writes, skips and refuses."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import levels
from halves import ByClass, Codes, Toy, drawn
from levels import SIDE
from tightrope.cli import projected
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.explore import noise_maps, projection
from tightrope.explore.generator import Generator
from tightrope.explore.latent_file import Latent, draw, fingerprint, write_latent
from tightrope.explore.projection import Projection, project, rate, read_latent
from tightrope.explore.pyramid import Pyramid
from tightrope.run import load


def opened(recipe: Toy) -> Generator:
    spec = DataSpec(modality="images", shape=(1, 16, 16), classes=("a", "b"), shares=(0.5, 0.5), count=9)
    state = {f"G/{name}": x for name, x in recipe.networks(spec)["G"].state_dict().items()}
    return Generator(recipe, spec, state, {"recipe": "toy"})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def toy() -> Generator:
    return opened(Toy())


def found(generator: Generator, pictures: Tensor, **how: Any) -> list[Projection]:
    return project(generator, pictures, Pyramid(), **{"steps": 120, **how})


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_what_the_generator_made_is_found_again(toy: Generator, space: Any) -> None:
    (one,) = found(toy, toy.sample(seeds=[3]), space=space)
    assert one.distance < 1e-3 < one.of_random and one.distance < one.at_start / 30
    assert one.latent.values.shape == {"z": (4,), "w": (1, 5), "w+": (2, 5)}[space]
    assert one.distance == min(one.curve) and len(one.curve) == len(one.film) == len(one.steps)
    assert torch.allclose(draw(toy, [one.latent])[0], one.image, atol=1e-6)


def test_layers_with_styles_of_their_own_come_nearer_where_one_style_cannot(toy: Generator) -> None:
    net: Any = toy.nets["G"]
    mixed = net.synthesis(torch.stack([drawn(5, seed=3), drawn(5, seed=4)])[None], noise_mode="const")
    one, many = (found(toy, mixed, space=space)[0].distance for space in ("w", "w+"))
    assert many < 0.01 < one


@pytest.mark.parametrize("space", ["z", "w+"])
def test_many_at_once_are_found_as_one_by_one(toy: Generator, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = drawn(3, 1, 16, 16).clamp(-1, 1)
    together = found(toy, pictures, space=space, steps=40)
    monkeypatch.setattr(projection, "PIXELS", 256 * 4)
    told: list[tuple[int, int]] = []
    apart = found(toy, pictures, space=space, steps=40, progress=lambda done, total: told.append((done, total)))
    singles = [found(toy, picture[None], space=space, steps=40)[0] for picture in pictures]
    for a, b, c in zip(together, apart, singles, strict=True):
        assert torch.allclose(a.latent.values, b.latent.values, atol=1e-3)
        assert torch.allclose(a.latent.values, c.latent.values, atol=1e-3)
    parts = 3 if space == "z" else 1
    assert told[-1] == (40 * parts, 40 * parts) and len(told) == 40 * parts


def test_the_same_seed_goes_the_same_way(toy: Generator) -> None:
    picture = drawn(1, 1, 16, 16).clamp(-1, 1)
    a, b, c = (found(toy, picture, steps=9, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(a.latent.values, b.latent.values) and a.curve == b.curve and a.curve != c.curve


@pytest.mark.parametrize("space", ["z", "w"])
def test_the_class_is_the_one_given_or_the_one_that_comes_nearest(space: Any) -> None:
    generator = opened(ByClass())
    pictures = generator.sample(seeds=[1, 2], labels=["a", "b"])
    chosen = found(generator, pictures, space=space)
    assert [int(one.latent.label) for one in chosen if one.latent.label is not None] == [0, 1]
    assert max(one.distance for one in chosen) < 5e-3
    (forced,) = found(generator, pictures[:1], space=space, label="b")
    assert forced.latent.label == 1 and (forced.distance > chosen[0].distance or space == "w")


def test_codes_stay_codes_and_bounded_latents_in_their_bounds() -> None:
    generator = opened(Codes())
    own, far = generator.sample(seeds=[1])[0], torch.full((1, 16, 16), 1.0)
    for one in found(generator, torch.stack([own, far])):
        assert sorted(one.latent.values[2:].tolist()) == [0, 1]
        assert one.latent.values[:2].abs().max() <= 1
    z = generator.latents([1])
    assert torch.allclose(found(generator, own[None])[0].latent.values, z[0], atol=0.02)


def test_a_latent_keeps_the_length_of_the_prior() -> None:
    (one,) = found(opened(Toy()), torch.ones(1, 1, 16, 16), space="z")
    assert one.latent.values.square().mean() < 3.6  # 99 % of normal latents of 4 numbers are below 3.32


def test_noise_maps_take_up_what_the_style_cannot_say_and_stay_noise(toy: Generator) -> None:
    net: Any = toy.nets["G"]
    maps = {"noise_const": drawn(1, 1, 16, 16, seed=7)}
    picture = noise_maps.synthesise(net.synthesis, drawn(1, 1, 5).expand(-1, 2, -1), maps).detach()
    without, with_maps = (found(toy, picture, noise=noise, steps=200)[0] for noise in (False, True))
    assert with_maps.distance < without.distance / 2
    own = with_maps.latent.maps["noise_const"]
    assert own.mean().abs() < 1e-5 and own.square().mean() == pytest.approx(1, abs=1e-4)
    assert noise_maps.autocorrelation({"": own[None]}) < noise_maps.autocorrelation(maps)
    assert torch.allclose(draw(toy, [with_maps.latent])[0], with_maps.image, atol=1e-6)


def test_autocorrelation_is_that_of_every_scale() -> None:
    flat, board = torch.ones(2, 1, 16, 16), torch.ones(1, 1, 16, 16)
    board[..., ::2] = -1
    # ones: 256 (1 + 1) at 16 px; twice the mean, so 64 (16 + 16) at 8 px. Stripes: the same at 16 px, and nothing is left at 8
    assert noise_maps.autocorrelation({"a": flat}).tolist() == [2560, 2560]
    assert noise_maps.autocorrelation({"a": flat[:1], "b": board}).tolist() == [3072]


def test_the_rate_rises_and_falls() -> None:
    assert [rate(t) for t in (0, 0.025, 0.05, 0.5, 0.75)] == [0, 0.5, 1, 1, 1]
    assert rate(0.875) == pytest.approx(0.5) and rate(1) == pytest.approx(0)


def test_the_pyramid_weighs_every_scale_the_same() -> None:
    x = drawn(2, 3, 15, 15)  # odd sides too
    a, b = Pyramid().embed(x), Pyramid().embed(x + 0.5)
    assert torch.allclose((a - b).square().sum(1), torch.tensor([0.25, 0.25]), atol=1e-5)  # the coarsest level alone
    assert (Pyramid().embed(x) - Pyramid().embed(x.flip(-1))).square().sum(1).min() > 0.5


def test_perception_sees_small_pictures_enlarged_and_large_ones_scaled_down() -> None:
    seen: list[tuple[int, ...]] = []

    def embed(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape))
        return images.flatten(1)

    distance = projected.Perceptual(types.SimpleNamespace(id="lpips-vgg", embed=embed))  # type: ignore[arg-type]
    for side in (16, 64, 512):
        distance.embed(torch.full((1, 1, side, side), 7.0))
    assert seen == [(1, 3, 32, 32), (1, 3, 64, 64), (1, 3, 256, 256)] and distance.id == "lpips-vgg+laplacian-pyramid"


def test_a_latent_comes_back_from_its_file(toy: Generator, tmp_path: Path) -> None:
    maps = {"noise_const": drawn(1, 16, 16)}
    latent = Latent("w+", drawn(2, 5), torch.tensor(1), maps, fingerprint(toy), {"apart": 0.25})
    write_latent(tmp_path / "a.safetensors", latent)
    back = read_latent(tmp_path / "a.safetensors")
    assert (
        torch.equal(back.values, latent.values) and back.label == 1 and torch.equal(back.maps["noise_const"], maps["noise_const"])
    )
    assert (back.space, back.generator, back.facts) == ("w+", fingerprint(opened(Toy())), {"apart": 0.25})
    with torch.no_grad():
        net: Any = toy.nets["G"]
        assert torch.equal(
            draw(toy, [back]), noise_maps.synthesise(net.synthesis, back.values[None], {"noise_const": drawn(1, 1, 16, 16)})
        )
    for other in (
        Latent("z", drawn(5)),
        Latent("w", drawn(1, 4)),
        Latent("w+", drawn(3, 5)),
        Latent("w", drawn(1, 5), maps={"x": drawn(1)}),
    ):
        with pytest.raises(InputError, match="give one of this generator"):
            draw(toy, [other])
    with pytest.raises(InputError, match=r"takes latents in z alone"):
        draw(opened(Codes()), [latent])
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    for name in ("b", "none"):
        with pytest.raises(InputError, match="cannot be read as a latent"):
            read_latent(tmp_path / f"{name}.safetensors")


def test_wrong_pictures_and_wishes_are_refused(toy: Generator) -> None:
    picture = torch.zeros(1, 1, 16, 16)
    for wrong, said in ((picture[:, :, 1:], r"\(N, 1, 16, 16\)"), (picture + 2, "divide bytes"), (picture * torch.nan, "finite")):
        with pytest.raises(InputError, match=said):
            found(toy, wrong)
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"space": "q"}, "there are z"), ({"steps": 0}, "at least 1"), ({"space": "z", "noise": True}, "part of w"), ({"label": "a"}, "without classes"),
    ]  # fmt: skip
    for how, said in wishes:
        with pytest.raises(InputError, match=said):
            found(toy, picture, **how)
    with pytest.raises(InputError, match="no styles"):
        found(opened(Codes()), picture, space="w+")


def run(words: list[Any], file: Path) -> int:
    return main([words[0], str(file), *map(str, words[1:]), "--recipe", levels.__file__])


def test_the_command_writes_skips_and_its_latents_are_drawn_again(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = load(file, levels.__file__).sample(seeds=[1, 2], labels=["dusk", "dawn"])
    pixels = ((made[:, 0] + 1) * 127.5).round().byte().numpy()
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels[0]).save(tmp_path / "in" / "dusk.png")
    Image.fromarray(np.kron(pixels[1], np.ones((2, 3), np.uint8))).convert("RGB").save(tmp_path / "in" / "wide.png")
    words = ["project", tmp_path / "in", "--out", tmp_path / "out", "--steps", "40", "--movie", "gif"]
    assert run(words, file) == 0
    said = capsys.readouterr().out
    assert "Dusk" in said and "wide.png: 24x16 pixels; its centre square was brought to the generator's 8x8." in said
    assert "2 of 2 nearer than the best of 1,000 random samples, by laplacian-pyramid." in said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"{stem}.{suffix}" for stem in ("dusk", "wide") for suffix in ("safetensors", "png", "gif", "json")}
    with Image.open(tmp_path / "out" / "dusk.gif") as film:
        assert film.size == (256, 128)
    record = json.loads((tmp_path / "out" / "dusk.json").read_text())
    assert record["found"] < record["of_random"] and record["class"] == "Dusk" and len(record["curve"]) == 41
    before = (tmp_path / "out" / "dusk.png").stat().st_mtime_ns
    (tmp_path / "out" / "wide.json").unlink()
    assert run([*words, "--json"], file) == 0
    assert [record["name"] for record in json.loads(capsys.readouterr().out)] == ["dusk", "wide"]
    assert (tmp_path / "out" / "dusk.png").stat().st_mtime_ns == before
    again = tmp_path / "again"
    assert run(["sample", "--latents", tmp_path / "out" / "dusk.safetensors", "--out", again], file) == 0
    assert np.abs(np.asarray(Image.open(again / "dusk.png")).astype(int) - pixels[0]).max() <= 6


WRONG = {
    "no such file": (["none.png"], "no such picture"),
    "no picture": (["text.png"], "not an image of a known format"),
    "an empty folder": (["empty"], "no pictures in it"),
    "another space": (["p.png", "--space", "x"], "there are z (every recipe)"),
    "styles of a recipe without": (["p.png", "--space", "w"], "has no styles"),
    "noise of a recipe without": (["p.png", "--noise"], "noise maps are part of w and w+"),
    "no such class": (["p.png", "--class", "noon"], "Dark night, Dusk, Dawn, Bright/day"),
    "no steps": (["p.png", "--steps", "0"], "at least 1"),
    "another distance": (["p.png", "--distance", "eyes"], "there are laplacian-pyramid, lpips-alex and lpips-vgg"),
    "another film": (["p.png", "--movie", "avi"], "gif, webp, mp4"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words_get_one_sentence(what: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.png").write_text("this is text")
    (tmp_path / "empty").mkdir()
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(tmp_path / "p.png")
    (name, *flags), said = WRONG[what]
    assert run(["project", tmp_path / name, "--out", tmp_path / "out", *flags], file) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not (tmp_path / "out").exists()


def test_latents_in_place_of_seeds_are_not_both(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", "--latents", tmp_path, "--seeds", "3", "--out", tmp_path / "out"], file) == 2
    assert run(["sample", "--latents", tmp_path / "none", "--out", tmp_path / "out"], file) == 2
    assert "leave out --seeds" in (error := capsys.readouterr().err) and "cannot be read as a latent" in error
