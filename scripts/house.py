"""The figures by which the structure of this code is judged, each beside its limit.

They are read from the syntax trees of src/stepalign, and from two commands that print their help; nothing is imported.

    python scripts/house.py --check --src ../other/src    # another checkout; exit code 1 when a limit is missed
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Graph = Mapping[str, set[str]]  # a module's name -> the modules that it imports

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
HEAVY = ("torch", "transformers", "trl")
_DIM = r"(?:\.\.\.|\w[\w.]*)(?: ?[-+*/] ?\w[\w.]*)*"
SHAPE = re.compile(rf"(?<!\w)\((?:{_DIM},|{_DIM}(?:, ?{_DIM})+|[A-Z]\w*|)\)")  # (B, T), (T + 1,), (N), ()


class Figure(NamedTuple):
    """One measured number: `limit` is the most it may be, or with `at_least` the least; None is no limit."""

    name: str
    value: float
    limit: float | None
    details: Sequence[str] = ()
    note: str = ""
    share: bool = False
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the value keeps the limit."""
        return self.limit is None or (self.value >= self.limit if self.at_least else self.value <= self.limit)

    def row(self) -> tuple[str, str, str, str, str]:
        """The name, value, limit, verdict and note as text."""
        value, limit = (f"{100 * n:.2f} %" if self.share else f"{n:g}" for n in (self.value, self.limit or 0))
        if self.limit is None:
            return self.name, value, "-", "", self.note
        return self.name, value, f"{'>=' if self.at_least else '<='} {limit}", "ok" if self.ok else "NOT", self.note


class Module(NamedTuple):
    """A source file: its dotted name, whether it is an `__init__`, its number of lines, its syntax tree."""

    name: str
    is_package: bool
    num_lines: int
    tree: ast.Module


class Definition(NamedTuple):
    """A function, method or class; public is what a reader meets, without overloads and setters."""

    name: str
    kind: str
    is_public: bool
    num_lines: int
    docstring: str
    parameters: Mapping[str, str]  # name, with the stars -> annotation


def read_modules(package: Path) -> list[Module]:
    """Every Python file under a package's directory, by path."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(package.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        num_lines = text.count("\n") + (text[-1:] not in ("", "\n"))
        modules.append(Module(".".join(parts[: len(parts) - is_package]), is_package, num_lines, ast.parse(text)))
    return modules


def definitions(node: ast.AST, name: str, in_class: bool = False, is_public: bool = True) -> Iterator[Definition]:
    """Every function, method and class in a syntax tree, nested ones too; `name` is the module's."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from definitions(child, name, in_class, is_public)
            continue
        path, is_class = f"{name}.{child.name}", isinstance(child, ast.ClassDef)
        marks = {ast.unparse(decorator).split(".")[-1] for decorator in child.decorator_list}
        public = is_public and "._" not in path and not marks & {"overload", "setter", "deleter"}
        kind = "classes" if is_class else "methods" if in_class else "functions"
        num_lines = (child.end_lineno or 0) - child.lineno + 1
        taken = {} if isinstance(child, ast.ClassDef) else parameters(child.args, in_class)
        yield Definition(path, kind, public, num_lines, ast.get_docstring(child) or "", taken)
        yield from definitions(child, path, is_class, public and is_class)


def parameters(arguments: ast.arguments, in_class: bool) -> dict[str, str]:
    """A function's parameters but self and cls, `*args` with its star, and their annotations."""
    taken = [("", argument) for argument in arguments.posonlyargs + arguments.args]
    taken = taken[in_class and bool(taken) and taken[0][1].arg in ("self", "cls") :]
    taken += [("", argument) for argument in arguments.kwonlyargs]
    taken += [(stars, rest) for stars, rest in (("*", arguments.vararg), ("**", arguments.kwarg)) if rest]
    return {stars + a.arg: ast.unparse(a.annotation).strip("'") if a.annotation else "" for stars, a in taken}


def counted(name: str, found: Sequence[str], note: str = "") -> Figure:
    """What must not occur: how often it does, and where."""
    return Figure(name, len(found), 0, found, note)


