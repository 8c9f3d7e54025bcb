"""The figures of the house measure what they say, and the code keeps their limits."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from scripts import house

SRC = Path(__file__).parents[2] / "src"
LAYERS = """
    [[tool.importlinter.contracts]]
    type = "layers"
    layers = ["stepalign.cli", "stepalign.training | stepalign.signal", "stepalign.core"]
"""


@pytest.fixture
def checkout(tmp_path):
    """Writes a checkout, {path: text}; returns its src."""

    def write(files):
        for name, text in {"pyproject.toml": LAYERS, "src/stepalign/__init__.py": "", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return tmp_path / "src"

    return write


@pytest.fixture
def figure(checkout):
    """The figure of this name, for a package stepalign of these files."""

    def measure(name, files):
        src = checkout({f"src/stepalign/{path}": text for path, text in files.items()})
        return {figure.name.strip(): figure for figure in house.measure(src, startup=False)}[name]

    return measure


def test_the_house_is_in_order():
    missed = [figure for figure in house.measure(SRC, startup=False) if not figure.ok]
    assert not missed, "\n" + house.table(missed)


def test_lines_count_with_and_without_a_last_newline(figure):
    found = figure("Python lines", {"core/a.py": "x = 1\ny = 2\n", "core/b.py": "x = 1\n\ny = '\x0c'"})
    assert found.value == 5 and found.note == "3 files"


def test_no_room_is_larger_than_a_fifth(figure):
    rooms = {f"room{n}/a.py": "x = 1\n" * 10 for n in range(5)}
    good = figure("largest room", rooms)
    assert good.value == 0.2 and good.ok
    bad = figure("largest room", {**rooms, "room3/b/c.py": "x = 1\n"})
    assert bad.value == pytest.approx(11 / 51) and bad.note == "stepalign.room3" and not bad.ok


def test_a_file_has_300_lines_at_most(figure):
    assert figure("files over 300 lines", {"a.py": "x = 1\n" * 300}).ok
    bad = figure("files over 300 lines", {"a.py": "x = 1\n" * 301})
    assert bad.details == [" 301  stepalign.a"] and not bad.ok


@pytest.mark.parametrize("opening", ["def f():", "async def f():", "class A:\n def f(self):", "if x:\n def f():"])
def test_a_function_has_60_lines_at_most(figure, opening):
    assert figure("functions over 60 lines", {"a.py": opening + "\n  x = 1" * 59}).ok
    bad = figure("functions over 60 lines", {"a.py": opening + "\n  x = 1" * 60})
    assert [line.split()[0] for line in bad.details] == ["61"] and not bad.ok


def test_a_nested_function_counts_and_a_class_and_decorators_do_not(figure):
    code = "@mark\n@mark\ndef outer():\n def inner():" + "\n  x = 1" * 60 + "\nclass A:" + "\n x = 1" * 80
    found = figure("functions over 60 lines", {"a.py": code})
    assert found.details == ["  62  stepalign.a.outer", "  61  stepalign.a.outer.inner"]


ANY = """
    class A:
        def f(self: Any, a: dict[str, Any], b: Any | None, c, *, d: 'Any', **rest: Any): ...
        @staticmethod
        def g(ctx: typing.Any, _: Any): ...
    def h(self: Any): ...
"""


def test_parameters_are_any_when_nothing_else_is_said(figure):
    bad = figure("parameters that are Any", {"core/a.py": ANY})
    names = ["A.f(d)", "A.f(**rest)", "A.g(ctx)", "A.g(_)", "h(self)"]
    assert bad.details == [f"stepalign.core.a.{name}" for name in names]
    assert bad.note == "5 of 8" and bad.value == 5 / 8 and not bad.ok
    assert figure("catch-alls among them: *, **, _", {"core/a.py": ANY}).value == 2


@pytest.mark.parametrize(("num_any", "ok"), [(3, True), (4, False)])
def test_three_parameters_in_two_hundred_may_be_any(figure, num_any, ok):
    signature = ", ".join(f"p{n}: {'Any' if n < num_any else 'int'}" for n in range(200))
    assert figure("parameters that are Any", {"a.py": f"def f({signature}): ..."}).ok is ok


def test_the_command_line_takes_no_any(figure):
    name = "parameters that are Any in cli"
    assert figure(name, {"core/a.py": ANY}).ok
    bad = figure(name, {"cli/a.py": "def _f(key: Any, value: str): ..."})
    assert bad.details == ["stepalign.cli.a._f(key)"] and not bad.ok


PUBLIC = """
    def f():
        {0}
        def nested(): ...
    @overload
    def f(x): ...
    def _private(): ...
    if True:
        class A(Protocol):
            {0}
            def m(self):
                {0}
                ...
            @property
            def p(self):
                {0}
            @p.setter
            def p(self, value): ...
            def __len__(self): ...
            async def _hidden(self): ...
    class _B:
        def m(self): ...
