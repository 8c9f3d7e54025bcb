import json

from stepalign.api.results import ComparisonResult, InspectionResult, ListResult, MappingResult, flat


def test_a_mapping_stays_one_and_says_what_it_is(tmp_path):
    result = MappingResult({"avg@2": 0.5, "counts": {"a": 1}}, "avg@2 50.0", [{"p": 1}, {"p": 2, "q": 3}], tmp_path)
    assert repr(result) == f"avg@2 50.0\nin {tmp_path}"
    assert result == {"avg@2": 0.5, "counts": {"a": 1}} and json.loads(json.dumps(result)) == result
    table = result.to_pandas()
    assert list(table.columns) == ["p", "q"] and table["p"].tolist() == [1, 2]


def test_a_list_stays_one(tmp_path):
    result = ListResult([tmp_path], "1 checkpoint(s)")
    assert result[-1] is tmp_path and result == [tmp_path] and repr(result) == "1 checkpoint(s)"
    assert result.to_pandas().empty


def test_a_mapping_of_mappings_is_a_row():
    assert flat({"step": 1, "test": {"avg@2": 0.5, "ci95": {"avg@2": [0, 1]}}}) == {
        "step": 1,
        "test/avg@2": 0.5,
        "test/ci95/avg@2": [0, 1],
    }


def test_in_a_notebook_a_result_is_its_line_and_its_table():
    rows = [{"text": "<script>\u202e", "score": 0.123456, "none": None}] * 21
    shown = MappingResult({}, "1 < 2", rows)._repr_html_()
    assert shown.startswith("<p>1 &lt; 2</p><table>") and shown.count("<tr>") == 21
    assert "<td>&lt;script&gt;⟨U+202E⟩</td><td>0.1235</td><td></td>" in shown
    assert "1 more rows in to_pandas()" in shown
    assert MappingResult({}, "nothing")._repr_html_() == "<p>nothing</p>"


def test_an_inspection_shows_its_tokens_on_their_colours():
    values = {"tokens": ["2+2", "<b>", " = 5"], "token_steps": [1, 1, 2], "first_wrong_step": 2}
    shown = InspectionResult({**values, "contexts": {"hint": {"advantage": [0.0, 3.0, -3.0]}}}, "seen")._repr_html_()
    assert "<b>hint</b>" in shown and "<span" in shown and "&lt;b&gt;</span>" in shown
    assert shown.index("&lt;b&gt;") < shown.index("▸") < shown.index(" = 5")
    first, second, third = shown.split("<span ")[1:]
    assert 'style=""' in first and "background:rgb" in second and "underline" not in second
    assert "A_t -3.00 nats" in third and "underline" in third


def test_a_comparison_shows_a_row_a_condition():
    mean = {"avg@2": {"value": 0.5, "ci95": [0.25, 0.75]}, "num_seen": {"value": 1, "ci95": [1, 1]}}
    of = {"selected_mean": mean, "seeds": {"0": {}, "1": {}}}
    shown = ComparisonResult({"conditions": {"grpo": of}}, "compared")._repr_html_()
    assert "<td>grpo</td><td>2</td><td>50.0 [25.0, 75.0]</td>" in shown and "num_seen" not in shown
