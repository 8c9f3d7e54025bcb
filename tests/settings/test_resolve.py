"""A dry run finds what the run would find, in the same order, and the Python API finds it too."""

import json
import shutil

import pytest
import yaml

import stepalign
from stepalign.cli import main
from stepalign.core.errors import ConfigError, StepalignError
from stepalign.micro import SOLVER_DIR
from stepalign.settings.commands import COMPARE, TRAIN
from stepalign.settings.given import given_values, read_given
from stepalign.settings.resolve import resolve_comparison, resolve_training

QUICK = ["--config", "micro", "--max_steps", "2", "--per_device_train_batch_size", "4", "--micro_num_train", "8"]
WRONG = [
    (["--condition", "stepalgin"], "unknown condition 'stepalgin'"),
    (["--condition", "stepalign", "--critic", "exct"], "unknown critic 'exct'"),
    (["--use_vllm", "true"], "use_vllm is set, and vLLM is not installed"),
    (["--model_name_or_path", "./none"], "no model directory './none'"),
    (["--prompt_templates", "bair"], "perhaps you meant 'bare'"),
    (["--train_problems", "none.jsonl"], "none.jsonl"),
    (["--micro_num_train", "3"], "do not fill one step"),
    (["--early_stopping_patience", "1"], "early_stopping_patience needs validation_problems"),
]


@pytest.fixture(autouse=True)
def no_vllm(monkeypatch):
    monkeypatch.setattr("stepalign.settings.resolve.is_vllm_available", lambda: False)


