"""What the prose names is there: modules and their names, files, links, flags and their defaults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pytest

from stepalign.cli.main import COMMANDS, main

from .pages import PAGES, ROOT, anchors, blocks, inline

PACKAGE = ROOT / "src" / "stepalign"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("_")}
PLACES = {"src", "docs", "tests", "examples", "benchmarks", "scripts"}
DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)+(?<!\.(?:py|md))(?<!\.(?:json|html))(?<!\.(?:jsonl|jinja))(?<!\.sqlite)")
PATH = re.compile(r"[\w-]+(/[\w.-]+)+/?")
FLAG = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")
ELSEWHERE = {  # of servers, launchers and other libraries that the pages speak of
    *("--alias", "--api-key", "--continuous-batching", "--ctx-size", "--device", "--generation-config"),
    *("--gpu-memory-utilization", "--grammar-backend", "--jinja", "--max-model-len", "--model-path"),
    *("--nproc-per-node", "--parallel"),
    *("--reasoning-parser", "--served-model-name", "--standalone"),
    *("guided_choice", "guided_json", "guided_regex", "max_completion_tokens", "reasoning_content"),
    *("structured_outputs", "TikTokenConverter", "NO_PROXY", "OPENAI_API_KEY"),
    *("http_400", "http_429"),  # made of a status
}


def page_spans() -> Iterator[tuple[Path, str]]:
    """Every code span of the pages, with its file."""
    for page in PAGES:
        yield from ((page, token.content) for token in inline(page) if token.type == "code_inline")


def docstring_spans() -> Iterator[tuple[Path, str]]:
    """Every code span of the package's docstrings, with its file."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = (ast.get_docstring(node) or "") if isinstance(node, kinds) else ""
            yield from ((path, span) for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


def spans() -> Iterator[tuple[Path, str]]:
    yield from page_spans()
    yield from docstring_spans()


def report(lost: list[tuple[Path, str]]) -> None:
    assert not lost, "\n".join(f"{path.relative_to(ROOT)}: {text}" for path, text in lost)


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or leads from one by attributes and fields of dataclasses."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if part in getattr(value, "__dataclass_fields__", ()):
                return True
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


def test_dotted_names_are_there():
    lost = []
    for path, span in spans():
        name = span.removesuffix("()")
        first = name.split(".")[0]
        if DOTTED.fullmatch(name) and first in {"stepalign", "trl", "benchmarks", "scripts", *ROOMS}:
            lost += [] if resolves(f"stepalign.{name}" if first in ROOMS else name) else [(path, span)]
    report(lost)


def test_paths_are_there():
    lost = []
    for path, span in spans():
        first = span.split("/")[0]
        home = {"stepalign": ROOT / "src", **dict.fromkeys(PLACES, ROOT)}.get(first)
        if home is None and first in ROOMS and span.endswith((".py", "templates")):
            home = PACKAGE
        if home is not None and PATH.fullmatch(span) and not (home / span).exists():
            lost.append((path, span))
    report(lost)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    lost = []
    for token in inline(page):
        target = str(token.attrs.get("href") or token.attrs.get("src") or "")
        if target and not re.match(r"[a-z]+:", target):
            name, _, fragment = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            if not path.exists() or (fragment and fragment not in anchors(path)):
                lost.append((page, target))
    report(lost)


@cache
def help_of(*words: str) -> str:
    """What `--help_all` of a command prints, after `--help` for what that has alone."""
    shown = StringIO()
    with redirect_stdout(shown), redirect_stderr(StringIO()):
        for option in ("--help", "--help_all"):
            with suppress(SystemExit):
                main([*words, option])
    return shown.getvalue()


def flags(*words: str) -> set[str]:
    return {"--config", "--help_all", "--debug", *FLAG.findall(help_of(*words))}


@cache
def known_flags() -> set[str]:
    """Those of all commands, and of what is run from a checkout."""
    sources = [path for place in ("benchmarks", "scripts", "tests") for path in (ROOT / place).rglob("*.py")]
    own = {name for path in sources for name in re.findall(r'"(--[a-z]\w*)"', path.read_text(encoding="utf-8"))}
    return own.union(flags(), *(flags(command) for command in COMMANDS))


def test_flags_are_there():
    named = [(path, flag) for path, span in spans() for flag in FLAG.findall(span)]
    report([(path, flag) for path, flag in named if flag not in known_flags() | ELSEWHERE])


def test_commands_have_the_flags_that_blocks_give_them():
    lost = []
    for page in PAGES:
        for line in (line for block in blocks(page) if block.language == "sh" for line in block.commands):
            if found := re.search(r"\bstepalign ([a-z]\w*)(.*)", line):
                assert found[1] in COMMANDS, f"{page}: {line}"
                lost += [(page, f"{found[1]} {flag}") for flag in FLAG.findall(found[2]) if flag not in flags(found[1])]
    report(lost)


def test_settings_of_yaml_blocks_are_there():
    from stepalign.signal.case import Case

    known = {flag.removeprefix("--") for flag in known_flags()} | {"fsdp", *Case.__dataclass_fields__}
    found = [(page, block) for page in PAGES for block in blocks(page) if block.language == "yaml"]
    keys = [(page, key) for page, block in found for key in re.findall(r"^(\w+):", block.text, re.MULTILINE)]
    assert keys
    report([(page, key) for page, key in keys if key not in known])


def test_names_with_an_underscore_or_a_capital_are_in_the_source():
    places = (PACKAGE, ROOT / "benchmarks", ROOT / "scripts")
    sources = [p for place in places for kind in ("py", "yaml", "jinja", "js") for p in place.rglob(f"*.{kind}")]
    words = {word for path in sources for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    words |= {flag.removeprefix("--") for flag in known_flags()} | ELSEWHERE
    report([(p, s) for p, s in page_spans() if re.fullmatch(r"[A-Za-z]\w*[_A-Z]\w*", s) and s not in words])


def test_defaults_are_those_of_the_commands():
    """`--setting` (120), or `setting` (120 and so on): the number is the default of a command."""
    texts = " ".join(help_of(command) for command in COMMANDS)
    wrong, seen = [], 0
    for page in PAGES:
        for name, value in re.findall(r"`(?:--)?([a-z]\w+_\w+)` \((\d+(?:\.\d+)?)\)", page.read_text(encoding="utf-8")):
            seen += 1
            defaults = {float(x) for x in re.findall(rf"--{name} \(default: ([\d.]+)\)", texts)}
            if defaults and float(value) not in defaults:
                wrong.append((page, f"{name}: {value}, not {defaults}"))
    assert seen
    report(wrong)


def test_modules_to_run_are_there():
    texts = [*spans(), *((page, line) for page in PAGES for block in blocks(page) for line in block.commands)]
    named = [(path, name) for path, text in texts for name in re.findall(r"python -m ([\w.]+)", text)]
    own = [(path, name) for path, name in named if name.split(".")[0] in {"stepalign", "benchmarks", "scripts"}]
    assert own
    report([(path, name) for path, name in own if find_spec(name) is None])
