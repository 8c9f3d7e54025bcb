import json

from stepalign.api.results import ListResult, MappingResult, flat


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
