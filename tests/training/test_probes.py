"""Probes: they measure the signal on fixed rollouts and leave the run exactly as it is."""

import copy
import json

import pytest
import torch
from peft import LoraConfig

from stepalign.cli import main
from stepalign.core.errors import ConfigError
from stepalign.core.files import read_jsonl
from stepalign.feedback.formats import FeedbackFormat
from stepalign.feedback.from_critiques import StepAlign
from stepalign.feedback.from_references import RefSol
from stepalign.grading import Grader
from stepalign.micro import World, exact_critique, make_problems
from stepalign.runs.files import PROBED, PROBES
from stepalign.settings.groups import TrainSettings
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.probes import Probes
from stepalign.training.self_distillation import SelfDistillationTrainer

PROBLEMS = make_problems(World(min_steps=2, max_steps=2, min_carries=2, max_carries=3), 24, seed=9)
LORA = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")


def critic(rollouts):
    return [exact_critique(r) for r in rollouts]


def grade(rollouts):
    with Grader() as grader:
        return [grader.grade(r.text, r.problem.answer) for r in rollouts]


@pytest.fixture
def trainer(micro_solver, tmp_path):
    def make(feedback=None, peft_config=None, **settings):
        args = SelfDistillationConfig(
            str(tmp_path),
            **{
                **{"per_device_train_batch_size": 8, "max_steps": 2, "learning_rate": 1e-3, "seed": 4},
                **{"lr_scheduler_type": "constant", "max_completion_length": 80, "gradient_checkpointing": False},
                **{"save_strategy": "no", "disable_tqdm": True, **settings},
            },
        )
        return SelfDistillationTrainer(
            copy.deepcopy(micro_solver.model),
            feedback=feedback or RefSol(),
            problems=PROBLEMS,
            args=args,
            prompt_templates="bare",
            processing_class=micro_solver.tokenizer,
            grade=grade,
            peft_config=peft_config,
        )

    return make


def probed(trainer, directory, **kwargs):
    probes = Probes(
        trainer, directory, **{"context": "refsol", "every": 2, "num_probes": 2, "critic": critic, **kwargs}
    )
    trainer.add_callback(probes)
    return probes


def curve(trainer):
    own = ("loss", "entropy", "grad_norm", "advantage/mean", "completions/mean_length", "rollouts/correct_rate")
    return [{key: row[key] for key in own} for row in trainer.state.log_history if "loss" in row]


def test_a_run_with_probes_is_the_run_without_them(trainer, tmp_path):
    plain = trainer()
    plain.train()
    watched = trainer()
    probed(watched, tmp_path, every=1)
    watched.train()
    assert curve(watched) == curve(plain) and len(curve(plain)) == 2
    for one, other in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(one, other)
    rows = read_jsonl(tmp_path / PROBES)
    assert [row["step"] for row in rows] == [0, 0, 1, 1, 2, 2]
    logged = watched.state.log_history[0]
    first = [row for row in rows if row["step"] in (0, 1)]
    assert logged["probe/mean_correct"] == pytest.approx(sum(row["mean_correct"] for row in first) / 4)
    assert all(row["context"] == "refsol" and 0 <= row["auroc"] <= 1 for row in rows)


def test_probes_are_the_first_failures_with_a_correct_step_before_the_wrong_one(trainer, tmp_path):
    seen = []

    class Recording(RefSol):
        def contexts(self, rollouts):
            seen.append(list(rollouts))
            return super().contexts(rollouts)

    run = trainer(Recording(), max_steps=1)
    probed(run, tmp_path, num_probes=3)
    run.train()
    expected = [
        (r.problem.id, exact_critique(r).first_wrong_step)
        for r in seen[0]
        if not r.grade.is_correct and (exact_critique(r).first_wrong_step or 0) > 1 and exact_critique(r).case != "B"
    ]
    kept = read_jsonl(tmp_path / PROBED)
    assert [(row["problem_id"], row["first_wrong_step"]) for row in kept] == expected[:3] and len(kept) >= 2


def test_conditions_share_their_probes(trainer, tmp_path):
    for name, feedback, asked in (("refsol", RefSol(), critic), ("stepalign", StepAlign(critic), None)):
        run = trainer(feedback, max_steps=1)
        probed(run, tmp_path / name, context=name, critic=asked)
        run.train()
    one, other = (read_jsonl(tmp_path / name / PROBED) for name in ("refsol", "stepalign"))
    assert one and [row["token_ids"] for row in one] == [row["token_ids"] for row in other]
    mean = {name: read_jsonl(tmp_path / name / PROBES)[0]["mean_correct"] for name in ("refsol", "stepalign")}
    assert mean["stepalign"] > mean["refsol"]