@pytest.mark.parametrize(("argv", "message"), WRONG)
def test_a_dry_run_finds_what_the_run_finds_and_nothing_is_written(argv, message, tmp_path, capsys):
    for more in (["--dry_run"], []):
        assert main(["train", *QUICK, *argv, *more, "--output_dir", str(tmp_path / "run")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize(("argv", "message"), WRONG[:3])
def test_a_comparison_finds_it_too(argv, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ["--conditions", argv[1], *argv[2:]] if argv[0] == "--condition" else argv
    assert main(["compare", *QUICK, *argv, "--save_steps", "1", "--dry_run"]) == 2
    assert message in capsys.readouterr().err


def test_the_critic_is_greeted_last_and_where_it_will_be_asked(tmp_path, monkeypatch):
    greeted = []
    monkeypatch.setattr("stepalign.settings.resolve.check_alive", lambda settings: greeted.append(settings.base_url))
    critic = ["--critic", "openai", "--critic_base_url", "http://there/v1", "--critic_model", "m"]
    out = ["--output_dir", str(tmp_path / "o")]

    def training(*argv, **options):
        return resolve_training(read_given(TRAIN, [*QUICK, *critic, *out, *argv]), **options)

    with pytest.raises(StepalignError, match="no model directory"):
        training("--model_name_or_path", "./none")
    training("--condition", "refsol")
    training("--condition", "stepalign", offline=True)
    training("--condition", "stepalign", asks_critic=False)  # the child of a comparison
    (tmp_path / "o" / "checkpoint-2").mkdir(parents=True)
    (tmp_path / "o" / "checkpoint-2" / "progress.json").write_text("{}")
    training("--condition", "stepalign")  # there is nothing left to do
    assert greeted == []
    training("--condition", "stepalign", "--max_steps", "3")
    compared = [*QUICK, *critic, "--save_steps", "1", "--conditions", "stepalign", "grpo", "--output_dir"]
    resolve_comparison(read_given(COMPARE, [*compared, str(tmp_path / "c")]))
    assert greeted == ["http://there/v1"] * 2


def test_from_python_the_same_is_found():
    for settings, message in (
        ({"use_vllm": True}, "vLLM is not installed"),
        ({"num_probes": 0}, "num_probes: got 0; expected 1 or more"),
        ({"lerning_rate": 1}, "perhaps you meant 'learning_rate'"),
    ):
        with pytest.raises(StepalignError, match=message):
            stepalign.train("micro", output_dir="never", condition="refsol", **settings)


def test_a_run_is_one_frozen_object():
    run = resolve_training(read_given(TRAIN, [*QUICK, "--condition", "refsol", "--output_dir", "o"]))
    assert (run.world, run.prompt_templates, run.critic.critic) == ("micro", "bare", "exact")
    assert len(run.problems["train"]) == 8 and run.problems["validation"] == []
    with pytest.raises(AttributeError):
        run.world = "own"
    with pytest.raises(AttributeError):
        run.training.condition = "grpo"


def test_keyword_arguments_flags_and_recipes_give_the_same_record(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("extends: micro\ncondition: refsol\nlearning_rate: 2e-4\nmicro_num_train: 8\n"
                      "per_device_train_batch_size: 4\noutput_dir: o\n")  # fmt: skip
    values = {"condition": "refsol", "learning_rate": 2e-4, "micro_num_train": 8, "per_device_train_batch_size": 4}
    flags = [part for name, value in {**values, "output_dir": "o"}.items() for part in (f"--{name}", str(value))]
    runs = [
        resolve_training(read_given(TRAIN, ["--config", str(recipe)])),
        resolve_training(read_given(TRAIN, ["--config", "micro", *flags])),
        resolve_training(given_values(TRAIN, "micro", {**values, "output_dir": "o"})),
    ]
    first, *others = (dict(run.record) for run in runs)
    assert all(record == first for record in others)


def test_a_comparison_counts_its_checkpoints():
    for steps, every, count in ((10, 5, 2), (11, 5, 3), (4, 9, 1)):
        argv = ["--config", "micro", "--max_steps", str(steps), "--save_steps", str(every)]
        assert resolve_comparison(read_given(COMPARE, argv)).num_checkpoints == count
    with pytest.raises(ConfigError, match="compare lacks\n  --max_steps, such as 70"):
        resolve_comparison(read_given(COMPARE, ["--config", "micro", "--max_steps", "-1"]))


def test_micro_settings_are_for_micro_models_and_all_that_is_missing_is_said_at_once(tmp_path, capsys):
    """A model of one's own without a recipe: nothing of the micro recipe is taken, not even by the dry run."""
    own = tmp_path / "own"
    shutil.copytree(SOLVER_DIR, own)
    config = json.loads((own / "config.json").read_text())
    del config["stepalign"]  # what makes it a model of the micro world
    (own / "config.json").write_text(json.dumps(config))
    argv = ["compare", "--model_name_or_path", str(own), "--output_dir", str(tmp_path / "run")]
    for more in ([], ["--dry_run"]):
        assert main([*argv, *more]) == 2
        error = capsys.readouterr().err
        for lacking in (
            "--train_problems, --validation_problems, --test_problems",
            "--max_steps",
            "a critic for stepalign",
        ):
            assert lacking in error
    assert not (tmp_path / "run" / "config.yaml").exists()
    problems = ["train", "validation", "test"]
    assert main(["micro", "--output_dir", str(tmp_path), "--num_train", "8"]) == 0
    files = [word for split in problems for word in (f"--{split}_problems", str(tmp_path / f"{split}.jsonl"))]
    size = ["--max_steps", "3", "--per_device_train_batch_size", "4"]
    capsys.readouterr()
    assert main([*argv, *files, *size, "--conditions", "grpo", "refsol", "--dry_run", "--show_all"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out.split("Dry run:")[0])
    assert (shown["prompt_templates"], shown["max_completion_length"], shown["critic"]) == ("steps", 2048, None)
    assert shown["learning_rate"] == 1e-6
    argv[2] = "micro"
    assert main([*argv, "--dry_run", "--show_all"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out.split("Dry run:")[0])
    assert (shown["prompt_templates"], shown["max_completion_length"], shown["critic"]) == ("bare", 160, "exact")
