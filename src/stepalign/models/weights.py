"""Weights on disk, looked at before they are loaded, and what does not fit when they are.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as empty:
...     check_weights(Path(empty), "adapter")
Traceback (most recent call last):
stepalign.core.errors.ModelError: ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stepalign.core.errors import ModelError, first_line

POINTER = b"version https://git-lfs.github.com/spec/"
POINTER_BYTES = 1024  # no pointer of Git LFS is longer
WEIGHTS = {  # what one of must be there; a model may have it under other names, which transformers then looks for
    "model": (),
    "adapter": ("adapter_model.safetensors", "adapter_model.bin"),
}
SIZES = re.compile(r"size mismatch for (\S+): copying a param with shape [^[]*(\[[^]]*\])[^[]*(\[[^]]*\])")  # torch's
SHOWN = 2  # tensors that a message names


def check_weights(directory: Path, what: str) -> None:
    """Look at the files of a model or an adapter, without reading the weights.

    Args:
        what: model or adapter.
    Raises:
        ModelError: there are no weights, or a file is cut off or a pointer of Git LFS.
    """
    names = WEIGHTS[what]
    if names and not any((directory / name).is_file() for name in names):
        raise ModelError(
            f"the {what} '{directory}' has no weights; expected {' or '.join(names)} in it. Copy the whole directory."
        )
    files = sorted(path for path in directory.iterdir() if path.is_file())
    pointers = [path.name for path in files if _is_pointer(path)]
    if pointers:
        raise ModelError(
            f"the {what} '{directory}' was cloned without its large files: {_some(pointers)} only points to one (Git "
            "LFS). Run git lfs pull there, or download it again."
        )
    for path in files:
        if path.suffix == ".safetensors":
            _check_whole(path, what)


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size > POINTER_BYTES:
        return False
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def _check_whole(path: Path, what: str) -> None:
    has = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= has else b""
    expected = 8 + length
    if header and len(header) == length:
        try:
            tensors: dict[str, Any] = json.loads(header)
            expected += max(
                (entry["data_offsets"][1] for entry in tensors.values() if "data_offsets" in entry), default=0
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ModelError(f"{path} of the {what} is damaged: its header is no JSON. Download it again.") from None
    if has < expected:
        size = f"it has {has:,} of {expected:,} bytes" if length < 2**30 else f"it has {has:,} bytes"
        raise ModelError(f"{path} of the {what} is cut off or damaged: {size}. Copy or download it again.")


def check_fit(name: str, mismatched: Iterable[tuple[str, Any, Any]]) -> None:
    """Raises ModelError where the weights have other shapes than the model's config asks for.

    Args:
        name: of the model.
        mismatched: as transformers lists them: the tensor's name, its shape in the file, its shape in the model.
    """
    unfit = [f"{key} is {list(got)} in the weights and {list(wanted)} by its config" for key, got, wanted in mismatched]
    if unfit:
        raise ModelError(
            f"cannot load the model '{name}': {_some(unfit)}. Use the weights and the config.json of the same model."
        )


def check_adapter_fits(adapter: str, name: str, saved: Iterable[str], used: Iterable[str]) -> None:
    """Raises ModelError where an adapter and a model have different modules, which would be passed over.

    Args:
        adapter, name: of the adapter and of the model that it was put on.
        saved: the names of the adapter's tensors in its file.
        used: their names in the model.
    """
    in_file, in_model = ({key for key in keys if "lora_" in key} for keys in (saved, used))
    unused, missing = sorted(in_file - in_model), sorted(in_model - in_file)
    if unused or missing:
        trouble = f"the model has no place for {_some(unused)}" if unused else f"the adapter lacks {_some(missing)}"
        raise _unfit(adapter, "does not fit", name, trouble)


def adapter_trouble(adapter: str, name: str, error: Exception) -> ModelError:
    """The error for an adapter that cannot be put on a model, with what does not fit."""
    sizes = SIZES.findall(str(error))
    unfit = [f"{key} is {got} in the adapter and {wanted} on the model" for key, got, wanted in sizes]
    why = _some(unfit) if unfit else first_line(error)
    verb = "does not fit" if unfit else "cannot be loaded onto"
    return _unfit(adapter, verb, name, why.rstrip("."))


def _unfit(adapter: str, verb: str, name: str, why: str) -> ModelError:
    return ModelError(f"the adapter '{adapter}' {verb} the model '{name}': {why}. {_made_for(adapter, name)}")


def base_of(adapter: str) -> str | None:
    """Name of the model that an adapter in a directory was made for, None where it does not say."""
    path = Path(adapter) / "adapter_config.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path") or None
    except (OSError, ValueError, AttributeError):
        return None


def _made_for(adapter: str, name: str) -> str:
    """What to do about an adapter that does not fit a model."""
    base = base_of(adapter)
    if base == name:
        return "It says that it was made for this very model: copy or train it again."
    return f"It was made for '{base}': give that model." if base else "Give the model that it was made for."


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return f"{'; '.join(names[:SHOWN])}{f' and {more} more' if more > 0 else ''}"
