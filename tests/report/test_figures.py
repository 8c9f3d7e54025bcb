import json
import warnings

import pytest

from stepalign.core.errors import ConfigError
from stepalign.report import token_text
from stepalign.report.alternatives import Instead
from stepalign.report.figures import METADATA, _areas, advantage_figures
from stepalign.report.palette import COLOURS
from stepalign.report.token_text import COLUMNS, Below, Piece, first_wrong_token, lay_out, second_lines


@pytest.mark.parametrize("suffix", METADATA)
def test_both_figures_and_their_numbers_are_written_the_same_each_time(suffix, inspection_result, tmp_path):
    result = inspection_result()
    path = tmp_path / f"a{suffix}"
    assert advantage_figures(result, path) == [path, tmp_path / f"a-tokens{suffix}"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [path.name, "a.json", f"a-tokens{suffix}", "a-tokens.json"]
    )
    assert all(p.stat().st_size > 1000 for p in (path, tmp_path / f"a-tokens{suffix}"))
    numbers = json.loads((tmp_path / "a.json").read_text())
    assert numbers["advantage"] == {name: entry["advantage"] for name, entry in result["contexts"].items()}
    assert (numbers["plotted"], numbers["scale"], numbers["first_wrong_step"]) == ("areas", 5.0, 2)
    texts = json.loads((tmp_path / "a-tokens.json").read_text())
    assert (texts["plotted"], texts["num_tokens_left_out"], texts["tokens"]) == ("tokens", 0, result["tokens"])

    again = advantage_figures(inspection_result(), tmp_path / "again" / path.name)
    assert not any(mark in path.read_bytes() for mark in (b"<dc:date>", b"CreationDate", b"Software"))
    assert [p.read_bytes() for p in again] == [(tmp_path / p.name).read_bytes() for p in again], "not the same bytes"


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.json"])
def test_other_suffixes_are_refused_before_anything_is_written(name, inspection_result, tmp_path):
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
        advantage_figures(inspection_result(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_numbers_replace_an_earlier_figures_but_no_other_file(inspection_result, tmp_path):
    advantage_figures(inspection_result(), tmp_path / "a.png")
    advantage_figures(inspection_result(first_wrong_step=None), tmp_path / "a.svg")
    assert json.loads((tmp_path / "a.json").read_text())["first_wrong_step"] is None
    for text in ('{"contexts": {}}', "[1]", "no JSON"):
        (tmp_path / "advantage.json").write_text(text)
        with pytest.raises(ConfigError, match=r"advantage\.json"):
            advantage_figures(inspection_result(), tmp_path / "advantage.png")
        assert (tmp_path / "advantage.json").read_text() == text


def areas(axes):
    """(highest, lowest) that is filled."""
    corners = [path.vertices[:, 1] for collection in axes.collections for path in collection.get_paths()]
    return max(c.max() for c in corners), min(c.min() for c in corners)


def test_areas_have_one_scale_and_a_dashed_line_at_the_first_wrong_step(inspection_result):
    rows = _areas(inspection_result(), scale=5.0).axes
    assert [row.get_title(loc="left") for row in rows] == ["aligned", "other"]
    assert {row.get_ylim() for row in rows} == {(-5.0, 5.0)} and {row.get_xlim() for row in rows} == {(0.0, 11.0)}
    assert areas(rows[0]) == (0.5, -5.0) and areas(rows[1]) == (pytest.approx(0.1), -3.0)
    for row in rows:
        dashed = [line.get_xdata()[0] for line in row.get_lines() if line.is_dashed()]
        assert dashed == [7]
    beyond = [[list(line.get_xdata()) for line in row.get_lines() if line.get_marker() == "v"] for row in rows]
    assert beyond == [[[9.5]], [[]]]


def test_without_a_wrong_step_there_is_no_dashed_line(inspection_result):
    for row in _areas(inspection_result(first_wrong_step=None), scale=5.0).axes:
        assert not any(line.is_dashed() for line in row.get_lines())


def test_a_spike_among_many_tokens_stays_visible(inspection_result):
    values = [0.0] * 5000
    values[777], values[4000] = 3.0, -4.0
    result = inspection_result(["a"] * 5000, [1] * 5000, {"one": values}, None)
    assert areas(_areas(result, scale=5.0).axes[0]) == (3.0, -4.0)


def test_words_wrap_whole_and_break_between_tokens():
    pieces = list(lay_out(["word", " " + "x" * (COLUMNS - 4), "yz", " end"]))
    assert pieces == [
        Piece(0, 0, 0, 4, "word"),
        Piece(1, 1, 0, COLUMNS - 3, " " + "x" * (COLUMNS - 4)),
        Piece(2, 1, COLUMNS - 3, 2, "yz"),
        Piece(3, 2, 0, 4, " end"),
    ]


def test_a_word_longer_than_a_line_is_cut_and_line_breaks_are_shown():
    assert [(p.line, len(p.text)) for p in lay_out(["x" * (2 * COLUMNS + 3)])] == [(0, COLUMNS), (1, COLUMNS), (2, 3)]
    assert [(p.token, p.line, p.text) for p in lay_out(["a\n", "\n", "b"])] == [
        (0, 0, "a"),
        (0, 0, "↵"),
        (1, 1, "↵"),
        (2, 2, "b"),
    ]


def test_wide_and_hidden_characters_have_their_room():
    assert [(p.column, p.width) for p in lay_out(["总数", "e\u0301", "\u202e", "\t"])] == [
        (0, 4),
        (4, 1),
        (5, 8),
        (13, 4),
    ]


def test_every_token_with_text_is_laid_out():
    tokens = [" a", "", "\n", "bc", "\x00", "  "] * 50
    assert {p.token for p in lay_out(tokens)} == {i for i, token in enumerate(tokens) if token}


def test_a_long_response_says_how_many_tokens_are_not_shown(inspection_result, tmp_path, monkeypatch):
    monkeypatch.setattr(token_text, "LINES", 3)
    result = inspection_result([" " + "x" * (COLUMNS - 1)] * 10, [1] * 10, {"one": [1.0] * 10}, None)
    advantage_figures(result, tmp_path / "a.png")
    numbers = json.loads((tmp_path / "a-tokens.json").read_text())
    assert numbers["num_tokens_left_out"] == 7 and len(numbers["advantage"]["one"]) == 10


def test_odd_text_is_drawn_with_one_warning(inspection_result, tmp_path):
    tokens = ["<step_1>", "$x_1$ ", "\\frac{", "总数", "\ud800\u202e\x00", "</b>"]
    result = inspection_result(tokens, [None, 1, 1, 1, 1, 1], {"$n$ {x}": [1.0] * 6}, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        advantage_figures(result, tmp_path / "a.png")
    assert len(caught) <= 1  # none where a font with these characters is installed
    assert json.loads((tmp_path / "a.json").read_text())["tokens"][4] == "⟨U+D800⟩⟨U+202E⟩⟨U+0000⟩"


def test_values_that_are_not_finite_are_left_white(inspection_result, tmp_path):
    advantage_figures(inspection_result(["a", "b"], [1, 1], {"one": [float("nan"), 1.0]}, None), tmp_path / "a.png")
    assert json.loads((tmp_path / "a.json").read_text())["advantage"]["one"] == [None, 1.0]


def test_the_first_wrong_token(inspection_result):
    assert first_wrong_token(inspection_result()) == 7
    assert first_wrong_token(inspection_result(first_wrong_step=None)) is None


def test_colours_are_those_of_the_pages():
    from pathlib import Path

    style = (Path(token_text.__file__).parent / "page" / "page.css").read_text()
    assert f"--ink: {token_text.INK};" in style.split("@media")[0]
    for palette, part in (("safe", style.split("@media")[0]), ("paper", style.split(":root.paper {")[1])):
        names = ("positive", "negative", "positive-line", "negative-line")
        for name, colour in zip(names, COLOURS[palette], strict=True):
            assert f"--{name}: {colour};" in part.split("}")[0]


def test_second_lines_stand_below_their_tokens_where_there_is_room():
    pieces = list(lay_out(["ab", "cd", " " * 20, "ef\n", "gh"]))
    found = [Instead(1, " carry", 0.35), Instead(0, "hold", 0.9), Instead(3, "\n", 0.5), Instead(4, "x", 1.0)]
    assert second_lines(pieces, found) == [
        Below(0, 2, "carry 35 %"),  # the second finds no room before it
        Below(0, 24, "↵ 50 %"),
        Below(1, 0, "x 100 %"),
    ]
    last = [Piece(0, 0, COLUMNS - 3, 3, "end")]
    assert second_lines(last, [Instead(0, "too long for this place", 0.5)]) == []
    assert second_lines([], found) == [], "tokens that are not shown"


def test_the_picture_has_the_second_lines_and_its_file_their_numbers(inspection_result, tmp_path):
    advantage_figures(inspection_result(), tmp_path / "a.svg")
    numbers = json.loads((tmp_path / "a-tokens.json").read_text())
    assert numbers["instead"]["aligned"] == [[9, " carry", 0.9]] and len(numbers["instead"]["other"]) == 5
    figure, _ = token_text.token_text(inspection_result(), 5.0)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("carry 90 %") >= 3 and token_text.SECOND_LINE in texts
    plain = inspection_result()
    for context in plain["contexts"].values():
        del context["teacher_top"]
    figure, _ = token_text.token_text(plain, 5.0)
    assert token_text.SECOND_LINE not in [text.get_text() for text in figure.axes[0].texts]


def test_the_palette_of_the_paper(inspection_result, tmp_path):
    advantage_figures(inspection_result(), tmp_path / "a.svg", "paper")
    for name in ("a.svg", "a-tokens.svg"):
        drawn = (tmp_path / name).read_text()
        assert COLOURS["safe"].up not in drawn and COLOURS["safe"].up_line not in drawn
    assert COLOURS["paper"].up in (tmp_path / "a.svg").read_text()
    assert COLOURS["paper"].up_line in (tmp_path / "a-tokens.svg").read_text()
