"""Samples by class: what people may call a class, mixtures, truncation, and what `tightrope sample` writes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import levels
from levels import NAMES, SIDE
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.labels import mixtures, named, slugs
from tightrope.core.spec import DataSpec
from tightrope.explore.generator import Generator
from tightrope.explore.sheets import headed
from tightrope.explore.truncation import truncated
from tightrope.run import load

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def spec(*classes: str) -> DataSpec:
    return DataSpec(modality="images", shape=(1, 8, 8), classes=classes)


def test_classes_go_by_name_beginning_word_and_number() -> None:
    words = ["SANDAL", "boot", "shirt", "t-", "3", 9, " trou ", "top"]
    assert named(words, spec(*FASHION)) == [5, 9, 6, 0, 3, 9, 1, 0]
    assert named(["7", "1"], spec("3", "7", "9")) == [1, 1]  # a class that is called 7 comes before the seventh
    assert named(["日"], spec("日本", "夜")) == [0]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("sandle", "did you mean 'Sandal'? There are T-shirt/top, "),
        ("s", "may be Sandal, Shirt, Sneaker"),
        ("10", "0 to 9"),
        ("", "not known"),
    ],
)
def test_a_class_that_is_not_there_is_refused_with_those_that_are(word: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        named([word], spec(*FASHION))


def test_names_of_files_are_plain_and_all_different() -> None:
    assert slugs(("T-shirt/top", "Ankle boot", "a b", "A_b", "///", "x" * 99)) == [
        "t-shirt-top",
        "ankle-boot",
        "a-b",
        "a-b-3",
        "4",
        "x" * 40,
    ]


def test_mixtures_are_straight_lines_of_shares() -> None:
    rows = mixtures([2, 0], 5, 3)
    assert torch.allclose(rows[:, 2], torch.tensor([1, 0.75, 0.5, 0.25, 0])) and torch.allclose(rows.sum(1), torch.ones(5))
    there = mixtures([0, 1, 2], 5, 3)
    assert there.tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]


def opened(file: Path) -> Generator:
    return load(file, levels.__file__)


def test_one_class_for_all_or_one_a_sample(file: Path) -> None:
    generator = opened(file)
    dusk = generator.sample(seeds=[1, 2], labels="dusk")
    assert torch.equal(dusk, generator.sample(seeds=[1, 2], labels=[1, "Dusk"]))
    assert torch.equal(dusk, generator.sample(seeds=[1, 2], labels=torch.tensor([1, 1])))
    assert torch.allclose(dusk, generator.sample(seeds=[1, 2], labels=torch.eye(4)[[1, 1]]))
    own = generator.labels([1, 2])
    assert torch.equal(generator.sample(seeds=[1, 2]), generator.sample(seeds=[1, 2], labels=own))
    for labels in (["dusk"], torch.tensor([4, 0]), torch.ones(2, 3), torch.tensor([-1, 0])):
        with pytest.raises(InputError, match="labels"):
            generator.sample(seeds=[1, 2], labels=labels)


def test_a_mix_goes_from_one_class_to_the_other_at_one_latent(file: Path) -> None:
    generator = opened(file)
    made = generator.mix("dark", "bright", seeds=[4, 9], steps=3).unflatten(0, (2, 3))
    ends = [generator.sample(seeds=[4, 9], labels=name) for name in ("dark", "bright")]
    assert torch.allclose(made[:, 0], ends[0], atol=1e-6) and torch.allclose(made[:, 2], ends[1], atol=1e-6)
    assert torch.allclose(made[:, 1], (ends[0] + ends[1]) / 2, atol=1e-6)  # the toy is linear in the shares
    for stops, steps in ((["dusk"], 3), (["dusk", "dawn"], 1)):
        with pytest.raises(InputError, match="at least two"):
            generator.mix(*stops, seeds=[0], steps=steps)


def test_classes_are_mixed_along_an_interpolation(file: Path) -> None:
    generator = opened(file)
    path = generator.interpolate([0, 1], steps=4, labels=["dark", "bright"])
    assert torch.allclose(path[0], generator.sample(seeds=[0], labels="dark")[0], atol=1e-6)
    assert torch.allclose(path[4], generator.sample(seeds=[1], labels="bright")[0], atol=1e-6)
    assert path.flatten(1).mean(1).diff()[:4].min() > 0


def test_truncation_is_the_quantile_function_of_the_truncated_normal() -> None:
    z = torch.cat([torch.linspace(-6, 6, 241, dtype=torch.float64), torch.tensor([-30.0, 30.0])])[:, None]
    cdf = torch.special.ndtr
    for t in (0.3, 0.7, 2.0, 50.0):
        found = truncated(z, t)
        limit = cdf(torch.tensor(-t, dtype=torch.float64))
        assert found.abs().max() <= t
        assert torch.allclose(cdf(found[:241]), limit + cdf(z[:241]) * (1 - 2 * limit), atol=1e-12)
        assert (found[:241].diff(dim=0) > 0).all() and torch.allclose(found[:241], -found[:241].flip(0), atol=1e-12)
    assert torch.allclose(truncated(z[:241], 50.0), z[:241], atol=1e-9)
    drawn = truncated(torch.randn(50_000, 1, generator=torch.Generator().manual_seed(0)), 0.7)
    density = math.exp(-0.245) / math.sqrt(2 * math.pi) / (2 * cdf(torch.tensor(0.7)).item() - 1)
    assert drawn.var().item() == pytest.approx(1 - 2 * 0.7 * density, rel=0.02)  # of the truncated normal, in closed form


def test_a_truncated_seed_is_the_same_sample_nearer_to_the_mean(file: Path) -> None:
    generator = opened(file)
    plain, near = (generator.latents([3, 4], t) for t in (None, 0.5))
    assert torch.equal(near.sign(), plain.sign()) and (near.abs() < plain.abs()).all()
    assert torch.equal(generator.sample(seeds=[3, 4], labels=1, truncation=0.5), generator.decode(near, torch.tensor([1, 1])))


@pytest.mark.parametrize("t", ["0", "-1", "nan", "inf"])
def test_truncation_wants_a_number_above_0(file: Path, t: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(file), "--recipe", levels.__file__, "--out", "x", f"--truncation={t}"]) == 2
    assert "above 0" in capsys.readouterr().err


def test_latents_that_are_not_normal_are_not_truncated(bounded: Path) -> None:
    with pytest.raises(InputError, match=r"from -1 to 1, with kurtosis 1\.8"):
        opened(bounded).sample(2, truncation=0.7)

    class Sphere:
        def latents(self, n: int, generator: torch.Generator) -> torch.Tensor:
            z = torch.randn(n, 128, generator=generator)
            return z / z.square().mean(1, keepdim=True).sqrt()

    class Normal:
        def latents(self, n: int, generator: torch.Generator) -> torch.Tensor:
            return torch.randn(n, 512, generator=generator)

    from tightrope.explore.truncation import require_normal

    with pytest.raises(InputError, match="one length"):
        require_normal(Sphere(), "it")  # type: ignore[arg-type]
    require_normal(Normal(), "it")  # type: ignore[arg-type]


def sampled(words: list[str], file: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The names of the files that were written."""
    assert main(["sample", str(file), "--recipe", levels.__file__, "--out", str(out), "--json", *words]) == 0
    return [Path(path).name for path in json.loads(capsys.readouterr().out)]


