"""`--dry_run`: what a run would do, without doing it: no weights, no critic, no hub, nothing written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROBLEMS_MEASURED = 200  # prompts whose tokens are counted; the mean of these stands for all


def print_plan(
    training: tuple[Any, ...],
    more: dict[str, Any],
    conditions: Sequence[str],
    num_seeds: int,
    problems: Sequence[Any],
    num_processes: int,
) -> None:
    """The resolved settings and, a condition a block, the plan.

    Args:
        training: study, critic, args and model_args of `stepalign train`.
        more: settings beyond those.
        problems: to train on.
        num_processes: that train a condition, on one accelerator each; on a CPU they share it.
    """
    import yaml

    from stepalign.cli.train import plain
    from stepalign.cli.wiring import resolve_model
    from stepalign.models.loading import best_device, check_model, own_defaults, templates_for
    from stepalign.training.plan import count_parameters, matrix_speed, plan_run

    study, critic, args, model_args = training
    model_args.model_name_or_path = resolve_model(model_args.model_name_or_path)
    name = model_args.model_name_or_path
    if Path(name).exists() or name.startswith((".", "/", "~")):  # else it is looked for in the cache alone
        check_model(name)
    config, tokenizer = local_model(name)
    num_parameters = count_parameters(config) if config is not None else None
    study.prompt_templates = templates_for(study.prompt_templates, own_defaults(config))
    length, how = _prompt_length(study, args, problems, tokenizer)
    speed = matrix_speed() * (1 if best_device().type == "cpu" else num_processes)
    settings = plain({**vars(study), **vars(critic), **args.to_dict(), **vars(model_args), **more})
    print(yaml.safe_dump(settings, sort_keys=True, allow_unicode=True))
    print("Dry run: nothing was trained or written.\n")
    print(f"model: {_size(num_parameters, name)}")
    print(f"problems: {len(problems)}, prompts of {length:.0f} tokens in the mean ({how})")
    for condition in conditions:
        work = workload(condition, study, args, model_args, len(problems), length, num_processes)
        plan = plan_run(work, num_parameters)
        print(f"\n{condition}{f', each of {num_seeds} seeds' if num_seeds > 1 else ''}:")
        for line in _lines(work, plan, critic, speed):
            print(f"  {line}")
    print(
        "\nFLOPs, time and cost are estimates with every response at its longest; see stepalign/training/plan.py for "
        "the formula. Expect a factor of three either way."
    )


def workload(
    condition: str,
    study: Any,
    args: Any,
    model_args: Any,
    num_problems: int,
    length: float,
    num_processes: int,
) -> Any:
    """What one condition does; a context is taken to be as long as the longest response."""
    from stepalign.feedback.formats import feedback_class
    from stepalign.training.plan import Workload
    from stepalign.training.run import GRPO

    grpo = condition == GRPO
    prompts = args.per_device_train_batch_size * args.gradient_accumulation_steps * num_processes
    epoch = num_problems // prompts
    limit = args.max_completion_length
    return Workload(
        num_steps=args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * epoch),
        prompts_per_step=prompts,
        max_completion_length=limit,
        prompt_length=length,
        rollouts_per_prompt=study.num_generations if grpo else 1,
        teacher_prompt_length=0.0 if grpo else min(length + limit, study.max_teacher_prompt_length),
        asks_critic=not grpo and feedback_class(condition).needs_critic,
        lora=bool(model_args.use_peft),
        checkpointing=bool(args.gradient_checkpointing),
    )


def _lines(work: Any, plan: Any, critic: Any, speed: float) -> list[str]:
    from stepalign.models.loading import best_device

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
    if plan.num_critic_calls and (critic.critic_price_in or critic.critic_price_out):
        most_in = work.prompt_length + 2 * work.max_completion_length  # problem, solution, response
        per_call = most_in * critic.critic_price_in + critic.critic_max_tokens * critic.critic_price_out
        lines.append(f"critic's cost: about {plan.num_critic_calls * per_call / 1e6:.2f} at most, without asking again")
    return lines


def _asked_again(plan: Any, critic: Any) -> str:
    asks_again = critic.critic in (None, "openai", "local") and critic.critic_num_reasks
    if not plan.num_critic_calls or not asks_again:
        return ""
    return f", at most {plan.num_critic_calls * (1 + critic.critic_num_reasks)} with those asked again"


def local_model(name: str) -> tuple[Any, Any]:
    """Config and tokenizer as far as they are on this machine, None for what is not."""
    from transformers import AutoConfig, AutoTokenizer

    found: list[Any] = []
    for kind in (AutoConfig, AutoTokenizer):
        try:
            found.append(kind.from_pretrained(name, local_files_only=True))
        except Exception:  # transformers raises many kinds; here they all mean: not known
            found.append(None)
    return found[0], found[1]


def _prompt_length(study: Any, args: Any, problems: Sequence[Any], tokenizer: Any) -> tuple[float, str]:
    from stepalign.core.prompts import render_prompt
    from stepalign.models.prompts import chat_prompts

    texts = [render_prompt(study.prompt_templates, "student", problem=p) for p in problems[:PROBLEMS_MEASURED]]
    if tokenizer is None or tokenizer.chat_template is None:
        return sum(map(len, texts)) / len(texts) / 4, "4 characters a token: the tokenizer is not on this machine"
    prompts = chat_prompts(tokenizer, texts, args.chat_template_kwargs)
    return sum(len(prompt.ids) for prompt in prompts) / len(prompts), "counted"


def _size(num_parameters: int | None, name: str) -> str:
    if num_parameters is None:
        return f"{name}, whose config is not on this machine"
    return f"{name}, {num_parameters:,} parameters in matrix products"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
