"""What a GPU machine without network lacks, carried there in parts: wheels, the model, the problems of the study.

All files stand one behind the other, and a part is a slice of that; `parts.json` says which bytes are whose. So parts
may come one by one, in any order, and every file is written as soon as the parts that it lies in are there. Only the
standard library is needed to unpack.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import file_digest, sha256
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from scripts.fetch_model import MODELS, MODELS_DIRECTORY, fetch
from scripts.gpu_day import ROOT

LISTING = "parts.json"
# The GPU machine has them, and in versions that go together.
PRESENT = frozenset({"torch", "transformers", "accelerate", "safetensors", "numpy", "tokenizers", "huggingface-hub"})
TOOLS = ("gguf", "pytest", "pytest-timeout", "hypothesis", "psutil")  # the model, the tests, the benchmarks
PLATFORMS = ("manylinux2014_x86_64", "manylinux1_x86_64", *(f"manylinux_2_{n}_x86_64" for n in range(5, 40)))


def pack(home: Path, python: str, part_bytes: int, without: Collection[str], also: Iterable[Path]) -> None:
    """Download what is missing there, and cut it into `home`/parts.

    Args:
        home: the ignored folder.
        python: version of Python on the GPU machine, such as 3.12.
        part_bytes: most bytes of a part.
        without: packages that are there, beside `PRESENT`.
        also: files and folders of the checkout that go along; those that do not exist are named.
    Raises:
        SystemExit: pip cannot download something.
    """
    names, wheels = packages(python, without), home / "wheels"
    download(names, wheels, python)
    files = {path.relative_to(home).as_posix(): path for path in sorted(wheels.iterdir())}
    files = {f".gpu_day/{name}": path for name, path in files.items()}
    for place in map(Path.resolve, also):
        if not place.exists():
            print(f"not there, so not carried: {place}", file=sys.stderr)
        inside = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        files |= {path.relative_to(ROOT).as_posix(): path for path in inside if path.exists()}
    model = fetch(MODELS["smollm2"], MODELS_DIRECTORY)
    files[model.relative_to(ROOT).as_posix()] = model
    listing = split(files, home / "parts", part_bytes)
    print("\n".join(names))
    for part in listing["parts"]:
        print(f"{home / 'parts' / part['name']}  {part['bytes']:>9,} bytes  sha256 {part['sha256']}")
    print(f"Carry {home / 'parts' / LISTING} with each of them; unpack tells what has not come.")


def packages(python: str, without: Collection[str] = ()) -> list[str]:
    """`name==version` of the packages to carry: what pyproject.toml needs and what that needs, without `PRESENT`.

    Versions are those of constraints.txt; what needs what, this environment says.

    Raises:
        SystemExit: constraints.txt does not have one of them.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins: dict[str, tuple[str, str]] = {
        canonicalize_name(n): (n, v) for n, v in re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting, left_out = [*project["dependencies"], *TOOLS], PRESENT.union(map(canonicalize_name, without))
    target = {"extra": "", "python_version": python, "python_full_version": f"{python}.0"}
    found: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found | left_out or not (requirement.marker is None or requirement.marker.evaluate(target)):
            continue
        if name not in pins:
            raise SystemExit(f"constraints.txt has no version of {name}; expected one, as it is to be carried.")
        found.add(name)
        waiting += requires(name) or []
    return ["==".join(pins[name]) for name in sorted(found)]


def download(names: Sequence[str], directory: Path, python: str) -> None:
    """Wheels for Linux on x86-64, with pip; those that are no longer asked for go.

    Raises:
        SystemExit: pip cannot.
    """
    directory.mkdir(parents=True, exist_ok=True)
    platforms = [f"--platform={name}" for name in PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        places = [f"--find-links={directory}", "--dest", scratch]
        if subprocess.run([*command, *places, *names], check=False).returncode:
            raise SystemExit("pip could not download the wheels; its message is above.")
        shutil.rmtree(directory)
        shutil.copytree(scratch, directory)


def split(files: Mapping[str, Path], directory: Path, part_bytes: int) -> dict[str, Any]:
    """Cut files into parts; returns what `parts.json` holds.

    Args:
        files: where each goes, relative to the root of the checkout, and where it is.
        directory: for the parts; emptied first.
        part_bytes: most bytes of a part.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    listing: dict[str, Any] = {"part_bytes": part_bytes, "parts": [], "files": []}
    with tempfile.TemporaryFile(dir=directory) as whole:
        for name, path in files.items():
            start = whole.tell()
            with path.open("rb") as file:
                shutil.copyfileobj(file, whole)
                file.seek(0)
                digest = file_digest(file, "sha256").hexdigest()
            listing["files"].append({"path": name, "start": start, "bytes": whole.tell() - start, "sha256": digest})
        whole.seek(0)
        while block := whole.read(part_bytes):
            name = f"part-{len(listing['parts']) + 1:02}"
            (directory / name).write_bytes(block)
            listing["parts"].append({"name": name, "bytes": len(block), "sha256": sha256(block).hexdigest()})
    (directory / LISTING).write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    return listing


def unpack(home: Path, root: Path) -> int:
    """Write and install what has arrived, and print which parts are missing; the exit code is pip's."""
    missing = join(home / "parts", root)
    wheels = sorted((home / "wheels").glob("*.whl"))
    site = (
        home / "site-packages"
    )  # by this name dill, which datasets hashes with, knows modules that it need not look into
    new = [w for w in wheels if not (site / f"{'-'.join(w.name.split('-')[:2])}.dist-info").is_dir()]
    code = install(new, site) if new else 0
    print(f"{len(wheels)} packages in {site}, {len(new)} of them new." if not code else "pip could not install them.")
    print(f"Missing: {', '.join(missing)}." if missing else "Nothing is missing. Next: sh scripts/gpu_day.sh run")
    return code


def join(directory: Path, root: Path) -> list[str]:
    """Write every file whose parts are there; the names of the parts that others wait for.

    Raises:
        SystemExit: there is no list of the parts.
    """
    if not (directory / LISTING).is_file():
        raise SystemExit(f"{directory / LISTING} is not there; expected it beside the parts that pack made.")
    listing = json.loads((directory / LISTING).read_text(encoding="utf-8"))
    good = [_digest(directory / part["name"]) == part["sha256"] for part in listing["parts"]]
    missing: set[int] = set()
    for file in listing["files"]:
        target = root / file["path"]
        if _digest(target) == file["sha256"]:
            continue
        end = file["start"] + file["bytes"]
        needed = range(file["start"] // listing["part_bytes"], -(-end // listing["part_bytes"]))
        if lost := {index for index in needed if not good[index]}:
            missing |= lost
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{target.name}.new")
        scratch.write_bytes(b"".join(_slice(directory, listing, index, file["start"], end) for index in needed))
        os.replace(scratch, target)
    return [listing["parts"][index]["name"] for index in sorted(missing)]


def install(wheels: Sequence[Path], site: Path) -> int:
    """Install wheels into a folder of their own: the machine's environment stays as it is. The exit code is pip's."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-compile", "--upgrade", "--target", str(site), *map(str, wheels)]
    return subprocess.run(command, check=False).returncode


def _slice(directory: Path, listing: dict[str, Any], index: int, start: int, end: int) -> bytes:
    """What lies between two places of the whole, as far as one part has it."""
    offset = index * listing["part_bytes"]
    with (directory / listing["parts"][index]["name"]).open("rb") as part:
        part.seek(max(0, start - offset))
        return part.read(end - max(offset, start))


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
