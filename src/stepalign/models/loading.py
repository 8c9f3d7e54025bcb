"""Load a causal LM and its tokenizer from a directory, a GGUF file or the hub, and say at once what is wrong when that
cannot work.

>>> from stepalign.micro import SOLVER_DIR
>>> model, tokenizer = load_model(str(SOLVER_DIR))      # or a hub's name; adapter="path/to/adapter"
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from stepalign.core.errors import ModelError, first_line
from stepalign.core.hub import connection_error
from stepalign.core.prompts import CHAT, DEFAULT_TEMPLATES, PLAIN_TEMPLATES, chat_template
from stepalign.core.tokenizer import Tokenizer
from stepalign.models.gguf import call_by_file, check_gguf, gguf_arguments, is_gguf, load_gguf_tokenizer
from stepalign.models.weights import adapter_trouble, base_of, check_adapter_fits, check_fit, check_weights

log = logging.getLogger(__name__)

CONFIG, ADAPTER = "config.json", "adapter_config.json"  # what makes a directory a model, or an adapter for one


class LoadedModel(NamedTuple):
    """A causal LM (PEFT's model where there is an adapter, which passes for it) and its tokenizer."""

    model: PreTrainedModel
    tokenizer: Tokenizer


def best_device() -> torch.device:
    """cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load_model(
    name: str,
    adapter: str | None = None,
    *,
    dtype: str = "auto",
    device: torch.device | str | None = None,
    prompt_templates: str | None = None,
) -> LoadedModel:
    """A model in evaluation mode on `device` (best available by default), and its tokenizer, padding on the left.

    Args:
        name: a directory saved by `save_pretrained`, a GGUF file, or a hub name.
        adapter: a directory or hub name of a PEFT adapter for it.
        dtype: auto (as saved; float32 for a GGUF file), float32, bfloat16 or float16.
        prompt_templates: family of the prompts, which may bring a chat template; None: the tokenizer's own.
    Raises:
        ModelError: no model there, the hub cannot be reached, or the files do not load.
    """
    check_model(name)
    if adapter is not None:
        check_model(adapter, marker=ADAPTER)
    model, tokenizer = _load_base(name, dtype), load_tokenizer(name, prompt_templates)
    if adapter is not None:
        model = _put_on(model, adapter, name)
    return LoadedModel(model.to(torch.device(device or best_device())).eval(), tokenizer)


def _load_base(name: str, dtype: str) -> Any:
    directory, options = pretrained_arguments(name, dtype)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            directory, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except Exception as error:  # transformers raises many kinds
        raise load_trouble(name, error) from error
    model, info = loaded
    if is_gguf(name):
        call_by_file(model, name)
    check_fit(name, info["mismatched_keys"])
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        log.warning("the weights of '%s' lack %d tensors, which are random now: %s", name, len(missing), missing[:3])
    return model


def pretrained_arguments(name: str, dtype: str) -> tuple[str, dict[str, Any]]:
    """Where and how `from_pretrained` finds a model: a directory or hub name, and its keyword arguments."""
    if is_gguf(name):
        return str(Path(name).parent), gguf_arguments(name, dtype)
    return name, {"dtype": dtype}


def load_trouble(name: str, error: Exception) -> ModelError:
    """The error for a model that transformers does not load, with the shapes where they are what does not fit."""
    if "ignore_mismatched_sizes" in str(error):  # it names none
        try:
            _load_base(name, "auto")
        except ModelError as told:
            return told
    return ModelError(f"cannot load the model '{name}': {first_line(error)}")


def _put_on(model: PreTrainedModel, adapter: str, name: str) -> Any:
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils.save_and_load import load_peft_weights

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found missing adapter keys")  # told below, as an error
            adapted = PeftModel.from_pretrained(model, adapter)
        saved, used = load_peft_weights(adapter, device="cpu"), get_peft_model_state_dict(adapted)
    except Exception as error:  # PEFT raises many kinds
        raise adapter_trouble(adapter, name, error) from error
    check_adapter_fits(adapter, name, saved, used)
    return adapted


def load_tokenizer(name: str, prompt_templates: str | None = None) -> Tokenizer:
    """The tokenizer of a model, padding on the left, with a padding token and the chat template of the prompts' family.

    Raises:
        ModelError: it does not load, or it has no chat template.
    """
    try:
        read = load_gguf_tokenizer if is_gguf(name) else partial(AutoTokenizer.from_pretrained, padding_side="left")
        tokenizer = read(name)
    except Exception as error:
        raise ModelError(f"cannot load the tokenizer of '{name}': {first_line(error)}") from error
    own = chat_template(prompt_templates) if prompt_templates is not None else None
    tokenizer.chat_template = own or tokenizer.chat_template
    if tokenizer.chat_template is None:
        raise ModelError(
            f"the tokenizer of '{name}' has no chat template, as with base models. Use an instruct model; or "
            f"--prompt_templates {PLAIN_TEMPLATES}, which brings a plain one; or a directory of templates of your own "
            f"with {CHAT} in it (docs/prompts.md)."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return cast("Tokenizer", tokenizer)


def own_defaults(config: PreTrainedConfig | None) -> dict[str, Any]:
    """What a model's config says of its use here: `{"prompt_templates", "max_new_tokens"}` under the key `stepalign`.

    The micro models carry it, and so do checkpoints trained from them; others have none.
    """
    return dict(getattr(config, "stepalign", None) or {})


def templates_for(given: str | None, own: Mapping[str, Any]) -> str:
    """The family of prompts: the one that was given, else what the model's `own_defaults` say, else `steps`."""
    return given or own.get("prompt_templates", DEFAULT_TEMPLATES)


def read_own_defaults(name: str) -> dict[str, Any]:
    """`own_defaults` of a model that is not loaded yet; `name` was checked before. A GGUF file has none."""
    from transformers import AutoConfig

    if is_gguf(name):
        return {}

    try:
        return own_defaults(AutoConfig.from_pretrained(name))
    except Exception as error:  # transformers raises many kinds
        raise load_trouble(name, error) from error


def is_adapter(name: str) -> bool:
    """Whether a directory holds an adapter and no whole model."""
    return (Path(name) / ADAPTER).is_file() and not (Path(name) / CONFIG).is_file()


def check_model(name: str, marker: str = CONFIG) -> None:
    """Fail fast where loading cannot work: no model directory, weights cut off, or a hub that cannot be reached.

    Raises:
        ModelError: with what was expected and the remedy.
    """
    path = Path(name)
    if is_gguf(name) and not path.is_dir():
        check_gguf(path)
        return
    if path.is_dir():
        if marker == CONFIG and is_adapter(name):
            raise ModelError(
                f"'{name}' is an adapter and no whole model. Give the model that it was made for, "
                f"{base_of(name) or 'its base'}, and '{name}' as its adapter."
            )
        if not (path / marker).is_file():
            files = [str(file) for file in sorted(path.iterdir()) if is_gguf(file.name)]
            meant = f" It holds {files[0]}: give that file." if files else ""
            raise ModelError(
                f"'{name}' is no model directory: it has no {marker}. Expected one saved by save_pretrained.{meant}"
            )
        check_weights(path, "adapter" if marker == ADAPTER else "model")
        return
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name:
        raise ModelError(
            f"no model directory '{name}'. Expected a directory saved by save_pretrained, a GGUF file, or a hub name."
        )
    try:
        if try_to_load_from_cache(name, marker) is not None:
            return
    except HFValidationError:
        raise ModelError(f"'{name}' is no model directory and no valid hub name. Give one of the two.") from None
    if constants.HF_HUB_OFFLINE:
        raise ModelError(
            f"'{name}' is not in the local cache and HF_HUB_OFFLINE is set. Unset it, or give a directory."
        )
    error = connection_error()
    if error is not None:
        raise ModelError(
            f"'{name}' is no local directory and the hub {constants.ENDPOINT} cannot be reached ({error}). "
            "Give a model directory, or connect to the network."
        )