def test_files_carry_seed_and_class(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = sampled(["--seeds", "3,5", "--class", "bright,dusk", "--grid", "--npz"], file, tmp_path / "a", capsys)
    assert written == [
        "000003-bright-day.png",
        "000003-dusk.png",
        "000005-bright-day.png",
        "000005-dusk.png",
        "grid.png",
        "samples.npz",
    ]
    array = np.load(tmp_path / "a" / "samples.npz")
    assert array["labels"].tolist() == [3, 1, 3, 1] and array["seeds"].tolist() == [3, 3, 5, 5]
    assert array["classes"].tolist() == list(NAMES) and array["samples"].shape == (4, SIDE, SIDE, 1)
    own = opened(file).labels([3, 5])
    assert own is not None
    plain = sampled(["--seeds", "3,5"], file, tmp_path / "b", capsys)
    assert plain == [f"{seed:06d}-{slugs(NAMES)[k]}.png" for seed, k in zip((3, 5), own.tolist(), strict=True)]


def test_a_sheet_has_a_class_a_column_and_a_seed_a_row(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sampled(["--seeds", "0-2", "--grid"], file, tmp_path, capsys)
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    pitch = SIDE + 2
    body = sheet[-(3 * pitch + 2) :]
    assert sheet.shape[1] == 4 * pitch + 2 and len(sheet) > len(body)  # names stand above
    bright = [[int(body[row * pitch + 6, column * pitch + 6, 0]) for column in range(4)] for row in range(3)]
    assert all(row == sorted(row) for row in bright)


def test_a_mix_is_a_sheet_an_array_and_an_animation(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = sampled(["--mix", "dark:dawn", "--seeds", "0-1", "--steps", "5", "--gif", "--npz"], file, tmp_path, capsys)
    assert written == ["mix.png", "samples.npz", "mix.gif"]
    array = np.load(tmp_path / "samples.npz")
    assert array["samples"].shape[0] == 10 and array["shares"][2].tolist() == [0.5, 0, 0.5, 0]
    with Image.open(tmp_path / "mix.gif") as gif:
        assert gif.n_frames > 20
    assert Image.open(tmp_path / "mix.png").size[0] == 5 * (SIDE + 2) + 2


WRONG = {
    "no such class": (["--class", "noon"], "Dark night, Dusk, Dawn, Bright/day"),
    "an empty one": (["--class", "dusk,"], "--class sandal"),
    "nothing": (["--class", ""], "--class sandal"),
    "a mix of one": (["--mix", "dusk"], "--mix sandal:boot"),
    "both": (["--mix", "dusk:dawn", "--class", "dusk"], "leave out --class"),
    "steps of nothing": (["--steps", "4"], "--mix A:B"),
    "one step": (["--mix", "dusk:dawn", "--steps", "1"], "at least two"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words_get_one_sentence(what: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = WRONG[what]
    assert main(["sample", str(file), "--recipe", levels.__file__, "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not (tmp_path / "out").exists()


def test_names_fit_above_columns_of_any_width() -> None:
    for width in (12, 400):
        sheet = np.zeros((10, 3 * width, 3), np.uint8)
        made = headed(sheet, ["Ankle boot", "", "A name that is much too long to be shown above anything"])
        assert made.shape[1] == 3 * width and (made[-10:] == 0).all() and (made[0] == 255).all() and made[:-10].min() < 100
    assert headed(sheet, ["", "", ""]) is sheet
