"""The diagram of a phase, as a picture and as text."""

from __future__ import annotations

import dataclasses
import itertools
from xml.etree import ElementTree

import pytest

from tightrope.report.described import Call, Costs, Description, Move, Term
from tightrope.report.diagram import svg
from tightrope.report.flow import flow, heights
from tightrope.report.recipe_tables import aligned, flops, markdown, size
from tightrope.report.sketch import ordinal, picture, sketch


def call(player: str, *inputs: str | int, role: str = "frozen", output: str = "") -> Call:
    return Call(player=player, role=role, inputs=inputs, output=output, kept=False, since=None)


def move(calls: tuple[Call, ...], terms: tuple[Term, ...], **changes: object) -> Move:
    plain = Move(
        name="D", moves=("D",), repeat=1, most=1, mean=1.0, every=1, fresh=True, clock=True, constrained=False, calls=calls,
        terms=terms, signals=(), flops=1e9, kept=1e6,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def term(name: str, *inputs: str, calls: tuple[int, ...] = (1,), every: int = 1) -> Term:
    return Term(name=name, inputs=inputs, calls=calls, every=every)


USUAL = move(
    (call("G", "latent", output="fake"), call("D", "real", 0, role="learns")),
    (term("adversarial", "real", "fake"), term("r1", "real", every=16)),
)
DEEP = move(  # what goes through G comes back through F, and a class goes everywhere
    (call("G", "real", "class", role="learns"), call("F", 0, "class", role="passes"), call("D", 0, "class", role="passes")),
    (term("adversarial", "real", calls=(2,)), term("cycle <&>", "real", calls=(1,))),
)


def described(*moves: Move) -> Description:
    costs = Costs(sample=1, seen=2, batch=4, weights=1, average=1, gradients=1, states=1, activation=1, activations=4)
    return Description(
        name="a<b", sentence="One & all.", paper="", run="", expect="", modalities=("images",), conditional=False,
        modality="images", shape=(1, 8, 8), classes=0, grown=False, preset=None, fields=(), presets={}, networks=(), moves=moves, costs=costs,
    )  # fmt: skip


@pytest.mark.parametrize("one", [USUAL, DEEP])
def test_edges_go_to_the_next_column_and_nothing_overlaps(one: Move) -> None:
    laid = flow(one)
    assert all(edge.end.column == edge.start.column + 1 for edge in laid.edges)
    y = heights(laid, lambda node: 3.0, 1.0)
    for column in laid.columns:
        assert all(abs(y[a] - y[b]) >= 3.99 for a, b in itertools.combinations(column, 2))
    assert min(y.values()) == pytest.approx(1.5)


def test_the_picture_is_well_formed_and_says_everything() -> None:
    text = svg(described(USUAL, DEEP))
    root = ElementTree.fromstring(text)
    words = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {
        "a<b",
        "One & all.",
        "phase D",
        "G",
        "F",
        "D",
        "learns",
        "adversarial",
        "cycle <&>",
        "every 16th round",
        "real",
    } <= words
    assert "prefers-color-scheme:dark" in text
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_text_joins_lines_and_names_what_they_carry() -> None:
    lines = picture(USUAL)
    assert any("┐ fake" in line for line in lines)
    assert any("├─> │ learns │" in line for line in lines)
    assert any(line.endswith("r1            real   every 16th round") for line in lines)
    assert sketch(dataclasses.replace(USUAL, repeat=5, most=100)).startswith(
        "D   5 times a round, 100 in some; on a fresh batch;"
    )


def test_words() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 16, 21)] == ["1st", "2nd", "3rd", "4th", "11th", "12th", "16th", "21st"]
    assert [flops(n) for n in (8, 8192, 3.49e7, 9.996e11, None)] == ["8 FLOP", "8.19 kFLOP", "34.9 MFLOP", "1 TFLOP", ""]
    assert size(6.81e7) == "68.1 MB"
    rows = [["layer", "parameters"], ["a|b", "10"]]
    assert aligned(rows) == ["  layer  parameters", "  a|b            10"]
    assert markdown(rows).splitlines() == ["| layer | parameters |", "| --- | ---: |", "| `a\\|b` | 10 |"]
