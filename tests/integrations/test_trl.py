"""TRL's own trainers, on a tiny model, with our rewards and critiques of the very rollouts."""

import json
import re

import pytest
from datasets import Dataset

from stepalign import Problem
from stepalign.core.errors import ConfigError, DataError
from stepalign.integrations.trl import LiveFeedback
from stepalign.models.random_init import save_random_qwen3

PROBLEMS = [Problem(f"p{i}", f"Start with {i + 20}. Add 30.", str(i + 50)) for i in range(4)]
PROMPTS = [[{"role": "user", "content": problem.problem}] for problem in PROBLEMS]
RIGHT = "<step_1>First add 30: 0+0=0; 2+3=5. So 50.</step_1>\n<answer>50</answer>"
COMMON = {
    "max_steps": 1, "per_device_train_batch_size": 4, "max_completion_length": 8, "report_to": "none", "bf16": False,
    "save_strategy": "no", "use_cpu": True, "num_generations": 2, "logging_steps": 1,
}  # fmt: skip


@pytest.fixture
def feedback(tmp_path):
    made = LiveFeedback(PROBLEMS, critic="exact", output_dir=tmp_path / "feedback")
    yield made
    made.close()


def said(text):
    return [{"role": "assistant", "content": text}]


def test_rewards_and_contexts_are_of_the_same_rollouts(feedback, tmp_path):
    wrong = RIGHT.replace("50", "51")
    assert feedback(PROMPTS[:1] * 2, [said(RIGHT), said(wrong)]) == [1.0, 0.0]
    assert RIGHT.splitlines()[0] in feedback.contexts[0] and "<answer>50</answer>" in feedback.contexts[1]
    assert "51" not in feedback.contexts[1]
    assert json.loads((tmp_path / "feedback" / "ledger.json").read_text())["num_samples"] == 2


def test_without_problems_the_datasets_answers_count():
    feedback = LiveFeedback(feedback=None, grader=lambda text, problem: text == problem.answer)
    assert feedback(["2 + 2?", "3 + 3?"], ["4", "7"], answer=["4", "6"], trainer_state=object()) == [1.0, 0.0]
    assert feedback.contexts == [None, None]
    with pytest.raises(DataError, match="rollout 0 of the batch: it has no right answer: none of the columns gts"):
        feedback(["2 + 2?"], ["4"])


def test_what_could_not_be_graded_is_no_zero():
    feedback = LiveFeedback(feedback=None, grader=lambda text, problem: 1 / (text != "x"))
    assert feedback(["2 + 2?"] * 2, ["y", "x"], answer=["4", "4"]) == [1.0, None]


def test_a_format_that_needs_a_critic_says_so():
    with pytest.raises(ConfigError, match="feedback 'stepalign' needs a critic; got none"):
        LiveFeedback(PROBLEMS)


@pytest.fixture
def model(tmp_path):
    from transformers import AutoTokenizer

    path = save_random_qwen3(tmp_path / "model", [json.dumps([problem.to_json() for problem in PROBLEMS])])
    return {"model": str(path), "processing_class": AutoTokenizer.from_pretrained(path)}


@pytest.mark.slow
def test_sdpo_takes_a_step_on_live_critiques(feedback, model, tmp_path):
    from trl.experimental.sdpo import SDPOConfig, SDPOTrainer

    def trainer(**more):
        args = SDPOConfig(str(tmp_path / "sdpo"), **COMMON, **more)
        dataset = Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS])
        return SDPOTrainer(reward_funcs=feedback, args=args, train_dataset=dataset, **model)

    with pytest.raises(ConfigError, match=r"the trainer ignores feedback\. Set include_environment_feedback=True"):
        feedback.attach(trainer())
    sdpo = trainer(include_environment_feedback=True)
    feedback.attach(sdpo)
    assert sdpo.train().global_step == 1
    (row,) = (row for row in sdpo.state.log_history if "self_distillation/feedback_available_fraction" in row)
    assert row["self_distillation/feedback_available_fraction"] == row["self_distillation/feedback_used_fraction"] == 1
    assert len(feedback.contexts) == 4 and all(re.search("<step_1>", context) for context in feedback.contexts)


@pytest.mark.slow
def test_grpo_takes_a_step_on_our_rewards(feedback, model, tmp_path):
    from trl import GRPOConfig, GRPOTrainer

    dataset = Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS])
    grpo = GRPOTrainer(
        reward_funcs=feedback, args=GRPOConfig(str(tmp_path / "grpo"), **COMMON), train_dataset=dataset, **model
    )
    with pytest.raises(ConfigError, match="got GRPOTrainer, which has no teacher_context_builder"):
        feedback.attach(grpo)
    assert grpo.train().global_step == 1
    row = next(row for row in grpo.state.log_history if "feedback/context_rate" in row)
    assert row["feedback/context_rate"] == 1 and row["rewards/stepalign/mean"] == 0
