"""Steering: spaces and what lies between places, mixing, walks, films, directions found with and without labels, their files."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import levels
import styles
from tightrope import recipes
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.explore import attributes, contact, directions, entries, mixing, movies, spaces, unlabelled, walks
from tightrope.explore.generator import Generator
from tightrope.explore.spaces import Places, Space

NAMES = ("dark", "bright")
SEEDS = list(range(400))


def generator(recipe: object, side: int = styles.SIDE, classes: tuple[str, ...] = NAMES) -> Generator:
    torch.manual_seed(0)
    spec = DataSpec(modality="images", shape=(1, side, side), classes=classes, shares=(1 / len(classes),) * len(classes))
    net = recipe.networks(spec)["G"]  # type: ignore[attr-defined]
    return Generator(recipe, spec, {f"G/{k}": v for k, v in net.state_dict().items()}, {"recipe": "toy.py"})  # type: ignore[arg-type]


def plain(name: str, side: int = 16, **fields: float) -> Generator:
    """A recipe of the package, as small as its toy."""
    cls = recipes.find(name)
    return generator(cls(**{**cls.PRESETS["toy"], **fields}), side)


@pytest.fixture(scope="module")
def halves() -> Generator:
    return generator(styles.Toy())


@pytest.fixture(scope="module")
def by_class() -> Generator:
    return generator(styles.Toy(by_class=True))


def test_a_place_in_w_is_decoded_as_the_recipe_samples_it(halves: Generator, by_class: Generator) -> None:
    for made in (halves, by_class):
        space = spaces.of(made, "w")
        assert (space.parts, space.layers, space.width) == (styles.LAYERS, styles.LAYERS, styles.W)
        assert torch.allclose(space.decode(space.draw([3, 4])), made.sample(seeds=[3, 4]), atol=1e-6)
        assert torch.equal(spaces.of(made, "z").decode(spaces.of(made, "z").draw([3])), made.sample(seeds=[3]))
    dark, bright = (spaces.of(by_class, "w").draw([3], name).at for name in NAMES)
    assert not torch.allclose(dark, bright)


def test_psi_brings_styles_to_their_mean_before_the_cutoff(halves: Generator) -> None:
    free, near = (spaces.of(halves, "w", psi=psi, cutoff=2).draw([5]).at[0] for psi in (1.0, 0.0))
    assert torch.allclose(near[:2], torch.full((2, styles.W), 0.25)) and torch.equal(near[2:], free[2:])
    z = spaces.of(halves, "z", psi=0.5)
    w = spaces.of(halves, "w", psi=0.5)
    assert torch.allclose(z.decode(z.draw([5])), w.decode(w.draw([5])), atol=1e-6)
    assert not torch.allclose(z.decode(z.draw([5])), halves.sample(seeds=[5]), atol=1e-3)


def test_spaces_that_are_not_there_are_refused(halves: Generator) -> None:
    swift = plain("swift")
    for asked, said in (({"name": "w"}, "no styles"), ({"psi": 0.7}, "--truncation"), ({"name": "q"}, "there are z")):
        with pytest.raises(InputError, match=said):
            spaces.of(swift, **asked)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at most 4"):
        spaces.of(halves, "w", cutoff=5)
    with pytest.raises(InputError, match="layers 0 to 3"):
        spaces.of(halves, "w").mask([1, 4])


def test_ways_are_arcs_in_z_and_straight_in_w(halves: Generator) -> None:
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    t = torch.tensor([0.0, 0.5, 1.0])
    arc = spaces.of(halves, "z").between(a, b, t)[:, 0]
    assert torch.allclose(arc.norm(dim=1), torch.full((3,), 3.0), atol=1e-6) and torch.allclose(
        arc[1], torch.tensor([1.0, 1]) * 3 / 2**0.5
    )
    line = spaces.of(halves, "w").between(a, b, t)[:, 0]
    assert torch.allclose(line[1], torch.tensor([1.5, 1.5])) and torch.equal(line[2], b[0])
    assert torch.equal(spaces.of(halves, "z").between(a, a, t), a.expand(3, 1, 2))


def test_a_latent_that_enters_layer_by_layer_has_layers() -> None:
    made = plain("biggan", z=9)
    space, shares = spaces.of(made), made.nets["G"].shares
    assert [int(group.sum()) for group in space.groups] == shares and torch.stack(space.groups).sum(0).eq(1).all()  # type: ignore[attr-defined]
    rows, columns = space.draw([0, 1], "dark"), space.draw([2, 3, 4], "bright")
    mixed = mixing.matrix(space, rows, columns, [1])
    first = shares[0]
    assert torch.equal(mixed.at[4, 0, :first], rows.at[1, 0, :first]) and mixed.labels.tolist() == [0] * 6  # type: ignore[union-attr]
    assert torch.equal(mixed.at[4, 0, first : first + shares[1]], columns.at[1, 0, first : first + shares[1]])
    assert spaces.of(plain("dcgan")).layers == 1


def test_a_matrix_has_the_rows_styles_but_for_the_chosen_layers(halves: Generator) -> None:
    space = spaces.of(halves, "w")
    rows, columns = space.draw([0, 1]), space.draw([2, 3, 4])
    mixed = mixing.matrix(space, rows, columns, [2, 3]).at.unflatten(0, (2, 3))
    assert torch.equal(mixed[1, 2, :2], rows.at[1, :2]) and torch.equal(mixed[1, 2, 2:], columns.at[2, 2:])
    whole = mixing.matrix(space, rows, columns, range(4)).at.unflatten(0, (2, 3))
    assert torch.equal(whole[0], columns.at) and torch.equal(whole[1], columns.at)
    with pytest.raises(InputError, match="one layer"):
        mixing.matrix(spaces.of(halves, "z"), *(spaces.of(halves, "z").draw([i]) for i in (0, 1)), [0])


@pytest.mark.parametrize("name", ["z", "w"])
def test_a_walk_passes_its_stops_and_comes_back(by_class: Generator, name: str) -> None:
    space = spaces.of(by_class, name)
    stops = space.draw([1, 2, 3], ["dark", "bright", "dark"])
    path = list(walks.walk(space, stops, 4))
    assert len(path) == walks.length(3, 4) == 12
    for i in range(3):
        assert torch.allclose(path[4 * i].at, stops.at[i : i + 1], atol=1e-5)
    assert path[2].labels.tolist() == [[0.5, 0.5]]  # type: ignore[union-attr]
    there = list(walks.walk(space, stops, 4, closed=False))
    assert len(there) == walks.length(3, 4, closed=False) == 9 and torch.equal(there[-1].at, stops.at[2:])
    frames = list(walks.decoded(space, iter(there)))
    assert len(frames) == 9 and torch.allclose(frames[0], space.decode(stops[:1]), atol=1e-5)
    abreast = list(walks.abreast(space, stops, 2, cells=2))
    assert torch.allclose(abreast[0].at, stops.at[:1]) and torch.allclose(abreast[1].at, stops.at[1:2])


def test_a_walk_decodes_only_what_is_looked_at(halves: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    space = spaces.of(halves, "w")
    asked: list[int] = []
    decode = space.decode

    def counting(places: Places) -> Tensor:
        asked.append(len(places))
        return decode(places)

    monkeypatch.setattr(space, "decode", counting)
    frames = walks.decoded(space, walks.walk(space, space.draw([0, 1]), 1_000))
    next(frames)
    assert asked == [walks.FRAMES]


def shades(count: int, alive: list[int] | None = None) -> Iterator[np.ndarray]:
    """Frames, and how many of them are held at a time."""
    held: list[weakref.ref[np.ndarray]] = []
    for i in range(count):
        frame = np.full((17, 33, 3), i * 10 % 256, np.uint8)
        frame[:, : i + 1, 0] = 200
        held.append(weakref.ref(frame))
        if alive is not None:
            alive.append(sum(ref() is not None for ref in held))
        yield frame


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_films_have_their_frames_and_hold_few_of_them(tmp_path: Path, kind: str) -> None:
    if kind == "mp4":
        pytest.importorskip("av")
    path, alive = tmp_path / f"f.{kind}", list[int]()
    movies.write(path, shades(40, alive), count=40, rate=20)
    assert max(alive) <= 4
    wanted = list(shades(40))
    if kind == "mp4":
        import av

        with av.open(str(path)) as file:
            got = [frame.to_ndarray(format="rgb24")[:17, :33] for frame in file.decode(video=0)]
    else:
        with Image.open(path) as film:
            assert film.info["loop"] == 0
            got = []
            for i in range(film.n_frames):
                film.seek(i)
                got.append(np.asarray(film.convert("RGB")))
    assert len(got) == 40
    near = [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(got, wanted, strict=True)]
    assert max(near) < (1 if kind == "gif" else 12)


def test_grey_gifs_are_exact(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, 2)
    movies.write(tmp_path / "g.gif", iter([grey, grey[::-1]]), count=2)
    with Image.open(tmp_path / "g.gif") as film:
        film.seek(1)
        assert np.array_equal(np.asarray(film.convert("RGB")), grey[::-1])


def test_films_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="films are gif"):
        movies.require("avi")
    with pytest.raises(InputError, match="5 frames were announced and 3 came"):
        movies.write(tmp_path / "a.gif", shades(3), count=5)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"tightrope\[video\]"):
        movies.require("mp4")


def same_line(a: Tensor, b: Tensor) -> float:
    return torch.cosine_similarity(a, b, dim=0).abs().item()


def test_sefa_is_the_closed_form_of_the_first_layer() -> None:
    made = plain("dcgan", z=10)
    found = unlabelled.sefa(spaces.of(made), 4)
    a = made.nets["G"].main[0].weight.flatten(1).T  # type: ignore[union-attr,index]
    _, _, v = torch.linalg.svd(a, full_matrices=False)
    assert all(same_line(d.vector, v[k]) > 0.999 for k, d in enumerate(found))
    assert all(d.unit == pytest.approx(1, abs=0.1) for d in found)
    assert [d.facts["share"] for d in found] == sorted((d.facts["share"] for d in found), reverse=True)


def test_sefa_takes_the_affine_maps_of_the_chosen_layers(halves: Generator) -> None:
    space = spaces.of(halves, "w")
    maps = [layer.affine.weight for layer in halves.nets["G"].synthesis.layers]  # type: ignore[union-attr]
    for chosen in ([1], [0, 3], None):
        whole = torch.cat([maps[i] for i in (range(4) if chosen is None else chosen)])
        wanted = torch.linalg.svd(whole).Vh[0]
        (found,) = unlabelled.sefa(space, 1, chosen)
        assert same_line(found.vector, wanted) > 0.999
        there = space.draw([0])
        by = found.move(space, there, 1.0).at - there.at
        assert by[0].abs().sum(1).gt(0).tolist() == [chosen is None or i in chosen for i in range(4)]


def test_sefa_reads_the_layer_behind_a_normalisation(halves: Generator) -> None:
    (found,) = unlabelled.sefa(spaces.of(halves, "z"), 1)
    wanted = torch.linalg.svd(halves.nets["G"].mapping.fc.weight).Vh[0]  # type: ignore[union-attr]
    assert same_line(found.vector, wanted) > 0.9


def test_what_takes_a_place_is_found_in_every_family() -> None:
    for name in ("gan", "dcgan", "cgan", "biggan", "sngan", "progressive", "r3gan", "wgan_gp", "stylegan2"):
        space = spaces.of(plain(name))
        by = torch.zeros(space.width, requires_grad=True)
        entered = entries.find(space, space.draw([0]), by, space.mask(None))
        assert entered and all(entry.responses(entry.slopes(by)) is not None for entry in entered), name
        assert len(unlabelled.sefa(space, 2)) == len(unlabelled.ganspace(space, 2)) == 2, name


def test_a_published_generators_affine_maps_are_what_its_styles_enter() -> None:
    made = plain("stylegan2")
    space, net = spaces.of(made, "w"), made.nets["G"]
    by = torch.zeros(space.width, requires_grad=True)
    entered = entries.find(space, space.draw([0]), by, space.mask(None))
    wanted = {id(module) for name, module in net.named_modules() if name.endswith("affine")}
    assert {id(entry.module) for entry in entered} == wanted
    assert torch.allclose(space.decode(space.draw([1])), made.sample(seeds=[1]), atol=1e-5)


def test_a_generator_without_a_linear_layer_of_its_own_says_so() -> None:
    (found,) = unlabelled.sefa(spaces.of(generator(levels.Levels())), 1)  # one matrix takes the latent: that is a linear layer
    assert found.vector.shape == (4,)
    with pytest.raises(InputError, match="try sefa"):
        unlabelled.ganspace(spaces.of(generator(levels.Levels())), 1)
    with pytest.raises(InputError, match="ask for 1 to 4"):
        unlabelled.sefa(spaces.of(generator(levels.Levels())), 5)


def test_ganspace_is_the_principal_components_of_w(halves: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlabelled, "SAMPLES_W", 500)
    space = spaces.of(halves, "w")
    at = directions.flat(space.draw(list(range(500))))
    wanted = torch.linalg.svd(at - at.mean(0), full_matrices=False)
    found = unlabelled.ganspace(space, 3)
    assert all(same_line(d.vector, wanted.Vh[k]) > 0.999 for k, d in enumerate(found))


def test_ganspace_in_z_moves_the_first_activations_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlabelled, "SAMPLES", 500)
    space = spaces.of(plain("dcgan", z=20))
    drawn = space.draw(SEEDS[:100])

    def moved(direction: directions.Direction) -> float:
        return (
            (unlabelled.activations(space, direction.move(space, drawn, 2.0)) - unlabelled.activations(space, drawn))
            .norm()
            .item()
        )

    best = moved(unlabelled.ganspace(space, 1)[0])
    assert best > 1.1 * max(moved(directions.random(space, seed, drawn)) for seed in range(5))


def planted(space: Space, count: int = 400) -> tuple[Places, Tensor, Tensor]:
    """Places, an axis and their coordinates along it."""
    drawn = space.draw(list(range(count)))
    axis = torch.nn.functional.normalize(torch.randn(space.width, generator=torch.Generator().manual_seed(1)), dim=0)
    return drawn, axis, directions.flat(drawn) @ axis


def test_an_attribute_is_found_from_labels_and_from_numbers() -> None:
    space = spaces.of(plain("dcgan", z=12))
    drawn, axis, along = planted(space)
    number = attributes.learnt(space, drawn, 3 * along + 1, name="n")
    assert number.vector @ axis > 0.999 and number.facts["held-out correlation"] > 0.99
    yes = attributes.learnt(space, drawn, (along > 0.5).float(), name="y")
    assert yes.vector @ axis > 0.95 and yes.facts["held-out accuracy"] > 0.9 > yes.facts["of the larger class"]
    few = attributes.learnt(space, drawn[:40], (along[:40] > 0).float(), name="few")
    assert few.vector @ axis > 0.7 and few.facts["samples"] == 40
    assert number.unit == pytest.approx(along.std().item(), rel=0.02)  # strength 1 is one standard deviation


def test_what_cannot_be_told_is_not_claimed() -> None:
    space = spaces.of(plain("dcgan", z=12))
    drawn, _, along = planted(space)
    coin = (torch.rand(len(along), generator=torch.Generator().manual_seed(2)) < 0.5).float()
    assert attributes.learnt(space, drawn, coin, name="coin").facts["held-out accuracy"] < 0.6
    some = torch.where(torch.arange(len(along)) < 100, (along > 0).float(), torch.nan)
    assert attributes.learnt(space, drawn, some, name="some").facts["samples"] == 100
    with pytest.raises(InputError, match="at least 5"):
        attributes.learnt(space, drawn, (torch.arange(len(along)) < 3).float(), name="rare")
    with pytest.raises(InputError, match="one a place"):
        attributes.learnt(space, drawn, along[:5], name="short")


def test_directions_keep_what_they_should_leave_alone() -> None:
    space = spaces.of(plain("dcgan", z=12))
    drawn, axis, along = planted(space)
    other = torch.nn.functional.normalize(torch.randn(12, generator=torch.Generator().manual_seed(3)) + axis, dim=0)
    aside = attributes.learnt(space, drawn, directions.flat(drawn) @ other, name="aside")
    kept = attributes.learnt(space, drawn, along, name="kept", keep=[aside])
    assert abs(kept.vector @ aside.vector) < 1e-5 and kept.vector @ axis > 0.3
    with pytest.raises(InputError, match="lies among"):
        attributes.learnt(space, drawn, along, name="same", keep=[attributes.learnt(space, drawn, along, name="n")])
    rest = torch.stack([directions.flat(drawn) @ other * 5, along], 1)  # features that grow along `other` five times as fast
    steady = attributes.learnt(space, drawn, along, name="steady", rest=rest)
    assert abs(steady.vector @ other) < 0.5 * abs(axis @ other) and steady.vector @ axis > 0.3


def test_a_users_classifier_and_measures_are_asked_about_samples(halves: Generator) -> None:
    space = spaces.of(halves, "w")
    found = attributes.attribute(space, SEEDS, lambda x: x[:, 0, 0, 0] > 0, name="corner", layers=[0, 1])
    there = space.draw(SEEDS[:50])
    before, after = (space.decode(p)[:, 0, 0, 0] for p in (there, found.move(space, there, 2.0)))
    assert found.layers == (0, 1) and (after > before).all()
    by_brightness = attributes.attribute(space, SEEDS, attributes.brightness, name="b")
    assert (
        attributes.brightness(space.decode(by_brightness.move(space, there, 2.0)))
        .gt(attributes.brightness(space.decode(there)))
        .all()
    )


def test_measures_say_what_they_are_called() -> None:
    picture = torch.full((1, 3, 8, 8), -1.0)
    picture[:, 0, 2:6, 2:6] = 1.0
    assert attributes.size(picture).item() == 0.25
    assert attributes.warmth(picture).item() == attributes.saturation(picture).item() == pytest.approx(0.5)
    for measure in (attributes.warmth, attributes.saturation):
        with pytest.raises(InputError, match="grey"):
            measure(picture[:, :1])
    seen = attributes.of_classes(torch.eye(3), 0, 2)
    assert seen[0] == 1 and seen[1].isnan() and seen[2] == 0


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [
        ("a.csv", "seed,smile\n3,1\n4,0\n", "smile"),
        ("a.csv", "3,1\n4,0\n", "a"),
        ("a.csv", "seed,label\n3,yes\n4,no\n", "yes"),
        ("a.json", '{"3": 1, "4": 0}', "a"),
        ("a.json", '[{"seed": 3, "label": "yes"}, {"seed": 4, "label": "no"}]', "yes"),
    ],
)
def test_labels_are_read_from_tables(tmp_path: Path, name: str, text: str, called: str) -> None:
    (tmp_path / name).write_text(text)
    seeds, values, attribute = attributes.read_labels(tmp_path / name)
    assert seeds == [3, 4] and values.tolist() == [1, 0] and attribute == called


@pytest.mark.parametrize(
    ("text", "said"), [("3\n", "table of seeds"), ("3,a\n4,b\n5,c\n", "two words"), ("3,1\n3,0\n", "stands there twice")]
)
def test_tables_that_are_wrong_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        attributes.read_labels(tmp_path / "a.csv")
    with pytest.raises(InputError, match="no such file"):
        attributes.read_labels(tmp_path / "b.csv")


def test_directions_come_back_from_their_file(halves: Generator, tmp_path: Path) -> None:
    space, path = spaces.of(halves, "w"), tmp_path / "d.safetensors"
    found = unlabelled.sefa(space, 3, [1, 2])
    directions.save(path, found, space)
    again = directions.load(path, space)
    assert [(d.name, d.unit, d.layers, d.facts) for d in again] == [(d.name, d.unit, d.layers, d.facts) for d in found]
    assert all(torch.equal(a.vector, b.vector) for a, b in zip(again, found, strict=True))
    assert directions.space_of(path) == "w" and not directions.foreign(path, space)
    assert directions.foreign(path, spaces.of(generator(styles.Toy(by_class=True)), "w"))
    ((one, strength), (other, back)) = directions.moves([f"{path}#1:2.5", f"{path}#sefa 2:-1"], space)
    assert (one.name, strength, other.name, back) == ("sefa 1", 2.5, "sefa 2", -1.0)
    there = space.draw([0])
    both = directions.moved(space, there, [(one, 2.5), (one, -2.5)])
    assert torch.allclose(both.at, there.at, atol=1e-6)
    for word, said in (
        (f"{path}:1", "several"),
        (f"{path}#7:1", "no direction '7'"),
        (f"{path}#1", "strength"),
        ("x:1", "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            directions.moves([word], space)
    with pytest.raises(InputError, match="space w of width 5"):
        directions.load(path, spaces.of(halves, "z"))
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a file of directions"):
        directions.load(path, space)


def test_a_sheet_has_a_row_a_direction_and_the_untouched_sample_in_the_middle(halves: Generator) -> None:
    from tightrope.data import Images

    space, modality = spaces.of(halves, "w"), Images()
    there = space.draw([0])
    sheet = contact.sliders(space, modality, [(d.name, d, there) for d in unlabelled.sefa(space, 2)])
    alone = movies.enlarged(modality.grid(space.decode(there[[0] * 7]), 7), contact.LEGIBLE // styles.SIDE)
    height, width = alone.shape[:2]
    assert sheet.shape[0] > 2 * height - 20 and sheet.shape[1] > width
    cell = contact.LEGIBLE
    left, top = sheet.shape[1] - width, sheet.shape[0] - (2 * height - 16)
    middle = sheet[top + 16 : top + 16 + cell, left + 16 + 3 * (cell + 16) : left + 16 + 3 * (cell + 16) + cell]
    assert np.array_equal(middle, alone[16 : 16 + cell, 16 : 16 + cell])
