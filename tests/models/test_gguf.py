"""GGUF files, written here from a small model of random weights."""

import json
import shutil
import sys
from pathlib import Path

import gguf
import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from stepalign.core.errors import ModelError
from stepalign.models import load_model
from stepalign.models.gguf import main, unpack
from stepalign.models.loading import check_model
from stepalign.models.random_init import save_random_qwen3

TEXT = "<step_1>3 rows of 4 are 12.</step_1>\n\n<answer>12</answer>"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The model as a directory; the tests' GGUF file holds the same numbers."""
    directory = save_random_qwen3(tmp_path_factory.mktemp("saved") / "model", [TEXT] * 20)
    config = Qwen3Config.from_pretrained(directory, head_dim=128)  # every Qwen3 has that, and the reader takes it so
    Qwen3ForCausalLM(config).save_pretrained(directory)
    return directory


@pytest.fixture
def file(saved, tmp_path) -> Path:
    return write_gguf(saved, tmp_path / "small.gguf")


def write_gguf(directory: Path, path: Path, architecture: str = "qwen3") -> Path:
    model, tokenizer = load_model(str(directory), device="cpu")
    config, writer = model.config, gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    _write_tokenizer(writer, tokenizer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    for name, tensor in model.named_parameters():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor.detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer) -> None:
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    special = {*tokenizer.all_special_tokens}
    added = {*tokenizer.get_added_vocab()}
    kinds = [3 if token in special else 4 if token in added else 1 for token in tokens]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def test_a_file_is_the_model_that_was_written(saved, file):
    (ours, our_tokenizer), (theirs, tokenizer) = (
        load_model(str(file), device="cpu"),
        load_model(str(saved), device="cpu"),
    )
    assert our_tokenizer.chat_template == tokenizer.chat_template
    assert our_tokenizer.padding_side == "left"
    ids = torch.tensor([tokenizer([TEXT])["input_ids"][0]])
    assert our_tokenizer([TEXT])["input_ids"][0] == ids[0].tolist()
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs(ids).logits)
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    assert ours.name_or_path == str(file)
    assert not getattr(ours, "is_quantized", False)  # it can be trained and saved


def test_a_tokenizer_can_be_changed_without_changing_the_next_one(file):
    load_model(str(file), device="cpu").tokenizer.chat_template = "changed"
    assert load_model(str(file), device="cpu").tokenizer.chat_template != "changed"


def test_unpacked_it_is_the_same_model_as_a_directory(file, tmp_path, monkeypatch, capsys):
    directory = tmp_path / "unpacked"
    monkeypatch.setattr(sys, "argv", ["gguf", str(file), "--output_dir", str(directory)])
    main()
    assert capsys.readouterr().out.strip() == str(directory)
    (packed, _), (plain, tokenizer) = load_model(str(file), device="cpu"), load_model(str(directory), device="cpu")
    ids = torch.tensor([tokenizer([TEXT])["input_ids"][0]])
    with torch.no_grad():
        assert torch.equal(packed(ids).logits, plain(ids).logits)


def test_a_file_that_is_cut_off_says_by_how_much(file):
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(size - 1)
    with pytest.raises(ModelError, match=rf"cut off: it has {size - 1:,} of {size:,} bytes"):
        check_model(str(file))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_gguf_file_is_told_so(tmp_path, content):
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(ModelError, match="is no GGUF file, or damaged"):
        check_model(str(tmp_path / "broken.gguf"))


def test_an_architecture_that_is_not_read_is_named_before_loading(saved, tmp_path):
    path = write_gguf(saved, tmp_path / "other.gguf", architecture="clip")
    with pytest.raises(ModelError, match="the architecture 'clip', which transformers"):
        check_model(str(path))


def test_without_the_package_it_says_how_to_install_it(file, monkeypatch):
    monkeypatch.setattr("stepalign.models.gguf.is_gguf_available", lambda: False)
    with pytest.raises(ModelError, match=r"pip install 'stepalign\[gguf\]'"):
        unpack(str(file), file.parent / "out")


def test_a_directory_that_holds_a_file_names_it(file):
    shutil.copy(file, file.parent / "copy.gguf")
    with pytest.raises(ModelError, match=r"It holds .*copy\.gguf: give that file"):
        check_model(str(file.parent))


def test_a_missing_file_is_told_at_once():
    with pytest.raises(ModelError, match=r"no GGUF file 'missing\.gguf'"):
        check_model("missing.gguf")
