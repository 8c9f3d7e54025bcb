import json
import os

import pytest

from stepalign.core.errors import ConfigError
from stepalign.core.own import is_found_elsewhere, load_module, load_own, name_of


@pytest.fixture(autouse=True)
def in_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))


def test_a_function_of_a_file_in_the_current_directory(tmp_path):
    (tmp_path / "mine_own.py").write_text("def double(x):\n    return 2 * x\n\nclass A:\n    f = len\n")
    assert [load_own(f"{place}:double", "grader")(4) for place in ("mine_own.py", "./mine_own.py")] == [8, 8]
    assert load_own(f"{tmp_path}/mine_own.py:A.f", "grader") is len
    assert load_own("mine_own:double", "grader")(4) == 8


def test_what_lies_beside_a_file_can_be_imported(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside_it.py").write_text("x = 7\n")
    (tmp_path / "sub" / "outer_one.py").write_text("from beside_it import x\n\ndef get():\n    return x\n")
    assert load_own("sub/outer_one.py:get", "critic")() == 7


def test_an_edited_file_is_loaded_anew_and_an_unchanged_one_is_not(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text("def f():\n    return 1\n")
    assert load_module("edited.py") is load_module("edited.py")
    path.write_text("def f():\n    return 2\n")
    os.utime(path, ns=(1, 1))
    assert load_own("edited.py:f", "critic")() == 2


def test_a_file_with_a_librarys_name_does_not_take_its_place(tmp_path):
    (tmp_path / "json.py").write_text("def f():\n    return 1\n")
    assert load_own("json.py:f", "critic")() == 1
    assert __import__("json") is json and json.dumps(1) == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def grade(text:\n", r"SyntaxError: .* \(bad\.py, line 1\)"),
        ("x = 1\nimport no_such_thing\n", r"ModuleNotFoundError: No module named 'no_such_thing' \(bad\.py, line 2\)"),
        ("import json\njson.loads('{')\n", r"JSONDecodeError: .* \(bad\.py, line 2\)"),
        ("def grad(text, problem):\n    return True\n", r"bad\.py has no 'grade'; perhaps you meant 'grad'"),
    ],
)
def test_what_does_not_load_says_where(tmp_path, text, message):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_own("bad.py:grade", "grader")
    assert str(error.value).startswith("grader 'bad.py:grade'")


def test_a_file_that_is_not_there_says_what_is_expected():
    with pytest.raises(ConfigError, match=r"missing\.py.*Expected file\.py:function or package\.module:function"):
        load_own("missing.py:grade", "grader")


def test_what_is_handed_over_is_found_under_its_name():
    class Thing:
        pass

    thing, function = Thing(), lambda text, problem: True
    assert load_own(name_of(thing), "critic") is thing
    assert load_own(name_of(function), "grader") is function


def test_what_stands_in_a_module_is_found_elsewhere_and_what_does_not_is_not():
    assert is_found_elsewhere(name_of(json.dumps)) and is_found_elsewhere("mine.py:grade")
    assert not is_found_elsewhere(name_of(lambda text, problem: True))
    cell = type("Cell", (), {"__module__": "__main__"})
    assert not is_found_elsewhere(name_of(cell))