def expected_advantage(student, teacher, probe):
    ids = probe["token_ids"]

    def logp(model, prompt):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
        return logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None])[:, 0]

    taught = logp(teacher, probe["teacher_prompt_ids"])
    return (taught - logp(student, probe["student_prompt_ids"])).mean().item()


@pytest.mark.parametrize("settings", [{"peft_config": LORA, "learning_rate": 1e-2}, {}, {"teacher": "ema"}])
def test_the_student_of_now_is_scored_against_the_teacher_of_the_loss(trainer, tmp_path, settings):
    run = trainer(**settings)
    probed(run, tmp_path)
    run.train()
    student = copy.deepcopy(run.model).eval()
    with run.teacher_policy(run.model) as teacher:
        for row, probe in zip(read_jsonl(tmp_path / PROBES)[-2:], read_jsonl(tmp_path / PROBED), strict=True):
            assert row["step"] == 2
            assert row["mean_advantage"] == pytest.approx(expected_advantage(student, teacher, probe), abs=1e-4)
            assert sum(row["advantage"]) / len(probe["tokens"]) == pytest.approx(row["mean_advantage"], abs=1e-4)
            assert len(row["advantage"]) == len(probe["tokens"]) and "".join(probe["tokens"]).startswith(probe["text"])


def test_scoring_draws_no_random_number_and_restores_the_mode(trainer, tmp_path):
    run = trainer(max_steps=1)
    probes = probed(run, tmp_path)
    run.train()
    run.model.train()
    run.model.model.layers[0].eval()
    state = torch.get_rng_state()
    before = [module.training for module in run.model.modules()]
    assert probes.score(3) == probes.score(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in run.model.modules()] == before


def test_without_a_known_wrong_step_there_is_nothing_to_probe_and_it_says_so(trainer, tmp_path):
    run = trainer(max_steps=1, max_completion_length=8)
    probed(run, tmp_path, critic=None)
    with pytest.warns(UserWarning, match="no rollout of the first step can be probed"):
        run.train()
    assert read_jsonl(tmp_path / PROBES) == []


def test_contexts_are_those_of_the_format_inside(trainer, tmp_path):
    class Never(FeedbackFormat):
        def contexts(self, rollouts):
            return [None for _ in rollouts]

    run = trainer(Never(), max_steps=1, max_completion_length=8)
    probed(run, tmp_path)
    with pytest.warns(UserWarning, match="no rollout"):
        run.train()
    assert run.state.log_history[0]["feedback/none_rate"] == 1.0


QUICK = ["train", "--config", "micro", "--condition", "refsol", "--save_steps", "2", "--num_probes", "2",
         "--per_device_train_batch_size", "8", "--max_completion_length", "60", "--micro_num_train", "8"]  # fmt: skip


@pytest.mark.slow
def test_a_run_taken_up_again_has_the_rows_of_one_that_was_not_stopped(tmp_path, capsys):
    def go(out, *more):
        return main([*QUICK, "--probe_steps", "1", "--output_dir", str(out), *more])

    assert go(tmp_path / "whole", "--max_steps", "4") == 0
    assert go(tmp_path / "parts", "--max_steps", "2") == 0
    with (tmp_path / "parts" / PROBES).open("a") as file:  # steps of a run that was killed before its checkpoint
        file.write(json.dumps({"step": 3, "probe": 0}) + "\n" + '{"step": 3, "pro')
    assert go(tmp_path / "parts", "--max_steps", "4") == 0
    whole, parts = (read_jsonl(tmp_path / name / PROBES) for name in ("whole", "parts"))
    assert parts == whole and {row["step"] for row in whole} == {0, 1, 2, 3, 4}
    assert json.loads((tmp_path / "whole" / "probes" / "ledger.json").read_text())["num_verified"] > 0
    assert any("probe/mean_correct" in row for row in read_jsonl(tmp_path / "whole" / "metrics.jsonl"))


def test_off_by_default_and_checked(tmp_path):
    assert TrainSettings().probe_steps == 0
    for wrong in ({"probe_steps": -1}, {"num_probes": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            TrainSettings(**wrong)
