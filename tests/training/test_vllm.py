"""With `use_vllm` rollouts are TRL's to make: real trainers with a scripted stand-in for its vLLM client."""

import copy

import pytest

from stepalign.core.files import read_jsonl
from stepalign.core.rollout import Grade, Outcome
from stepalign.feedback.from_references import RefSol
from stepalign.micro import World, make_problems
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.grpo import GroupTrainer, grpo_config
from stepalign.training.rollouts import RolloutLog
from stepalign.training.self_distillation import SelfDistillationTrainer

PROBLEMS = make_problems(World(), 4, 0)
NUM_STEPS = 2


class ScriptedVllm:
    """Gives what TRL's client does: token ids, and a list of log-probabilities for each, the sampled one first."""

    def __init__(self, tokenizer):
        self.texts = ["<step_1>1+1=2</step_1><answer>2</answer>", "<answer>3</answer>"]
        self.ids = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in self.texts]
        self.num_syncs, self.num_prompts = 0, 0

    def sync_weights(self):
        self.num_syncs += 1

    def generate(self, prompts, images, num_generations, profiler):
        completions = [self.ids[(self.num_prompts + i) % 2] for i in range(len(prompts))]
        self.num_prompts += len(prompts)
        return prompts, completions, [[[-1.0] for _ in ids] for ids in completions], None


@pytest.mark.parametrize("condition", ["refsol", "grpo"])
def test_rollouts_come_from_vllm_with_the_weights_of_each_step(micro_solver, tmp_path, condition):
    args = SelfDistillationConfig(
        str(tmp_path),
        per_device_train_batch_size=2,
        max_steps=NUM_STEPS,
        learning_rate=1e-3,
        max_completion_length=64,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_tqdm=True,
    )
    shared = {
        "problems": PROBLEMS,
        "prompt_templates": "bare",
        "processing_class": micro_solver.tokenizer,
        "rollout_log": RolloutLog(tmp_path / "rollouts.jsonl"),
    }
    model, tokenizer = copy.deepcopy(micro_solver.model), micro_solver.tokenizer
    if condition == "grpo":

        def grade(rollouts):
            return [Grade(Outcome.CORRECT if r.text.startswith("<step_1>") else Outcome.WRONG) for r in rollouts]

        trainer = GroupTrainer(model, args=grpo_config(args, 2), grade=grade, **shared)
    else:
        trainer = SelfDistillationTrainer(model, feedback=RefSol(), args=args, **shared)
    trainer.use_vllm, trainer.vllm_generation = True, ScriptedVllm(tokenizer)
    trainer._last_loaded_step = -1
    trainer.train()
    rows = read_jsonl(tmp_path / "rollouts.jsonl")
    assert len(rows) == trainer.vllm_generation.num_prompts == NUM_STEPS * 2 * (2 if condition == "grpo" else 1)
    assert {row["text"] for row in rows} == set(trainer.vllm_generation.texts)
    assert trainer.vllm_generation.num_syncs == NUM_STEPS
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(losses) == NUM_STEPS and all(loss == loss for loss in losses)
    weights = zip(trainer.model.parameters(), micro_solver.model.parameters(), strict=True)
    assert any((a != b).any() for a, b in weights)
