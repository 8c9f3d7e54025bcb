"""GGUF files as models: transformers' own reader, and every weight unpacked to a plain number.

Each loading unpacks anew, 20 s for 135 million parameters. What is used often is better saved once as a directory:

    python -m stepalign.models.gguf FILE.gguf --output_dir DIRECTORY
"""

from __future__ import annotations

import argparse
import copy
import struct
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers.pre_tokenizers import ByteLevel, Digits
from tokenizers.pre_tokenizers import Sequence as InTurn
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, __version__
from transformers.integrations.gguf import is_gguf_arch_supported
from transformers.integrations.gguf.reader import _read_metadata, _read_tensor_table
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES
from transformers.utils.import_utils import is_gguf_available

from stepalign.core.errors import ModelError, first_line

SUFFIX = ".gguf"


def is_gguf(name: str) -> bool:
    """Whether a model's name is that of a GGUF file, by its ending."""
    return name.lower().endswith(SUFFIX)


def check_gguf(path: Path) -> None:
    """Look at a GGUF file's header, without reading the weights.

    Raises:
        ModelError: there is no such file, it is damaged, cut off or one part of several, transformers does not know
            its architecture, or the package that reads it is missing.
    """
    if not path.is_file():
        raise ModelError(f"no GGUF file '{path}'. Expected a model's file, or a directory saved by save_pretrained.")
    if not is_gguf_available():
        raise ModelError(f"'{path}' needs the package gguf to be read. Install it: pip install 'stepalign[gguf]'.")
    try:
        metadata, end = _read_header(path)
    except (ValueError, LookupError, struct.error) as error:
        why = first_line(error).rstrip(".")
        raise ModelError(f"'{path}' is no GGUF file, or damaged: {why}. Download it again.") from None
    has = path.stat().st_size
    if has < end:
        raise ModelError(f"'{path}' is cut off: it has {has:,} of {end:,} bytes. Copy or download it again.")
    if metadata.get("split.count", 1) > 1:
        raise ModelError(f"'{path}' is one part of {metadata['split.count']}. Join them: llama-gguf-split --merge.")
    architecture = str(metadata["general.architecture"])
    spellings = {architecture, architecture.replace("-", "_"), architecture.replace("moe", "_moe")}
    if not spellings & {*GGUF_SUPPORTED_ARCHITECTURES} and not is_gguf_arch_supported(architecture):
        raise ModelError(
            f"'{path}' has the architecture '{architecture}', which transformers {__version__} does not read from "
            "GGUF. Give the model as a directory saved by save_pretrained, or a hub name."
        )


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """A file's metadata, and how many bytes it must have."""
    from gguf import GGML_QUANT_SIZES

    blob = np.memmap(path, mode="r", dtype=np.uint8)
    metadata, num_tensors, position = _read_metadata(blob, str(path))
    table, position = _read_tensor_table(blob, num_tensors, position)
    alignment = metadata.get("general.alignment", 32)
    start = -(-position // alignment) * alignment
    ends = [start]
    for _, shape, kind, offset in table:
        per_block, block_bytes = GGML_QUANT_SIZES[kind]
        ends.append(start + offset + prod(shape) // per_block * block_bytes)
    return metadata, max(ends)


def gguf_arguments(name: str, dtype: str = "auto") -> dict[str, Any]:
    """What `from_pretrained` is told of a GGUF file, beside the directory that it is in.

    Args:
        name: the file.
        dtype: float32, bfloat16 or float16; auto is float32, for the file has none of its own.
    """
    dtype = "float32" if dtype == "auto" else dtype
    return {"gguf_file": Path(name).name, "quantization_config": GgufConfig(dequantize=True), "dtype": dtype}


def call_by_file(model: PreTrainedModel, name: str) -> None:
    """Let a model go by its file instead of the file's directory: an adapter trained on it says what it is for."""
    model.name_or_path = model.config.name_or_path = name


def load_gguf_tokenizer(name: str) -> Any:
    """The tokenizer in a GGUF file, padding on the left; the file is read once, and each call has a copy."""
    path = Path(name).resolve()
    return copy.deepcopy(_tokenizer(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=2)
def _tokenizer(path: Path, changed: int) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, padding_side="left")
    if _read_header(path)[0].get("tokenizer.ggml.pre") == "smollm":
        # it splits at digits first, so that line breaks before one stay together; transformers takes GPT-2's way
        parts = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = InTurn(parts)
    return tokenizer


def unpack(name: str, directory: Path, dtype: str = "float32") -> Path:
    """Save the model and tokenizer of a GGUF file as a Hugging Face directory; returns the directory.

    Raises:
        ModelError: the file cannot be read, or the directory is there already.
    """
    if directory.exists():
        raise ModelError(f"'{directory}' exists already. Remove it, or give another --output_dir.")
    check_gguf(Path(name))
    try:
        model = AutoModelForCausalLM.from_pretrained(Path(name).parent, **gguf_arguments(name, dtype))
        tokenizer = load_gguf_tokenizer(name)
    except Exception as error:  # transformers raises many kinds
        raise ModelError(f"cannot load the model '{name}': {first_line(error)}") from error
    partial = directory.with_name(f"{directory.name}.partial")
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    return partial.rename(directory)


def main() -> None:
    """The command line: a file in, a directory out."""
    parser = argparse.ArgumentParser(
        prog="python -m stepalign.models.gguf",
        description="Save the model of a GGUF file, weights unpacked, as a Hugging Face directory, which loads fast.",
    )
    parser.add_argument("file", help="the GGUF file")
    parser.add_argument("--output_dir", type=Path, required=True, help="where model and tokenizer go")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32", help="of the weights")
    args = parser.parse_args()
    try:
        print(unpack(args.file, args.output_dir, args.dtype))
    except ModelError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
