"""Critiques as datasets of other trainers."""

import json
from pathlib import Path

import pytest
from datasets import load_dataset

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.models.random_init import save_random_qwen3

PROBLEMS = [{"id": f"p{i}", "problem": f"Start with {i + 20}. Add 30.", "answer": str(i + 50)} for i in range(4)]


def sample(i, number):
    text = f"<step_1>First add 30: {i}+0={i}; 2+3=5. So {number}.</step_1>\n<answer>{number}</answer>"
    return {"problem_id": f"p{i}", "sample": 0, "text": text}


@pytest.fixture
def critique(tmp_path, monkeypatch):
    """The command on four samples, of which the exact critic can verify all."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "p.jsonl", PROBLEMS)
    write_jsonl(tmp_path / "s.jsonl", [sample(i, 50 + i if i else 51) for i in range(4)])
    argv = ["critique", "--problems", "p.jsonl", "--samples", "s.jsonl", "--critic", "exact", "--output_dir", "out"]
    return lambda *more: main([*argv, *more])


def exported(critique, format, name="rows.jsonl"):
    assert critique("--export", format, "--export_file", name) == 0
    return read_jsonl(Path(name))


def contexts():
    return [row["text"] for row in read_jsonl(Path("out/critiques.jsonl")) if row["status"] == "verified"]


def test_each_format_has_its_columns(critique, capsys):
    rows = exported(critique, "trl")
    assert "rows.jsonl: 4 rows for trl" in capsys.readouterr().out
    assert [set(row) for row in rows] == [{"prompt", "privileged_context"}] * 4
    assert [row["privileged_context"] for row in rows] == contexts()
    (message,) = rows[0]["prompt"]
    assert message["role"] == "user" and message["content"].startswith("Start with 20. Add 30.")
    swift = exported(critique, "ms-swift")
    assert [set(row) for row in swift] == [{"messages", "teacher_prompt"}] * 4
    assert swift[0]["messages"] == rows[0]["prompt"]
    for row, context in zip(swift, contexts(), strict=True):
        assert context in row["teacher_prompt"] and row["teacher_prompt"].startswith("Start with")
    verl = exported(critique, "verl")
    assert set(verl[0]) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert verl[0]["reward_model"] == {"style": "rule", "ground_truth": "50"}
    assert verl[0]["extra_info"]["context"] == contexts()[0] and verl[0]["extra_info"]["id"] == "p0"
    flat = exported(critique, "jsonl")
    assert [(row["id"], row["case"], row["first_wrong_step"]) for row in flat][:2] == [
        ("p0", "D", 1),
        ("p1", "A", None),
    ]


def test_only_verified_critiques_are_rows(critique, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from stepalign import Critique\n"
        "def critic(rollout):\n"
        "    return Critique('A', None, (), '50', judgement='')\n"  # right for p0 alone, whose text is not
    )
    write_jsonl(tmp_path / "s.jsonl", [sample(0, 50), sample(1, 77)])
    critique("--critic", "mine.py:critic", "--export", "jsonl", "--export_file", "rows.jsonl")
    assert [row["id"] for row in read_jsonl(Path("rows.jsonl"))] == ["p0"]


def test_parquet_holds_the_same(critique):
    rows = exported(critique, "verl")
    assert critique("--export", "verl", "--export_file", "deep/rows.parquet") == 0
    assert load_dataset("parquet", data_files="deep/rows.parquet", split="train").to_list() == rows


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--export", "trl"], "--export and --export_file come together"),
        (["--export_file", "x.jsonl"], "--export and --export_file come together"),
        (["--export", "trl", "--export_file", "x.csv"], "got 'x.csv'; expected a name that ends in .jsonl or .parquet"),
        (["--export", "swift", "--export_file", "x.jsonl"], "swift"),
    ],
)
def test_what_is_wrong_is_said_before_anybody_is_asked(critique, capsys, tmp_path, argv, words):
    assert critique(*argv) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_trls_sdft_trainer_takes_a_step_on_it(critique, tmp_path):
    from transformers import AutoTokenizer
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    assert critique("--export", "trl", "--export_file", "rows.jsonl") == 0
    model = save_random_qwen3(tmp_path / "model", [json.dumps(PROBLEMS)])
    args = SDFTConfig(
        str(tmp_path / "sdft"), max_steps=1, per_device_train_batch_size=2, max_completion_length=8, report_to="none",
        bf16=False, save_strategy="no", use_cpu=True, num_generations=1,
    )  # fmt: skip
    dataset = load_dataset("json", data_files="rows.jsonl", split="train")
    tokenizer = AutoTokenizer.from_pretrained(model)
    trainer = SDFTTrainer(str(model), args=args, train_dataset=dataset, processing_class=tokenizer)
    assert trainer.train().global_step == 1