def size_figures(modules: Sequence[Module], defined: Sequence[Definition]) -> list[Figure]:
    """Lines in all, the largest room's share of them, files and functions that are too long."""
    rooms: Counter[str] = Counter()
    for module in modules:
        rooms[".".join(module.name.split(".")[:2])] += module.num_lines
    total, (largest, lines) = rooms.total(), rooms.most_common(1)[0]
    shares = [f"{100 * lines / total:5.1f} %  {lines:6}  {room}" for room, lines in rooms.most_common()]
    files = [f"{m.num_lines:4}  {m.name}" for m in modules if m.num_lines > MAX_FILE_LINES]
    long = [d for d in defined if d.kind != "classes" and d.num_lines > MAX_FUNCTION_LINES]
    return [
        Figure("Python lines", total, None, note=f"{len(modules)} files"),
        Figure("largest room", lines / total, 0.20, shares, largest, share=True),
        counted(f"files over {MAX_FILE_LINES} lines", files),
        counted(f"functions over {MAX_FUNCTION_LINES} lines", [f"{d.num_lines:4}  {d.name}" for d in long]),
    ]


def any_figures(defined: Sequence[Definition]) -> list[Figure]:
    """Parameters annotated `Any` and nothing else, the catch-alls among them, and those of the command line."""
    every = [(f"{d.name}({name})", name, annotation) for d in defined for name, annotation in d.parameters.items()]
    found = {where: name for where, name, annotation in every if annotation in ("Any", "typing.Any")}
    cli = [where for where in found if where.startswith("stepalign.cli.")]
    catch_alls = [where for where, name in found.items() if name.startswith("*") or not name.strip("_")]
    share, note = len(found) / max(1, len(every)), f"{len(found)} of {len(every)}"
    return [
        Figure("parameters that are Any", share, 0.015, list(found), note, share=True),
        Figure("  catch-alls among them: *, **, _", len(catch_alls), None),
        counted("parameters that are Any in cli", cli),
    ]


def docstring_figures(defined: Sequence[Definition]) -> list[Figure]:
    """What is public and says what it does; what takes tensors and gives no shape."""
    public = [d for d in defined if d.is_public]
    figures = []
    for kind in ("functions", "classes", "methods"):
        found = [d for d in public if d.kind == kind]
        missing = [d.name for d in found if not d.docstring]
        share, note = 1 - len(missing) / max(1, len(found)), f"{len(found) - len(missing)} of {len(found)}"
        figures.append(Figure(f"public {kind} with a docstring", share, 1, missing, note, share=True, at_least=True))
    tensors = [d for d in public if any(re.search(r"\bTensor\b", p) for p in d.parameters.values())]
    bare = [d.name for d in tensors if not SHAPE.search(d.docstring)]
    return [*figures, counted("public, takes tensors, gives no shape", bare, f"of {len(tensors)}")]


def import_graph(modules: Sequence[Module], *, for_types: bool = False) -> dict[str, set[str]]:
    """Which of the modules each one imports, in functions too; under `if TYPE_CHECKING` only with `for_types`."""
    names = {module.name for module in modules}
    return {m.name: {_known(t, names) for t in _imported(m, m.tree, for_types)} - {"", m.name} for m in modules}


def _imported(module: Module, node: ast.AST, for_types: bool) -> Iterator[str]:
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = module.name.split(".")
        above = parts[: len(parts) - node.level + module.is_package] if node.level else []
        yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not for_types:
        children = node.orelse
    for child in children:
        yield from _imported(module, child, for_types)


def _known(target: str, names: Iterable[str]) -> str:
    """The one of the names that a dotted name lies in, or ''."""
    while target and target not in names:
        target = target.rpartition(".")[0]
    return target


def circles(graph: Graph) -> list[str]:
    """The groups of two and more modules that each import all the others, directly or not, with the imports."""
    reached: dict[str, set[str]] = {}
    for name in graph:
        reached[name], waiting = set(), [name]
        while waiting:
            new = graph[waiting.pop()] - reached[name]
            reached[name] |= new
            waiting += new
    groups = {frozenset(m for m in reached[name] if name in reached[m]) for name in graph if name in reached[name]}
    edges = ([f"{name} -> {to}" for name in sorted(group) for to in sorted(graph[name] & group)] for group in groups)
    return sorted(", ".join(listed) for listed in edges)


def package_graph(graph: Graph, package: str) -> dict[str, set[str]]:
    """The graph between what lies directly in a package, each subpackage taken as one; `__init__` is left out."""
    inside = {n: ".".join(n.split(".")[: package.count(".") + 2]) for n in graph if n.startswith(f"{package}.")}
    between: dict[str, set[str]] = {child: set() for child in inside.values()}
    for name, child in inside.items():
        between[child] |= {inside[target] for target in graph[name] & inside.keys()} - {child}
    return between


