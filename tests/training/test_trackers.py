"""What TensorBoard is told of a run: its name, the study's settings, and validation under its own name."""

import json

import pytest

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.micro import World, make_problems

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
)
QUICK = ["train", "--config", "micro", "--save_steps", "1", "--per_device_train_batch_size", "2", "--num_samples", "2",
         "--max_completion_length", "24", "--micro_num_train", "8", "--report_to", "tensorboard"]  # fmt: skip


def read(directory):
    events = event_accumulator.EventAccumulator(str(directory))
    events.Reload()
    return events


@pytest.mark.parametrize("condition", ["refsol", "grpo"])
def test_a_run_has_a_name_its_settings_and_its_validation(tmp_path, condition):
    problems, out = tmp_path / "validation.jsonl", tmp_path / "run"
    write_jsonl(problems, (p.to_json() for p in make_problems(World(), 2, seed=77)))
    argv = [*QUICK, "--condition", condition, "--num_generations", "2", "--output_dir", str(out)]
    argv += ["--validation_problems", str(problems), "--seed", "7", "--grpo_equal", "prompts"]
    assert main([*argv, "--max_steps", "1"]) == 0
    assert main([*argv, "--max_steps", "2"]) == 0
    (directory,) = (out / "runs").iterdir()  # a run taken up again goes on in the same curve
    assert directory.name == f"{condition} seed 7"
    events = read(directory)
    told = [(event.step, event.value) for event in events.Scalars("validation/mean_length")]
    expected = [(row["step"], row["validation"]["mean_length"]) for row in read_jsonl(out / "evaluations.jsonl")]
    assert told == expected and [step for step, _ in told] == [1, 2]
    assert {"validation/avg@2", "validation/unparseable_rate", "validation/truncated_rate", "train/loss"} <= {
        *events.Tags()["scalars"]
    }
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("train/validation")]
    told = json.loads(events.Tensors("args/text_summary")[0].tensor_proto.string_val[0])
    assert told["condition"] == condition and told["validation_problems"] == str(problems)
    assert told["critic"] == "exact" and told["world"] == "micro" and told["max_completion_length"] == 24
    assert told["gradient_accumulation_steps"] == (2 if condition == "grpo" else 1)  # TRL's own, as it trains


def test_a_name_of_ones_own_stands(tmp_path):
    argv = [*QUICK, "--condition", "refsol", "--max_steps", "1", "--run_name", "mine", "--output_dir", str(tmp_path)]
    assert main(argv) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mine"]
