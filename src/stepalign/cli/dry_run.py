"""`--dry_run`: what a run would do, without doing it: no weights, no hub, nothing written, a critic only greeted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from transformers import AutoConfig, AutoTokenizer

from stepalign.clients.alive import sign_of_life
from stepalign.core.prompts import chat_template, render_prompt
from stepalign.core.tokenizer import Tokenizer
from stepalign.feedback.conditions import GRPO, needs_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.models.loading import best_device
from stepalign.models.prompts import chat_prompts
from stepalign.settings.resolve import defaults_of_all
from stepalign.settings.run import ComparedRun, Run, record_of
from stepalign.training.plan import Plan, Workload, count_parameters, matrix_speed, plan_run

if TYPE_CHECKING:
    from transformers import PretrainedConfig

PROBLEMS_MEASURED = 200  # prompts whose tokens are counted; the mean of these stands for all


def print_training(run: Run, show_all: bool = False) -> None:
    """The settings as resolved, and what training one condition would take."""
    _print_settings(record_of(run.record, run.validation, run.evaluation), show_all)
    print_plan(run, [run.training.condition], 1, run.num_processes)


def print_comparison(run: ComparedRun, show_all: bool = False) -> None:
    """The settings as resolved, and what every condition and the evaluations would take."""
    chosen = run.comparison
    _print_settings(record_of(run.trainer.to_dict(), run.model, run.record), show_all)
    print_plan(run, chosen.conditions, len(chosen.seeds), chosen.num_processes)
    num_models = 1 + run.num_checkpoints * len(chosen.conditions) * len(chosen.seeds)
    num_problems = len(run.problems["validation"]) + len(run.problems["test"])
    num_responses = num_models * run.evaluation.num_samples * num_problems
    print(
        f"Evaluation comes on top: {num_models} models (checkpoints and the base), {num_responses} responses, at most "
        f"{num_responses * (run.trainer.max_completion_length or 0)} tokens."
    )


def _print_settings(settings: Mapping[str, object], show_all: bool) -> None:
    """As YAML: those that differ from their defaults, or all."""
    if show_all:
        print(yaml.safe_dump(dict(settings), sort_keys=True, allow_unicode=True))
        return
    defaults = defaults_of_all()
    differing = {name: value for name, value in settings.items() if defaults.get(name, value) != value}
    print("# settings that differ from their defaults; --show_all prints all")
    print(yaml.safe_dump(differing, sort_keys=True, allow_unicode=True))


def print_plan(run: Run, conditions: Sequence[str], num_seeds: int, num_processes: int) -> None:
    """The plan, a condition a block.

    Args:
        num_processes: that train a condition, on one accelerator each; on a CPU they share it.
    """
    config, tokenizer = local_model(run.model_name)
    num_parameters = count_parameters(config) if config is not None else None
    problems = run.problems["train"]
    length, how = _prompt_length(run, tokenizer)
    speed = matrix_speed() * (1 if best_device().type == "cpu" else num_processes)
    print("Dry run: nothing was trained or written.\n")
    print(f"model: {_size(num_parameters, run.model_name)}")
    print(f"problems: {len(problems)}, prompts of {length:.0f} tokens in the mean ({how})")
    if run.critic is not None and any(map(needs_critic, conditions)):
        print_critic(run.critic)
    for condition in conditions:
        work = workload(run, condition, length, num_processes)
        plan = plan_run(work, num_parameters)
        print(f"\n{condition}{f', each of {num_seeds} seeds' if num_seeds > 1 else ''}:")
        for line in _lines(work, plan, run.critic, speed):
            print(f"  {line}")
    print(
        "\nFLOPs, time and cost are estimates with every response at its longest; see stepalign/training/plan.py for "
        "the formula. Expect a factor of three either way."
    )


def print_critic(critic: CriticSettings) -> None:
    """Whether a critic behind a server answers; a dry run goes on where it does not."""
    if critic.critic == "openai":
        said = "not asked: critic_offline" if critic.critic_offline else sign_of_life(critic.client_settings())
        print(f"critic at {critic.critic_base_url}: {said}")


def workload(run: Run, condition: str, length: float, num_processes: int) -> Workload:
    """What one condition does; a context is taken to be as long as the longest response.

    Args:
        length: of a prompt, tokens.
    """
    args, grpo = run.trainer, condition == GRPO
    prompts = args.per_device_train_batch_size * args.gradient_accumulation_steps * num_processes
    equal_rollouts = grpo and run.training.grpo_equal == "rollouts"
    epoch = len(run.problems["train"]) // prompts
    limit = args.max_completion_length or 0
    return Workload(
        num_steps=args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * epoch),
        prompts_per_step=-(-prompts // run.training.num_generations) if equal_rollouts else prompts,
        max_completion_length=limit,
        prompt_length=length,
        rollouts_per_prompt=run.training.num_generations if grpo else 1,
        teacher_prompt_length=0.0 if grpo else min(length + limit, run.training.max_teacher_prompt_length),
        asks_critic=needs_critic(condition),
        lora=bool(run.model.use_peft),
        checkpointing=bool(args.gradient_checkpointing),
    )


def _lines(work: Workload, plan: Plan, critic: CriticSettings | None, speed: float) -> list[str]:
    rollouts = f"{work.prompts_per_step} prompts x {work.rollouts_per_prompt} a step"
    lines = [
        f"steps: {work.num_steps}",
        f"rollouts: {plan.num_rollouts} ({rollouts})",
        f"generated tokens: at most {plan.max_generated_tokens}",
        f"critic calls: {plan.num_critic_calls}{_asked_again(plan, critic)}",
    ]
    seconds = plan.seconds(speed, "cpu" if best_device().type == "cpu" else "gpu")
    if seconds is None:
        lines.append("FLOPs: not known without the model's config")
    else:
        lines.append(f"FLOPs: about {plan.flops:.1e}")
        lines.append(
            f"time: about {_duration(seconds)} on this machine (matrix products at {speed / 1e12:.2g} TFLOP/s)"
        )
    if critic and plan.num_critic_calls and (critic.critic_price_in or critic.critic_price_out):
        most_in = work.prompt_length + 2 * work.max_completion_length  # problem, solution, response
        per_call = most_in * critic.critic_price_in + critic.critic_max_tokens * critic.critic_price_out
        lines.append(f"critic's cost: about {plan.num_critic_calls * per_call / 1e6:.2f} at most, without asking again")
    return lines


def _asked_again(plan: Plan, critic: CriticSettings | None) -> str:
    if critic is None or not plan.num_critic_calls:
        return ""
    if critic.critic not in ("openai", "local") or not critic.critic_num_reasks:
        return ""
    return f", at most {plan.num_critic_calls * (1 + critic.critic_num_reasks)} with those asked again"


def local_model(name: str) -> tuple[PretrainedConfig | None, Tokenizer | None]:
    """Config and tokenizer as far as they are on this machine, None for what is not."""
    found: list[Any] = []
    for kind in (AutoConfig, AutoTokenizer):
        try:
            found.append(kind.from_pretrained(name, local_files_only=True))  # pyright: ignore[reportUnknownMemberType]
        except Exception:  # transformers raises many kinds; here they all mean: not known
            found.append(None)
    return found[0], found[1]


def _prompt_length(run: Run, tokenizer: Tokenizer | None) -> tuple[float, str]:
    problems = run.problems["train"][:PROBLEMS_MEASURED]
    texts = [render_prompt(run.prompt_templates, "student", problem=problem) for problem in problems]
    if tokenizer is not None:
        tokenizer.chat_template = chat_template(run.prompt_templates) or tokenizer.chat_template
    if tokenizer is None or tokenizer.chat_template is None:
        return sum(map(len, texts)) / len(texts) / 4, "4 characters a token: the tokenizer is not on this machine"
    prompts = chat_prompts(tokenizer, texts, run.chat_template_kwargs)
    return sum(len(prompt.ids) for prompt in prompts) / len(prompts), "counted"


def _size(num_parameters: int | None, name: str) -> str:
    if num_parameters is None:
        return f"{name}, whose config is not on this machine"
    return f"{name}, {num_parameters:,} parameters in matrix products"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
