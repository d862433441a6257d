"""Generators for other programs: that they draw the same there, that what does not is refused, and what goes with them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tightrope import recipes
from tightrope.cli.main import main
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.images import Images
from tightrope.explore.generator import Generator
from tightrope.interop import card, exporting, onnx_file, program, standalone, traced
from tightrope.run import load
from tightrope.training.artifact import write_generator

NAMES = ("Sandal", "Boot", "Bag|pipe")
EXTRA = pytest.mark.skipif(
    any(find_spec(name) is None for name in onnx_file.NEEDED),
    reason="the extra `onnx` is not installed",
)


def saved(path: Path, name: str, **fields: Any) -> Path:
    """The file of an untrained generator whose outputs are of order 1: of `name`'s toy preset, "points" being gan's for points."""
    points, name = name == "points", "gan" if name == "points" else name
    spec = (
        DataSpec(modality="points", shape=(2,), scale=2.0, mean=(1.0, -1.0))
        if points
        else DataSpec(modality="images", shape=(3, 8, 8), classes=NAMES, shares=(0.5, 0.25, 0.25), count=400)
    )
    made = recipes.find(name)(**{**recipes.header(name).presets["toy"], **fields})
    torch.manual_seed(0)
    nets = {player: made.networks(spec)[player] for player in made.AVERAGED}
    for module in nets["G"].modules():
        if isinstance(module, nn.ConvTranspose2d) and not name.startswith("prog"):
            module.weight.data.mul_(5)
    if name == "progressive":
        nets["G"].stage.fill_(0.75)  # in the middle of a fade
    if name.startswith("stylegan"):
        nets["G"].mapping.w_avg.normal_()
    facts = {
        "tightrope": "0.1.0", "recipe": name, "fields": json.dumps(recipes.header(name).presets["toy"] | fields), "seed": "5",
        "spec": json.dumps(spec.to_json()), "data": "shoes", "data_licence": "CC0", "data_fingerprint": "f" * 64, "seen": "12345",
    }  # fmt: skip
    write_generator(path, nets, facts)
    return path


def opened(tmp_path: Path, name: str, **fields: Any) -> tuple[Generator, Path]:
    path = saved(tmp_path / "trained.safetensors", name, **fields)
    return load(path), path


def runs(file: Path, generator: Generator, names: list[str]) -> dict[str, str]:
    """That onnxruntime takes these inputs and draws what PyTorch does; the file's metadata."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == names
    assert session.get_inputs()[0].shape == ["n", generator.recipe.z] and session.get_outputs()[0].shape[0] == "n"
    for n in (1, 7):
        given = traced.inputs(generator, n, 0.7)
        ours = traced.by_pytorch(generator, given)
        (theirs,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        assert theirs.dtype == np.float32 and ours.std() > 1e-3
        np.testing.assert_allclose(theirs, ours.numpy(), atol=2e-5)
    return session.get_modelmeta().custom_metadata_map


@EXTRA
@pytest.mark.parametrize(
    ("name", "names"),
    [("progressive", ["z"]), ("r3gan", ["z"]), ("stylegan2", ["z", "labels", "psi"])],
)
def test_onnx_draws_what_pytorch_draws_at_any_batch_size(name: str, names: list[str], tmp_path: Path) -> None:
    generator, source = opened(tmp_path, name, **({"conditional": True} if "labels" in names else {}))
    made = exporting.export(generator, source, "onnx", tmp_path / "out")
    assert made.difference is not None and made.difference < 2e-5
    facts = runs(tmp_path / "out" / "generator.onnx", generator, names)
    assert facts["data_licence"] == "CC0" and facts["seen"] == "12345" and facts["generator_sha256"] == made.sha256
    assert float(facts["difference"]) == pytest.approx(made.difference, rel=0.01)


def test_a_pytorch_program_runs_without_the_recipe_and_draws_the_same(tmp_path: Path) -> None:
    generator, source = opened(tmp_path, "cgan")
    made = exporting.export(generator, source, "torch", tmp_path / "out")
    extra = {program.FACTS: ""}
    read = torch.export.load(tmp_path / "out" / "generator.pt2", extra_files=extra).module()
    given = traced.inputs(generator, 4)
    expected = traced.by_pytorch(generator, given)
    torch.testing.assert_close(read(given["z"], labels=given["labels"]), expected, atol=1e-5, rtol=0)
    assert json.loads(extra[program.FACTS])["generator_sha256"] == made.sha256


def test_stylegan3_is_one_program_for_any_batch_size(tmp_path: Path) -> None:
    generator, _ = opened(tmp_path, "stylegan3")
    run = traced.traced(generator).module()
    assert traced.checked(generator, "it", lambda given: run(given["z"], psi=given["psi"])) < 2e-5


def test_psi_0_draws_the_mean_style_for_every_latent(tmp_path: Path) -> None:
    generator, _ = opened(tmp_path, "stylegan2")
    drawn = traced.Drawing(generator).eval()(**traced.inputs(generator, 3, 0.0))
    torch.testing.assert_close(drawn, drawn[:1].expand_as(drawn))
    assert traced.Drawing(generator).eval()(**traced.inputs(generator, 3, 1.0)).std(0).max() > 1e-3


def test_what_draws_something_else_is_refused(tmp_path: Path) -> None:
    generator, _ = opened(tmp_path, "swift")

    def wrong(change: Any) -> None:
        traced.checked(generator, "it", lambda given: change(traced.by_pytorch(generator, given)))

    wrong(lambda x: x + 0.5 * traced.TOLERANCE)
    for change in (lambda x: x + 2 * traced.TOLERANCE, lambda x: x * torch.nan):
        with pytest.raises(InputError, match=r"it: differs from PyTorch by .* not kept"):
            wrong(change)
    with pytest.raises(InputError, match="where PyTorch draws"):
        wrong(lambda x: x[:, :1])


def test_nothing_is_left_of_a_refused_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, source = opened(tmp_path, "swift")
    monkeypatch.setattr(traced, "TOLERANCE", -1.0)
    with pytest.raises(InputError, match=r"generator\.pt2: differs"):
        exporting.export(generator, source, "torch", tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


class Choosy(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z[:, :2] if z.sum() > 0 else z[:, 2:4]


def test_networks_that_choose_by_values_are_refused_with_what_is_left_to_do(tmp_path: Path) -> None:
    generator, _ = opened(tmp_path, "swift")
    generator.nets["G"] = Choosy()
    with pytest.raises(InputError, match=r"recipe swift: .* cannot be written down .*--to safetensors"):
        traced.traced(generator)


@pytest.mark.parametrize("to", ["onnx", "folder"])
def test_a_missing_extra_is_named(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, source = opened(tmp_path, "swift")
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match=r'onnxscript is missing; pip install "tightrope\[onnx\]"'):
        exporting.export(generator, source, to, tmp_path / "out")
    assert not (tmp_path / "out").exists()


ALONE = """
import json, runpy, sys
sys.modules["torch"] = sys.modules["tightrope"] = None  # importing either is an error
for words in json.loads(sys.argv[1]):
    sys.argv = ["infer.py", *words]
    try:
        runpy.run_path("infer.py", run_name="__main__")
    except SystemExit as error:
        print(error)
"""


def alone(folder: Path, *commands: str) -> list[str]:
    """What infer.py says to each command, in a process that has neither torch nor this package."""
    words = json.dumps([command.split() for command in commands])
    ran = subprocess.run([sys.executable, "-I", "-c", ALONE, words], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@EXTRA
def test_the_folder_draws_the_same_pictures_with_neither_torch_nor_tightrope(tmp_path: Path) -> None:
    generator, source = opened(tmp_path, "cgan")
    out = tmp_path / "out"
    assert main(["export", str(source), "--to", "folder", "--out", str(out)]) == 0
    assert {p.name for p in out.iterdir()} == {"card.md", "generator.onnx", "generator.safetensors", "infer.py", "seeds.npz"}
    assert runs(out / "generator.onnx", generator, ["z", "labels"])["latents"] == "normal"
    np.save(out / "mine.npy", generator.latents([9, 10]).numpy())
    said = alone(
        out, "--seed 3 --count 5 --out a.png", "--class boot --count 2 --out b.png", "--latents mine.npy --class 0 --out c.png",
        f"--seed {standalone.SEEDS} --count 4 --out d.png", f"--seed {standalone.SEEDS} --count 4 --out e.png",
        "--class shoe --out f.png", "--psi 0.5 --out g.png",
    )  # fmt: skip
    grid = Images().grid
    np.testing.assert_allclose(picture(out / "a.png"), grid(generator.sample(seeds=list(range(3, 8)))), atol=1)
    np.testing.assert_allclose(picture(out / "b.png"), grid(generator.sample(2, labels="boot")), atol=1)
    np.testing.assert_allclose(picture(out / "c.png"), grid(generator.sample(seeds=[9, 10], labels=0)), atol=1)
    assert (out / "d.png").read_bytes() == (out / "e.png").read_bytes() and picture(out / "d.png").std() > 1
    assert said[5].startswith("infer.py: class 'shoe' is not known; there are Sandal") and "no styles" in said[6]
    assert not (out / "f.png").exists()


@EXTRA
def test_the_folder_of_a_generator_of_points_writes_them_in_the_units_of_the_data(tmp_path: Path) -> None:
    generator, source = opened(tmp_path, "points")
    exporting.export(generator, source, "folder", tmp_path / "out")
    assert runs(tmp_path / "out" / "generator.onnx", generator, ["z"])["latents"] == "uniform"
    alone(tmp_path / "out", "--count 3 --out p.csv")
    rows = np.loadtxt(tmp_path / "out" / "p.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(rows, generator.sample(3).numpy() * 2.0 + [1.0, -1.0], atol=1e-4)


@pytest.mark.parametrize(("name", "what"), [("swift", "normal"), ("gan", "uniform"), ("infogan", "own")])
def test_latents_are_told_apart(name: str, what: str) -> None:
    made = recipes.find(name)(**recipes.header(name).presets["toy"])
    assert standalone.distribution(made) == what


def test_one_file_opens_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generator, source = opened(tmp_path, "cgan")
    assert main(["export", str(source), "--to", "safetensors", "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["difference"] is None and [Path(p).name for p in said["files"]] == ["generator.safetensors", "card.md"]
    monkeypatch.chdir(tmp_path / "out")
    assert torch.equal(load("generator.safetensors").sample(seeds=[4, 2]), generator.sample(seeds=[4, 2]))


def test_weights_go_back_under_the_keys_of_the_published_code(tmp_path: Path) -> None:
    generator, source = opened(tmp_path, "dcgan")
    exporting.export(generator, source, "pth", tmp_path / "out")
    read = torch.load(tmp_path / "out" / "generator.pth", weights_only=True)
    assert read.keys() == generator.nets["G"].state_dict().keys() and "main.0.weight" in read
    assert all(torch.equal(value, generator.nets["G"].state_dict()[key]) for key, value in read.items())
    with pytest.raises(InputError, match="no published system"):
        exporting.export(*opened(tmp_path, "points"), "pth", tmp_path / "other")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "tflite", "--out", "o"), "tflite"),
        (("--out", "o"), "--to"),
        (("--to", "safetensors", "--out", "trained.safetensors"), "is a file"),
        (("--to", "safetensors", "--out", "."), "would be overwritten"),
        (("--to", "torch", "--best", "--out", "o"), "is not a run"),
    ],
)
def test_bad_commands_end_with_2_and_a_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "trained.safetensors", "swift")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "trained.safetensors", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def run_folder(tmp_path: Path) -> Path:
    """A run with a record and two measurements of one figure."""
    saved(tmp_path / "generator.safetensors", "cgan")
    recipe = {"title": "A sentence.", "paper": "Somebody 2014", "conditional": True}
    record = {
        "recipe": recipe,
        "precision": "bf16",
        "created": "2026-01-02",
        "command": ["x", "train", "cgan"],
        "versions": {"torch": "2"},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    old = {
        "name": "frechet[net]",
        "value": 9.0,
        "better": "lower",
        "interval": [8.5, 9.5],
        "null": 0.5,
        "protocol": {"n_real": 1000},
    }
    others = [{"name": "copies[net]", "value": 0, "null": {"value": 0.25}}, {"name": "shares by class", "value": {"a": 1}}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(r) for r in (old, old | {"value": 3.25}, *others)))
    return tmp_path


def test_a_runs_card_says_what_its_files_say(tmp_path: Path) -> None:
    path = card.write(run_folder(tmp_path))
    text = path.read_text()
    assert path == tmp_path / "card.md" and text.startswith("# Model card: cgan on shoes\n")
    for fact in (
        "Somebody 2014",
        "12,345 real samples",
        "by class | yes",
        "CC0",
        "f" * 64,
        "Sandal (50.0%)",
        "tightrope train cgan",
    ):
        assert fact in text
    assert "| frechet[net] | lower | 3.25 | 8.5 to 9.5 | 0.5 | 1,000 real |" in text and " 9 |" not in text
    assert "| copies[net] |  | 0 |  | 0.25 |  |" in text and "shares by class" not in text
    assert "see copies and near-duplicates above" in text


def test_a_card_of_a_lone_file_invents_nothing(tmp_path: Path) -> None:
    generator, source = opened(tmp_path, "swift")
    exporting.export(generator, source, "safetensors", tmp_path / "out")
    text = (tmp_path / "out" / "card.md").read_text()
    assert "Radford" in text and "by class | no" in text  # from the recipe's own file
    assert "no measurement lies beside" in text and "date | not stated" in text and "not stated (not measured)" in text
    assert "Bag\\|pipe" in text  # a class's name opens no cell


def test_damaged_records_are_told(tmp_path: Path) -> None:
    (run_folder(tmp_path) / "metrics.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.jsonl: is damaged"):
        card.write(tmp_path)