def upward_imports(graph: Graph, pyproject: Path) -> list[str]:
    """Imports against the layers of import-linter's contracts: to a higher room, or another one on the same floor."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    found = []
    for layers in (contract["layers"] for contract in contracts if contract["type"] == "layers"):
        floors = {room.strip(): floor for floor, layer in enumerate(layers) for room in re.split("[|:]", layer)}
        for name, target in ((name, target) for name, targets in graph.items() for target in sorted(targets)):
            own, other = _known(name, floors), _known(target, floors)
            if own and other and own != other and floors[own] >= floors[other]:
                found.append(f"{name} -> {target}")
    return found


def import_figures(modules: Sequence[Module], benchmarks: Sequence[Module], pyproject: Path) -> list[Figure]:
    """Circles of modules and of packages, and imports that go up."""
    graph = import_graph(modules)
    inside = (circles(package_graph(graph, module.name)) for module in modules if module.is_package)
    calls = [(m.name, node) for m in modules for node in ast.walk(m.tree) if isinstance(node, ast.Call)]
    made = [f"{name}:{call.lineno}" for name, call in calls if ast.unparse(call.func).endswith("make_dataclass")]
    return [
        counted("import circles of modules or packages", sorted({*circles(graph)}.union(*inside))),
        counted("import circles in benchmarks", circles(import_graph(benchmarks))),
        counted("upward imports", upward_imports(import_graph(modules, for_types=True), pyproject)),
        counted("make_dataclass calls", made),
    ]


def run_help(src: Path, command: str, *options: str) -> tuple[float, str]:
    """Print a command's help in a process of its own; the seconds that took, and its stderr."""
    argv, start = [sys.executable, *options, "-m", "stepalign", command, "--help"], time.perf_counter()
    done = subprocess.run(argv, cwd=src, capture_output=True, text=True, check=True)  # -m looks in cwd first
    return time.perf_counter() - start, done.stderr


def startup_figures(src: Path) -> list[Figure]:
    """What `train --help` imports, and how long it takes beside `grade --help`: the best of three each."""
    _, listing = run_help(src, "train", "-X", "importtime")
    heavy = [name for name in HEAVY if re.search(rf"\| +{name}$", listing, re.MULTILINE)]
    train, grade = (min(run_help(src, command)[0] for _ in range(3)) for command in ("train", "grade"))
    return [
        counted("large packages that train --help imports", heavy, f"of {', '.join(HEAVY)}"),
        Figure("train --help over grade --help", round(train / grade, 2), 2, note=f"{train:.2f} s / {grade:.2f} s"),
    ]


def measure(src: Path, *, startup: bool = True) -> list[Figure]:
    """All figures of the checkout that `src` belongs to; `startup` runs its commands too."""
    modules = read_modules(src / "stepalign")
    defined = [definition for module in modules for definition in definitions(module.tree, module.name)]
    figures = size_figures(modules, defined) + any_figures(defined) + docstring_figures(defined)
    figures += import_figures(modules, read_modules(src.parent / "benchmarks"), src.parent / "pyproject.toml")
    return figures + (startup_figures(src) if startup else [])


def table(figures: Sequence[Figure]) -> str:
    """The figures in aligned columns, then what each is made of."""
    rows = [("figure", "value", "limit", "", ""), *(figure.row() for figure in figures)]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{a:{wide[0]}}  {b:>{wide[1]}}  {c:>{wide[2]}}  {d:{wide[3]}}  {e}".rstrip() for a, b, c, d, e in rows]
    for figure in figures:
        lines += ["", f"{figure.name.strip()}:", *(f"  {line}" for line in figure.details)] if figure.details else []
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures; 1 when `--check` is given and a limit is missed."""
    parser = argparse.ArgumentParser(description="The figures by which the structure of this code is judged.")
    parser.add_argument("--src", type=Path, default=Path(__file__).parents[1] / "src", help="the src of a checkout")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
    parser.add_argument("--no_startup", action="store_true", help="run no command")
    arguments = parser.parse_args(argv)
    src = arguments.src.resolve()
    if not (src / "stepalign").is_dir():
        parser.error(f"--src: {src} has no package stepalign. Give the src directory of a checkout.")
    figures = measure(src, startup=not arguments.no_startup)
    print(json.dumps([{**f._asdict(), "ok": f.ok} for f in figures], indent=1) if arguments.json else table(figures))
    return int(arguments.check and not all(figure.ok for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
