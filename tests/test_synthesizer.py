"""TableSynthesizer: fit a frame or a file, sample the same kind, save and load."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tightrope
from tightrope.core.errors import InputError
from tightrope.data import load

pandas = pytest.importorskip("pandas")

TINY: dict[str, Any] = {"width": 16, "d_width": 16, "z": 4, "batch": 20}
QUICK = tightrope.Options(judge=0, watch=False, care=False, guard="off", threads=1, precision="fp32")
N = 120


def frame() -> Any:
    random = np.random.default_rng(0)
    return pandas.DataFrame(
        {
            "age": random.integers(17, 90, N).astype(np.int32),
            "height": np.where(np.arange(N) % 7 == 0, np.nan, random.normal(1.7, 0.1, N).round(3)),
            "member": random.random(N) < 0.3,
            "town": pandas.Categorical(random.choice(["Rome", "Oslo"], N), categories=["Oslo", "Rome", "Bonn"], ordered=True),
            "rooms": pandas.Categorical(random.integers(1, 4, N)),
            "when": pandas.to_datetime("2014-05-02") + pandas.to_timedelta(random.integers(0, 900, N), "D"),
            "income": random.choice(["<=50K", ">50K"], N),
            "count": pandas.array([None if k % 5 == 0 else k % 60 for k in range(N)], dtype="Int64"),
        }
    )


def synthesizer(**said: Any) -> tightrope.TableSynthesizer:
    return tightrope.TableSynthesizer(**{"seen": 60, "options": QUICK, **TINY, **said})


@pytest.fixture(scope="module")
def fitted() -> tightrope.TableSynthesizer:
    return synthesizer().fit(frame())


def test_what_is_sampled_is_like_what_was_fitted(fitted: tightrope.TableSynthesizer) -> None:
    made, real = fitted.sample(500, seed=1), frame()
    assert type(made) is type(real) and made.dtypes.to_dict() == real.dtypes.to_dict() and len(made) == 500
    assert made["height"].isna().any() and made["count"].isna().any() and not made["age"].isna().any()
    assert set(made["town"].unique()) == {"Oslo", "Rome"} and set(made["rooms"].unique()) <= {1, 2, 3}
    assert made["member"].nunique() == 2 and made["when"].between("2014-05-02", "2016-12-31").all()
    assert made.equals(fitted.sample(500, seed=1)) and not made.equals(fitted.sample(500, seed=2))


def test_conditions_and_balance(fitted: tightrope.TableSynthesizer) -> None:
    made = fitted.sample(40, where={"income": ">50K", "member": True, "rooms": 2, "when": pandas.Timestamp("2015-01-01")})
    assert set(made["income"]) == {">50K"} and made["member"].all() and set(made["rooms"]) == {2}
    assert set(made["when"]) == {pandas.Timestamp("2015-01-01")}
    assert fitted.sample(41, balance="town")["town"].value_counts().to_dict() in (
        {"Rome": 21, "Oslo": 20, "Bonn": 0},
        {"Rome": 20, "Oslo": 21, "Bonn": 0},
    )
    assert fitted.sample(counts={"income=>50K": 3, "income=<=50K": 9})["income"].value_counts().to_dict() == {
        "<=50K": 9,
        ">50K": 3,
    }
    assert fitted.sample(5, where={"count": None})["count"].isna().all()


def test_saved_and_loaded_it_samples_the_same(fitted: tightrope.TableSynthesizer, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "people.safetensors")
    again = tightrope.TableSynthesizer.load(path)
    pandas.testing.assert_frame_equal(again.sample(30), fitted.sample(30))
    assert (again.recipe, again.fields["width"]) == ("tabular", 16)
    assert tightrope.load(path).spec.modality == "table"
    with pytest.raises(InputError, match="what was loaded has none"):
        _ = again.run


def test_a_temporary_run_goes_with_its_synthesizer_and_one_that_is_named_stays(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    frame().to_csv(path, index=False)
    other = synthesizer(schema=None)
    place = other.fit(path).run.path
    assert (place / "run.json").is_file()
    cells = other.sample(4)
    assert list(cells) == list(frame().columns) and all(isinstance(cell, str) for column in cells.values() for cell in column)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del other
    assert not place.exists()
    named = synthesizer(run=tmp_path / "kept").fit(load(f"table:{path}"))
    assert named.run.path == tmp_path / "kept" and set(named.sample(3)) == set(cells)
    assert tightrope.TableSynthesizer.load(tmp_path / "kept").sample(3) == named.sample(3)


def test_a_schema_is_a_dictionary_or_a_file(tmp_path: Path) -> None:
    rule = {"constraints": ["20 <= age <= 30", "unique(age, when)"]}
    made = synthesizer(schema=rule).fit(frame()).sample(300)
    assert made["age"].between(20, 30).all() and not made.duplicated(["age", "when"]).any()
    (tmp_path / "rules.toml").write_text('constraints = ["20 <= age <= 30"]')
    assert synthesizer(schema=tmp_path / "rules.toml").fit(frame()).sample(50)["age"].between(20, 30).all()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing is trained yet; call fit\(data\) first"):
        synthesizer().sample(3)
    with pytest.raises(InputError, match="there is no run; call fit first"):
        _ = synthesizer().run
    with pytest.raises(InputError, match="list is no table; give a pandas or polars frame"):
        synthesizer().fit([1, 2])
    with pytest.raises(InputError, match="no such file"):
        synthesizer().fit(tmp_path / "none.csv")


def test_a_polars_frame_comes_back_as_one() -> None:
    polars = pytest.importorskip("polars")
    real = polars.from_dict({name: frame()[name].tolist() for name in ("age", "member", "income", "when")})
    made = synthesizer().fit(real).sample(30, where={"member": True})
    assert made.schema == real.schema and made["member"].all() and made.height == 30
