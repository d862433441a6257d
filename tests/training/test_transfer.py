"""Runs that start from trained weights: what is taken, what starts fresh, what is held, what is said, and that they resume to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import tightrope
from tightrope import recipes, transfer
from tightrope.api import Options, Run, resume
from tightrope.cli.main import main
from tightrope.core.errors import InputError, Interrupted
from tightrope.core.spec import DataSpec
from tightrope.training import checkpoint, probe
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter
from toys import SHAPES, ToyDataset

SEEN = 40
QUIET: dict[str, Any] = {"judge": 0, "precision": "fp32", "watch": False, "care": False, "tick": 8, "device": "cpu"}


@pytest.fixture(autouse=True)
def _no_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE", 0.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


def pictures(place: Path, channels: int = 1, size: int = 16, classes: int = 2) -> Path:
    path = place / f"pictures-{channels}-{size}-{classes}.npz"
    dice = np.random.default_rng(channels)
    if not path.exists():
        images = dice.integers(0, 256, (60, size, size, channels), dtype=np.uint8)
        np.savez(path, images=images, labels=np.arange(60) % classes)
    return path


def train(place: Path, name: str, recipe: str = "swift", data: Path | None = None, **given: Any) -> Run:
    options = Options(**{**QUIET, **{key: given.pop(key) for key in list(given) if key in Options.__dataclass_fields__}})
    preset = given.pop("preset", "toy")
    return tightrope.train(
        recipe, data or pictures(place), preset=preset, run=place / name, seen=given.pop("seen", SEEN), options=options, **given
    )


@pytest.fixture(scope="module")
def source(place: Path) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "PATIENCE", 0.0)
        return train(place, "source")


def state(run: Run) -> dict[str, Tensor]:
    return checkpoint.newest(run.path / "checkpoints")[0]


def events(run: Run, *kinds: str) -> list[dict[str, Any]]:
    lines = (run.path / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] in kinds]


def told(run: Run) -> str:
    return "\n".join(event["message"] for event in events(run, "warning", "note"))


def start_of(start: Path, data: Path, recipe: str = "swift", freeze: int | None = None, **fields: Any) -> tuple[dict, Game]:
    """The record and the game of a run that would start there."""
    loaded = tightrope.data.load(data)
    built = recipes.build(recipe, loaded.spec, "toy", fields)
    record = transfer.plan(built, loaded.spec, Engine("cpu"), start, freeze, {})
    return record["start"], Game(built, loaded.spec, Engine("cpu"), 0, transfer.beginning(record, weights=True))


def equal(net: nn.Module, tensors: dict[str, Tensor], prefix: str) -> bool:
    return all(torch.equal(value, tensors[prefix + name]) for name, value in net.state_dict().items())


def test_a_run_gives_averaged_weights_to_g_and_its_average_and_its_d_to_d(source: Run, place: Path) -> None:
    record, game = start_of(source.path, pictures(place))
    trained = state(source)
    assert not equal(game.nets["G"], trained, "net/G/")
    for net in (game.nets["G"], game.average.nets["G"]):
        assert equal(net, trained, "average/G/")
    assert equal(game.nets["D"], trained, "net/D/")
    assert record["players"]["G"]["share"] == record["players"]["D"]["share"] == 1
    (file, sha256), *_ = record["files"].items()
    assert Path(file) == checkpoint.found(source.path / "checkpoints")[-1]
    assert len(sha256) == 64
    assert (record["facts"]["recipe"], record["facts"]["data_licence"]) == ("swift", "not stated")


def test_a_generator_or_a_run_without_checkpoints_gives_g_alone_and_that_is_said(source: Run, place: Path) -> None:
    run = train(place, "from-generator", start=source.path / "generator.safetensors", seen=8)
    assert run.record["start"]["players"]["D"]["taken"] == 0
    assert run.record["start"]["facts"]["recipe"] == "swift"
    assert "D starts fresh" in told(run)
    assert "100% of G's weights" in told(run)
    bare = place / "bare"
    bare.mkdir()
    for name in ("run.json", "generator.safetensors"):
        (bare / name).write_bytes((source.path / name).read_bytes())
    assert start_of(bare, pictures(place))[0]["players"]["G"]["share"] == 1


def test_a_damaged_checkpoint_is_passed_over_and_a_directory_of_them_serves(source: Run, place: Path) -> None:
    folder = place / "some"
    folder.mkdir()
    (folder / "seen-000000000008.safetensors").write_bytes(checkpoint.found(source.path / "checkpoints")[-1].read_bytes())
    (folder / "seen-000000000016.safetensors").write_bytes(b"broken")
    assert transfer.files_of(folder) == [folder / "seen-000000000008.safetensors"]
    assert equal(start_of(folder, pictures(place))[1].nets["D"], state(source), "net/D/")


def test_networks_of_an_import_are_taken_by_player_the_averaged_one_first(source: Run, place: Path) -> None:
    folder, trained = place / "imported", state(source)
    folder.mkdir()
    for stem, prefix in (("G_ema", "average/G/"), ("G", "net/G/"), ("D", "net/D/")):
        tensors = {name.removeprefix(prefix): value for name, value in trained.items() if name.startswith(prefix)}
        system = "dcgan-discriminator" if stem == "D" else "dcgan-generator"
        header = {"format": "tightrope-network-1", "system": system, "hints": "{}", "name": stem, "licence": "theirs"}
        save_file(tensors, folder / f"{stem}.safetensors", header)
    record, game = start_of(folder, pictures(place))
    assert equal(game.nets["G"], trained, "average/G/")
    assert equal(game.nets["D"], trained, "net/D/")
    assert record["facts"]["licence"] == "theirs"
    assert record["players"]["G"]["share"] == 1
    assert start_of(folder / "G_ema.safetensors", pictures(place))[0]["players"]["D"]["taken"] == 0


def test_grey_to_colour_starts_the_layers_of_colours_fresh(source: Run, place: Path) -> None:
    record, game = start_of(source.path, pictures(place, channels=3))
    players, trained = record["players"], state(source)
    assert list(players["D"]["fresh"]) == ["main.0.weight"]
    assert "(8, 1, 4, 4) there, (8, 3, 4, 4) here" in players["D"]["fresh"]["main.0.weight"]
    assert torch.equal(game.nets["D"].state_dict()["main.2.weight"], trained["net/D/main.2.weight"])
    assert list(players["G"]["fresh"]) == ["main.6.weight"]
    assert 0.5 < players["G"]["share"] < 1


def test_another_resolution_takes_the_layers_that_are_the_same(source: Run, place: Path) -> None:
    record, game = start_of(source.path, pictures(place, size=32))
    assert record["players"]["G"]["share"] > 0.5
    assert torch.equal(game.nets["G"].state_dict()["main.0.weight"], state(source)["average/G/main.0.weight"])


@pytest.fixture(scope="module")
def by_class(place: Path) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "PATIENCE", 0.0)
        return train(place, "by-class", "biggan", seen=8)


def test_another_number_of_classes_starts_what_depends_on_it_fresh(by_class: Run, place: Path) -> None:
    record, game = start_of(by_class.path, pictures(place, classes=5), "biggan")
    fresh = {player: found["fresh"] for player, found in record["players"].items()}
    assert list(fresh["G"]) == ["shared.weight"]
    assert {name.partition(".")[0] for name in fresh["D"]} == {"embed"}
    assert len(game.nets["G"].shared.weight) == 5  # type: ignore[arg-type, union-attr]
    assert record["players"]["G"]["share"] > 0.9


def test_with_classes_from_without_and_back(source: Run, place: Path) -> None:
    plain = train(place, "plain", "dcgan", seen=8, width=8)
    record, game = start_of(plain.path, pictures(place), "cgan", width=8)
    assert {player: list(found["fresh"]) for player, found in record["players"].items()} == {
        key: ["main.0.weight"] for key in "GD"
    }
    assert torch.equal(game.nets["G"].state_dict()["main.3.weight"], state(plain)["average/G/main.3.weight"])
    classed = train(place, "classed", "cgan", seen=8, width=8)
    assert start_of(classed.path, pictures(place), "dcgan", width=8)[0]["players"]["G"]["share"] > 0.5


def test_blocks_named_by_resolution_go_on_at_another_and_with_classes(place: Path) -> None:
    spec, engine = ToyDataset((1, 16, 16)).spec, Engine("cpu")
    built = recipes.find("stylegan2")(**recipes.header("stylegan2").resolve("toy", {}))
    trained = Game(built, spec, engine, 0).tensors()
    small = checkpoint.save(place / "small", trained, {"seen": 0})
    record, game = start_of(small, pictures(place, 3, 32, 3), "stylegan2", conditional=True, width=2)  # as wide at 16 px
    fresh = {player: found["fresh"] for player, found in record["players"].items()}
    for player, name in (("G", "synthesis.b8.conv0.weight"), ("G", "mapping.fc1.weight"), ("D", "b16.conv0.weight")):
        kept = trained[f"{'average' if player == 'G' else 'net'}/{player}/{name}"]
        assert torch.equal(game.nets[player].state_dict()[name], kept), name
    assert {"mapping.embed.weight", "mapping.fc0.weight", "synthesis.b8.torgb.weight"} <= fresh["G"].keys()
    assert {"b4.out.weight", "b32.fromrgb.weight"} <= fresh["D"].keys()
    assert "paths" not in record["players"]  # a mean of past lengths belongs to the data that it was measured on


@pytest.mark.parametrize(
    ("start", "options", "sentence"),
    [
        ("source", {"width": 64}, "only .*% of the generator's weights fit"),
        ("nowhere", {}, "no such file"),
        ("empty", {}, "holds no checkpoint"),
        ("pickle.pth", {}, "tightrope import"),
        ("other.safetensors", {}, "names no generator, checkpoint or network"),
        ("nan.safetensors", {}, "not finite"),
        ("source", {"freeze": 9}, "D has 3 layers or blocks"),
        ("source", {"freeze": 3}, "one at least must learn"),
        ("source/generator.safetensors", {"freeze": 1}, "held untrained"),
    ],
)
def test_what_cannot_serve_is_refused_in_a_sentence(
    start: str, options: dict[str, Any], sentence: str, source: Run, place: Path
) -> None:
    (place / "empty").mkdir(exist_ok=True)
    (place / "pickle.pth").write_bytes(b"\x80\x02c")
    save_file({"x": torch.zeros(1)}, place / "other.safetensors")
    save_file({"x": torch.tensor([torch.nan])}, place / "nan.safetensors", {"format": "tightrope-network-1", "name": "G"})
    with pytest.raises(InputError, match=sentence):
        train(place, "refused", start=place / start, **options)
    assert not (place / "refused").exists()


def test_holding_needs_trained_weights_and_a_number_above_zero() -> None:
    with pytest.raises(InputError, match="--from"):
        Options(freeze=1)
    with pytest.raises(InputError, match="at least 1"):
        Options(start="x", freeze=0)


def rounds(game: Game, count: int = 4) -> None:
    feed = Feed(game.recipe, ToyDataset(game.spec.shape, modality=game.spec.modality), game.engine, 0)

    class Rounds(Budget):
        def done(self, seen: int) -> bool:
            return game.round >= count

    play(game, feed, Rounds(seen=10_000), Meter(), lambda knobs: None)


CASES = [(name, modality) for name in recipes.names() for modality in recipes.header(name).modalities]


@pytest.mark.parametrize(("name", "modality"), CASES, ids=[f"{name}-{modality}" for name, modality in CASES])
def test_the_first_layers_are_held_to_the_bit_and_all_others_move_as_before(name: str, modality: str) -> None:
    recipe = recipes.find(name)(**recipes.header(name).resolve("toy", {}))
    spec: DataSpec = ToyDataset(SHAPES[modality], modality=modality).spec
    free = Game(recipe, spec, Engine("cpu"), 0)
    if "D" not in free.nets:
        pytest.skip("no player is called D")
    groups = transfer.layers(Game(recipe, spec, Engine("cpu"), 0))
    assert len(groups) > 1
    names = groups[0]
    held = Game(recipe, spec, Engine("cpu"), 0, lambda nets: transfer.hold(nets, names))
    weights = [name for name, _ in free.nets["D"].named_parameters()]
    kept = {w for w in weights if w.startswith(tuple(f"{part}." for part in names))}
    assert kept
    assert {name for name, _ in held.nets["D"].named_parameters()} == set(weights) - kept
    assert free.tensors().keys() - held.tensors().keys() == set()
    before = {w: v.clone() for w, v in held.nets["D"].state_dict().items()}
    for game in (free, held):
        rounds(game)
    moved = [{w for w in weights if not torch.equal(before[w], game.nets["D"].state_dict()[w])} for game in (free, held)]
    assert moved[1] == moved[0] - kept
    assert moved[1]


def test_layers_are_counted_from_the_image_with_the_gains_and_biases_behind_them() -> None:
    def groups(name: str) -> list[list[str]]:
        recipe = recipes.find(name)(**recipes.header(name).resolve("toy", {}))
        return transfer.layers(Game(recipe, ToyDataset(SHAPES["images"]).spec, Engine("cpu"), 0))

    assert groups("dcgan") == [["main.0"], ["main.2", "main.3"], ["main.5"]]
    assert groups("r3gan") == [["from_image"], ["stages.0.0"], ["stages.1.0"], ["stages.2.0"], ["basis"], ["head"]]
    assert groups("progressive")[:2] == [["from_rgb.0.0"], ["layers.0"]]


def stopped(place: Path, name: str, **given: Any) -> Run:
    """A run interrupted in its middle."""

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "tick" and event["seen"] >= SEEN // 2:
            import signal

            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(place, name, listeners=(stop,), **given)
    return Run(place / name)


def test_a_run_goes_on_to_the_bit_without_its_source(source: Run, place: Path) -> None:
    lent = place / "lent.safetensors"
    lent.write_bytes(checkpoint.found(source.path / "checkpoints")[-1].read_bytes())
    straight = train(place, "straight", start=lent, freeze=1)
    broken = stopped(place, "broken", start=lent, freeze=1)
    lent.unlink()
    resume(broken.path, options=Options(device="cpu"))
    ours, theirs = state(straight), state(broken)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert torch.equal(ours["net/D/main.0.weight"], state(source)["net/D/main.0.weight"])
    assert not torch.equal(ours["net/D/main.2.weight"], state(source)["net/D/main.2.weight"])
    learning = {name.split("/")[2] for name in ours if name.startswith("optimizer/D/")}
    assert len(learning) == sum(name.startswith("net/D/") for name in ours) - 2  # a kernel and its bias
    train(place, "broken", start=lent, freeze=1)  # the same command again is at its end
    for other in ({"start": lent}, {"start": place, "freeze": 1}, {}):
        with pytest.raises(InputError, match="another start"):
            train(place, "broken", **other, **({} if "start" in other else FIELDS))


FIELDS: dict[str, Any] = {
    "augmentation": "ada",
    "augment_target": 0.6,
    "augment_images": 100_000.0,
}  # so that only the start differs


def test_before_the_first_checkpoint_the_source_has_to_be_what_it_was(source: Run, place: Path) -> None:
    lent = place / "lent-too.safetensors"
    lent.write_bytes((source.path / "generator.safetensors").read_bytes())
    run = train(place, "early", start=lent, seen=8)
    for file in checkpoint.found(run.path / "checkpoints"):
        file.unlink()
    once = load_file(run.path / "generator.safetensors")
    resume(run.path)
    again = load_file(run.path / "generator.safetensors")
    assert all(torch.equal(once[name], again[name]) for name in once)
    for file in checkpoint.found(run.path / "checkpoints"):
        file.unlink()
    lent.write_bytes((run.path / "generator.safetensors").read_bytes())
    with pytest.raises(InputError, match="has changed since"):
        resume(run.path)
    lent.unlink()
    with pytest.raises(InputError, match="is gone"):
        resume(run.path)


def test_few_images_are_augmented_adaptively_unless_the_user_says_how(source: Run, place: Path) -> None:
    run = train(place, "few", start=source.path, seen=8)
    fields = run.record["recipe"]["fields"]
    assert (fields["augmentation"], fields["augment"], fields["augment_target"], fields["augment_images"]) == ("ada", 0, 0.6, 1e5)
    assert run.record["start"]["augmentation"] == transfer.ADA
    assert "adaptive augmentation is on" in told(run)
    assert "net/steering/p" in state(run)

    def chosen(recipe: str = "swift", preset: str | None = None, start: str | None = "x", count: int = 60, **fields: Any) -> dict:
        spec = DataSpec(modality="images", shape=(1, 16, 16), classes=(), count=count)
        return transfer.few(start, recipes.header(recipe), preset, fields, spec)

    assert chosen() == transfer.ADA
    assert chosen(augment_images=5e4) == {name: value for name, value in transfer.ADA.items() if name != "augment_images"}
    for left in ({"augment": 0.5}, {"augmentation": "apa"}, {"augment_target": 0}, {"count": 10_000}, {"start": None}):
        assert chosen(**left) == {}, left
    assert chosen(preset="images-few") == {}
    assert chosen("dcgan") == {}


def test_the_command_line_has_both(source: Run, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "train",
        "swift",
        str(pictures(place)),
        "--run",
        str(place / "cli"),
        "--seen",
        "8",
        "--preset",
        "toy",
        "--judge",
        "0",
    ]
    words += ["--precision", "fp32", "--no-watch", "--no-care", "--from", str(source.path), "--freeze", "1"]
    assert main(words) == 0
    shown = capsys.readouterr().err.replace("\n", " ")
    assert "held in D: main.0" in shown
    assert "adaptive augmentation is on" in shown
    assert Run(place / "cli").record["start"]["frozen"] == ["main.0"]
    assert main(["train", "swift", str(pictures(place)), "--freeze", "1"]) == 2
