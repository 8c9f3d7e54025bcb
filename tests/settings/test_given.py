import pytest

from stepalign.core.errors import ConfigError
from stepalign.settings.commands import COMPARE, CURATE, TRAIN
from stepalign.settings.curate import CurateSettings
from stepalign.settings.given import given_values, read_given
from stepalign.settings.groups import ComparisonSettings, TrainSettings
from stepalign.settings.recipes import RECIPES, read_recipe
from stepalign.settings.resolve import resolve_critic
from stepalign.settings.trainer import parse_trainer


def parse(argv):
    given = read_given(TRAIN, argv)
    args, model_args, trl_given = parse_trainer(given.values, given.trl_flags)
    return given.make(TrainSettings), args, model_args, {**given.values, **trl_given}


def test_flags_win_over_the_recipe_and_the_recipe_over_defaults(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("learning_rate: 0.5\nmax_steps: 3\ncondition: refsol\n")
    study, args, _, given = parse(["--config", str(recipe), "--max_steps", "9", "--output_dir", str(tmp_path)])
    assert (args.learning_rate, args.max_steps, study.condition) == (0.5, 9, "refsol")
    assert given == {"learning_rate": 0.5, "max_steps": 9, "condition": "refsol", "output_dir": str(tmp_path)}


def test_one_recipe_does_not_leak_into_the_next(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("learning_rate: 0.5\n")
    parse(["--config", str(recipe), "--output_dir", str(tmp_path)])
    _, args, _, given = parse(["--output_dir", str(tmp_path)])
    assert args.learning_rate != 0.5 and "learning_rate" not in given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1", "unknown setting 'learning_rat'; perhaps you meant 'learning_rate'"),
        ("a: [1", "is no YAML"),
        ("- a\n- b", "expected a mapping"),
        ("divergence: forward_kk", "perhaps you meant 'forward_kl'"),
        ("max_steps: many", "expected a whole number"),
        ("max_steps: [1]", "expected one value"),
        ("learning_rate: fast", "expected a number"),
    ],
)
def test_a_bad_recipe_is_a_clear_error(tmp_path, text, message):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text)
    with pytest.raises(ConfigError, match=message):
        parse(["--config", str(recipe), "--output_dir", str(tmp_path)])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("answer_patterns: boxed", "answer_patterns", ["boxed"]),
        ("learning_rate: 1e-4", "learning_rate", 1e-4),
        ("max_steps: 7.0", "max_steps", 7),
    ],
)
def test_yaml_values_take_the_shape_of_their_setting(tmp_path, text, name, value):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text)
    study, args, _, _ = parse([f"--config={recipe}", "--output_dir", str(tmp_path)])
    assert (getattr(study, name) if hasattr(study, name) else getattr(args, name)) == value


def test_a_negated_flag_is_among_the_settings_given(tmp_path):
    _, args, _, given = parse(["--no_gradient_checkpointing", "--output_dir", str(tmp_path)])
    assert args.gradient_checkpointing is False and given["gradient_checkpointing"] is False


def test_an_unknown_flag_and_an_unknown_recipe_get_suggestions():
    with pytest.raises(ConfigError, match="perhaps you meant 'condition'"):
        parse(["--conditon", "grpo"])
    with pytest.raises(ConfigError, match="perhaps you meant 'micro'"):
        read_recipe("micr")
    with pytest.raises(ConfigError, match="--config: got nothing"):
        parse(["--config"])


@pytest.mark.parametrize("recipe", sorted(RECIPES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_parses(recipe, tmp_path):
    argv = ["--config", str(recipe), "--output_dir", str(tmp_path)]
    if recipe.stem.startswith("curate-"):
        assert read_given(CURATE, argv).make(CurateSettings).num_problems > 0
        return
    given = read_given(COMPARE, argv)
    assert given.make(ComparisonSettings).seeds == [0]
    assert parse_trainer(given.values, given.trl_flags)[0].max_steps > 0


def test_a_recipe_extends_another_and_its_own_settings_win(tmp_path):
    (tmp_path / "base.yaml").write_text("max_steps: 3\nseed: 1\n")
    (tmp_path / "middle.yaml").write_text("extends: base\nseed: 2\n")
    (tmp_path / "top.yaml").write_text("extends: middle\ncondition: refsol\n")
    assert read_recipe(str(tmp_path / "top.yaml")) == {"max_steps": 3, "seed": 2, "condition": "refsol"}
    (tmp_path / "micro-mine.yaml").write_text("extends: micro\nmax_steps: 1\n")
    assert read_recipe(str(tmp_path / "micro-mine.yaml"))["critic"] == "exact"


def test_recipes_that_extend_each_other_are_a_clear_error(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b\n")
    (tmp_path / "b.yaml").write_text("extends: a\n")
    with pytest.raises(ConfigError, match="extends itself"):
        read_recipe(str(tmp_path / "a.yaml"))


def test_the_paper_recipes_differ_in_the_condition_alone_and_hold_its_numbers():
    recipes = {name: read_recipe(f"paper/{name}") for name in ("grpo", "refsol", "stepalign")}
    assert [recipe.pop("condition") for recipe in recipes.values()] == ["grpo", "refsol", "stepalign"]
    base = read_recipe("paper/base")
    assert all(recipe == base for recipe in recipes.values())
    assert (base["lora_r"], base["lora_alpha"], len(base["lora_target_modules"])) == (64, 128, 7)
    assert (base["learning_rate"], base["temperature"], base["max_completion_length"]) == (5e-6, 1.1, 2048)
    assert (base["max_steps"], base["save_steps"], base["num_generations"]) == (70, 10, 8)


@pytest.mark.parametrize(("name", "devices"), [("base", 2), ("one-80gb", 1), ("one-24gb", 1), ("qwen3-0.6b", 1)])
def test_every_paper_recipe_takes_32_prompts_a_step(name, devices):
    recipe = read_recipe(f"paper/{name}")
    assert devices * recipe["per_device_train_batch_size"] * recipe["gradient_accumulation_steps"] == 32


def test_a_recipe_may_be_shared_among_commands_a_flag_may_not(tmp_path):
    """One my.yaml for train, preflight and compare; a flag that would have no effect is a mistake."""
    recipe = tmp_path / "my.yaml"
    recipe.write_text(
        "model_name_or_path: micro\nconditions: [refsol]\nseeds: [0, 1]\ntest_problems: t.jsonl\nmax_steps: 2\n"
    )
    assert read_given(TRAIN, ["--config", str(recipe)]).make(TrainSettings).condition == "stepalign"
    with pytest.raises(ConfigError, match="command line: unknown setting 'seeds'; perhaps you meant 'seed'"):
        read_given(TRAIN, ["--seeds", "0", "1"])


def test_the_record_of_a_run_without_a_critic_is_a_recipe(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("critic: null\nmax_steps: 3\n")
    for given in (read_given(TRAIN, ["--config", str(path)]), given_values(COMPARE, None, {"critic": None})):
        assert "critic" not in given.values and resolve_critic(given) is None
