"""The warm-started model of the study, of the model and the adapter that were carried.

    python -m scripts.gpu_day.merge MODEL ADAPTER TARGET

A model of 135 million parameters in float32 is half a gigabyte, its adapter a tenth of that. Where the target is there
already, nothing is done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def merge(model_path: str, adapter: str, target: Path) -> None:
    """Save a model with its LoRA adapter merged in."""
    if target.exists():
        print(f"{target} is there already.")
        return
    from stepalign.models import load_model  # torch takes seconds

    model: Any
    tokenizer: Any
    model, tokenizer = load_model(model_path, adapter, dtype="float32", device="cpu")
    scratch = target.with_name(f"{target.name}.new")
    model.merge_and_unload().save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    os.replace(scratch, target)
    print(target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: python -m scripts.gpu_day.merge MODEL ADAPTER TARGET")
    merge(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