"""
SAYS, SILENT = '"""Says."""', "x = 1"


@pytest.mark.parametrize(
    ("kind", "names"),
    [("functions", ["f"]), ("classes", ["A"]), ("methods", ["A.m", "A.p"])],
    ids=lambda value: value[0],
)
def test_what_is_public_has_a_docstring(figure, kind, names):
    name = f"public {kind} with a docstring"
    good = figure(name, {"a.py": PUBLIC.format(SAYS), "_b.py": PUBLIC.format(SILENT)})
    assert good.ok and good.value == 1 and good.note == f"{len(names)} of {len(names)}"
    bad = figure(name, {"a.py": PUBLIC.format(SILENT), "c.py": PUBLIC.format(SAYS)})
    assert bad.details == [f"stepalign.a.{name}" for name in names] and bad.value == 0.5 and not bad.ok


@pytest.mark.parametrize("text", ["x: (B, T) float32.", "(T,)", "(T + 1, 2 * V)", "(..., V)", "scalar, ()", "(N) nats"])
def test_a_docstring_gives_the_shape(figure, text):
    code = f'def f(x: torch.Tensor | None):\n """Adds {text}"""'
    assert figure("public, takes tensors, gives no shape", {"a.py": code}).ok


@pytest.mark.parametrize("text", ["Adds.", "Adds (see there).", "Adds f(B, T).", ""])
def test_a_docstring_gives_no_shape(figure, text):
    code = f'class A:\n def f(self, *, xs: list[Tensor]):\n  """{text}"""\ndef g(n: int): ...\ndef _h(x: Tensor): ...'
    bad = figure("public, takes tensors, gives no shape", {"a.py": code})
    assert bad.details == ["stepalign.a.A.f"] and bad.note == "of 1" and not bad.ok


CIRCLES = "import circles of modules or packages"


@pytest.mark.parametrize(
    "back",
    [
        "from stepalign.core import a",
        "from stepalign.core.a import x",
        "import stepalign.core.a",
        "from . import a",
        "from .a import x",
        "def f():\n    from stepalign.core.a import x",
        "if TYPE_CHECKING:\n    import torch\nelse:\n    from stepalign.core.a import x",
    ],
)
def test_two_modules_import_each_other(figure, back):
    bad = figure(CIRCLES, {"core/__init__.py": "", "core/a.py": "from stepalign.core import b", "core/b.py": back})
    assert bad.details == ["stepalign.core.a -> stepalign.core.b, stepalign.core.b -> stepalign.core.a"] and not bad.ok


@pytest.mark.parametrize("back", ["if TYPE_CHECKING:\n    from stepalign.core.a import x", "from core import a", ""])
def test_imports_that_make_no_circle(figure, back):
    chain = {
        "core/a.py": "from stepalign.core import b, c",
        "core/b.py": "from stepalign.core import c",
        "core/c.py": back,
    }
    assert figure(CIRCLES, {"core/__init__.py": "", **chain}).ok


def test_a_circle_of_three_and_one_through_the_package(figure):
    files = {
        "core/__init__.py": "from .a import x",
        "core/a.py": "from stepalign.core.b import x",
        "core/b.py": "from stepalign.core import x",
    }
    [circle] = figure(CIRCLES, files).details
    assert circle.count("->") == 3


def test_packages_that_import_each_other_make_a_circle_where_their_modules_make_none(figure):
    files = {
        "core/__init__.py": "",
        "core/p/a.py": "from stepalign.core.q.a import x",
        "core/q/a.py": "",
        "core/q/b.py": "from stepalign.core.p.b import x",
        "core/p/b.py": "",
    }
    bad = figure(CIRCLES, files)
    assert bad.details == ["stepalign.core.p -> stepalign.core.q, stepalign.core.q -> stepalign.core.p"] and not bad.ok


@pytest.mark.parametrize(("back", "ok"), [("", True), ("from benchmarks.a import x", False)])
def test_circles_in_the_benchmarks(checkout, back, ok):
    files = {"benchmarks/a.py": "from benchmarks.b import y", "benchmarks/b.py": back}
    src = checkout({"src/stepalign/a.py": "x = 1", **files})
    assert {f.name: f.ok for f in house.measure(src, startup=False)}["import circles in benchmarks"] is ok


@pytest.mark.parametrize(
    ("importer", "imported", "ok"),
    [
        ("cli/a.py", "core", True),
        ("training/a.py", "training", True),
        ("core/a.py", "training", False),
        ("training/a.py", "signal", False),
        ("signal/a.py", "training", False),
        ("elsewhere/a.py", "cli", True),
    ],
)
def test_imports_go_down(figure, importer, imported, ok):
    files = {f"{imported}/b.py": "", importer: f"if TYPE_CHECKING:\n    from stepalign.{imported}.b import x"}
    found = figure("upward imports", files)
    assert found.ok is ok and bool(found.details) is not ok


@pytest.mark.parametrize(
    ("code", "ok"),
    [
        ("make_dataclass('A', [])", False),
        ("dataclasses.make_dataclass('A', [])", False),
        ("@dataclass\nclass A: ...", True),
    ],
)
def test_dataclasses_are_written_out(figure, code, ok):
    assert figure("make_dataclass calls", {"a.py": code}).ok is ok


@pytest.mark.parametrize(("imports", "found"), [("import json, trl", ["trl"]), ("import json, trlx", [])])
def test_start_up_finds_the_large_packages(checkout, imports, found):
    main = f"import sys\nif sys.argv[1] == 'train':\n    {imports}"
    imported, _ = house.startup_figures(
        checkout({"src/stepalign/__main__.py": main, "src/trl.py": "", "src/trlx.py": ""})
    )
    assert imported.details == found and imported.ok is (not found)


@pytest.mark.parametrize(("train", "ok"), [([9.0, 2.0, 5.0], True), ([3.0, 2.1, 2.2], False)])
def test_start_up_is_the_ratio_of_the_best_of_three(monkeypatch, train, ok):
    seconds = {"train": iter([0.0, *train]), "grade": iter([1.5, 1.0, 7.0])}
    monkeypatch.setattr(house, "run_help", lambda src, command, *options: (next(seconds[command]), ""))
    _, ratio = house.startup_figures(SRC)
    assert ratio.value == min(train) and ratio.ok is ok


def test_the_table_says_what_is_missed(checkout, capsys):
    src = checkout({"src/stepalign/a.py": ANY})
    assert house.main(["--src", str(src), "--no_startup"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["figure", "value", "limit"]
    [row] = [line for line in lines if line.startswith("parameters that are Any ") and "cli" not in line]
    assert row.split()[4:] == ["62.50", "%", "<=", "1.50", "%", "NOT", "5", "of", "8"]
    assert "  stepalign.a.h(self)" in lines


def test_check_fails_when_a_limit_is_missed(checkout, capsys):
    options = ["--src", str(checkout({"src/stepalign/a.py": ANY})), "--no_startup", "--check", "--json"]
    assert house.main(options) == 1
    figures = {figure["name"]: figure for figure in json.loads(capsys.readouterr().out)}
    assert figures["parameters that are Any"]["ok"] is False and figures["upward imports"]["ok"] is True


def test_check_passes_when_all_is_kept(checkout, capsys):
    rooms = {f"src/stepalign/room{n}/a.py": 'def f(x: Tensor):\n    """Adds (T,)."""' for n in range(5)}
    assert house.main(["--src", str(checkout(rooms)), "--no_startup", "--check"]) == 0
    assert "NOT" not in capsys.readouterr().out


def test_a_directory_without_the_package_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        house.main(["--src", str(tmp_path)])
    assert error.value.code == 2 and "has no package stepalign" in capsys.readouterr().err
