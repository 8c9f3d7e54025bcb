"""What can be set, group by group: the fields of these classes are the flags, the recipes' keys and the keyword
arguments of every command. Each has its documentation here and nowhere else.

What TRL and Hugging Face call their own is not declared again: `settings.trainer` takes it from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from stepalign.core.errors import ConfigError
from stepalign.core.settings import REQUIRED, AtLeast0, AtLeast1, NonNegative, Settings, Share, setting

Divergence = Literal["forward_kl", "reverse_kl", "jsd"]
TeacherName = Literal["initial", "ema", "live"]


@dataclass(frozen=True, kw_only=True)
class ColumnsSettings(Settings):
    """How the columns of problems are called, where they are not recognized."""

    columns: list[str] = setting(
        [],
        "Columns of the problems, as part=column: problem=question,answer=final,solution=...,id=... (id= makes ids). "
        "What is not named is recognized.",
    )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(ColumnsSettings):
    """What is trained, on which problems, from which feedback."""

    condition: str = setting("stepalign", "grpo, or a feedback format: refsol, stepalign or one of your plugins.")
    train_problems: str | None = setting(
        None,
        "Problems to train on, in any of the shapes of docs/data.md; none: the micro world makes them from the micro_* "
        "dials.",
    )
    prompt_templates: str | None = setting(
        None,
        "Templates of the student's and teacher's prompts: steps (asks for step tags), bare (adds nothing), or a "
        "directory with student.jinja and teacher.jinja. None: what the model's config says, else steps.",
    )
    max_teacher_prompt_length: int = setting(
        4096, "Longest teacher prompt, in tokens. A longer one is never cut: its rollout is skipped and counted."
    )
    num_generations: int = setting(8, "Rollouts a prompt in a GRPO group; self-distillation always takes one.")
    answer_patterns: list[str] = setting(
        ["answer_tag", "boxed", "hash", "a_colon"], "Where a final answer may stand; the last match counts."
    )
    probe_steps: AtLeast0 = setting(
        0, "Every this many steps, measure on a few of the first step's rollouts where the signal falls; 0: never."
    )
    num_probes: AtLeast1 = setting(
        8, "Rollouts that are probed: the first ones with a wrong step that the critic names."
    )
    plugins: list[str] = setting([], "Modules or .py files that register feedback formats of your own.")


@dataclass(frozen=True, kw_only=True)
class MicroSettings(Settings):
    """The dials of the micro world, which makes problems where no file of them is given."""

    micro_seed: int = setting(0, "Seed of the micro world's problems.")
    micro_num_train: int = setting(282, "Training problems that the micro world makes.")
    micro_min_steps: int = setting(2, "Fewest operations of a micro problem.")
    micro_max_steps: int = setting(3, "Most operations of a micro problem (at most 6).")
    micro_min_carries: int = setting(3, "Fewest carries of a micro problem.")
    micro_max_carries: int = setting(5, "Most carries of a micro problem.")
    micro_foreign: float = setting(1.0, "Share (0 to 1) of another author's words in micro reference solutions.")
    micro_condensed: float = setting(0.0, "Share (0 to 1) of micro reference steps without their working.")


@dataclass(kw_only=True)
class LossSettings:
    """The loss and its teacher, and what is TRL's under another default. `trainer.SelfDistillationConfig` has them."""

    divergence: Divergence = setting(
        "forward_kl", "forward_kl: KL(teacher || student); reverse_kl; jsd: generalized, with beta as its weight."
    )
    beta: float | None = setting(None, "Weight of the teacher in the mixture of jsd, 0 to 1; none: 0.5.")
    divergence_clip: float | None = setting(
        None, "Largest divergence of one vocabulary entry, in nats; none: no clipping. Cures style tokens."
    )
    divergence_top_k: int | None = setting(
        None, "Compare the teacher's k likeliest entries and one bucket for the rest; none: the full vocabulary."
    )
    teacher: TeacherName = setting(
        "initial",
        "Who the self-teacher is. initial: the policy as it was before training; ema: a moving average of its weights "
        "over training; live: the policy as it is.",
    )
    teacher_ema_decay: Share = setting(
        0.999, "Share (0 to 1) of the average that stays at each optimizer step, for teacher ema."
    )
    mask_first_tokens: AtLeast0 = setting(
        0, "First tokens of each response that carry no loss: 1 where a thinking teacher expects <think> there."
    )
    max_tokens_per_pass: AtLeast1 | None = setting(
        None,
        "Most tokens, padding included, in one forward pass of self-distillation: rollouts of similar length share "
        "passes within a micro-batch. None: no limit, the passes that are estimated to take least time.",
    )
    bf16: bool | None = setting(None, "bf16 mixed precision; none: on where a GPU is, off on a CPU.")
    logging_steps: float = setting(1, "Log every this many optimizer steps.")
    max_completion_length: int | None = setting(2048, "Longest rollout, in tokens.")
    temperature: float = setting(1.1, "Sampling temperature of the rollouts.")
    loss_temperature: float = setting(1.0, "Temperature at which the two distributions are compared.")
    teacher_chat_template_kwargs: dict[str, Any] | str | None = setting(
        None, "As chat_template_kwargs, for the teacher's prompt: {enable_thinking: true} for Qwen3's thinking."
    )
    # the order of the union matters to HfArgumentParser
    report_to: None | str | list[str] = setting(  # noqa: RUF036
        "none", "Trackers, as in Hugging Face (wandb, trackio, tensorboard …)."
    )


@dataclass(frozen=True, kw_only=True)
class EvalSettings(Settings):
    """How checkpoints are evaluated: the same for all of a run."""

    num_samples: int = setting(12, "Responses a problem in an evaluation: the k of pass@k, maj@k and avg@k.")
    eval_temperature: float | None = setting(None, "Sampling temperature of evaluations; none: temperature.")
    eval_batch_size: int = setting(264, "Sequences sampled together in an evaluation.")
    eval_seed: int = setting(0, "Seed of the evaluations' sampling: the same for all conditions and checkpoints.")


@dataclass(frozen=True, kw_only=True)
class ValidationSettings(Settings):
    """Validation while a model trains; `compare` has its own, after training."""

    validation_problems: str | None = setting(
        None, "Problems on which each checkpoint is evaluated as it is saved; none: no validation."
    )
    early_stopping_patience: AtLeast0 = setting(
        0, "Stop when validation avg@k was not better in this many evaluations; 0: never.", may_change=True
    )


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings(Settings):
    """What is compared."""

    conditions: list[str] = setting(
        ["grpo", "refsol", "stepalign"], "Conditions to compare: grpo and feedback formats."
    )
    seeds: list[int] = setting([0], "Seeds; every condition is trained once with each.")
    validation_problems: str | None = setting(
        None, "Problems to choose the checkpoint on; none: the micro world makes them."
    )
    test_problems: str | None = setting(None, "Held-out problems; none: the micro world makes them.")
    micro_num_validation: int = setting(30, "Validation problems that the micro world makes.")
    micro_num_test: int = setting(60, "Test problems that the micro world makes.")
    num_processes: AtLeast1 = setting(
        1,
        "Processes that train one condition, one a GPU. Batch sizes are those of a process, as with accelerate launch: "
        "a step has num_processes x per_device_train_batch_size x gradient_accumulation_steps prompts.",
    )
    jobs: AtLeast0 = setting(
        0,
        "Conditions trained at the same time, each on GPUs of its own; where these are too few, they are shared. "
        "0: as many as fit, a process a GPU, or a core on a CPU.",
    )


@dataclass(frozen=True, kw_only=True)
class PreflightSettings(Settings):
    """What is tried. Recipes of `train` and `compare` are accepted whole; what they say beyond this has no effect."""

    conditions: list[str] = setting(
        ["refsol", "stepalign"], "Feedback formats to try; grpo has none and is left out.", may_change=True
    )
    problems: str | None = setting(
        None, "Problems to try them on; none: train_problems, else training problems of the micro world."
    )
    num_problems: AtLeast1 = setting(
        32, "Problems, drawn at random (by seed) from those given; all, where there are fewer."
    )
    num_samples: AtLeast1 = setting(4, "Rollouts a problem. The teacher is sampled once for each.")
    eval_batch_size: int = setting(264, "Sequences sampled together in an evaluation.")


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Settings):
    """A server that samples, instead of this process."""

    solver_base_url: str = setting(
        "", "OpenAI-compatible server that samples, usually ending in /v1; empty: in process.", may_change=True
    )
    solver_api_key_env: str = setting(
        "STEPALIGN_SOLVER_API_KEY",
        "Environment variable that holds the server's key. Unset: no key is sent.",
        may_change=True,
    )
    solver_concurrency: AtLeast1 = setting(64, "Requests to the server under way at once.", may_change=True)
    solver_timeout_s: NonNegative = setting(600.0, "Seconds until a sample must have begun to arrive.", may_change=True)
    solver_num_retries: AtLeast0 = setting(
        5, "Retries of a failed request (connection, 429, 5xx), with backoff.", may_change=True
    )
    solver_extra_body: str = setting("", "JSON object merged into each request to the server; a null removes a key.")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(ColumnsSettings, ServerSettings):
    """Which model is sampled on which problems, and how."""

    model: str = setting(
        REQUIRED,
        "Directory or hub name of a causal LM; micro: the shipped solver; with a server the name that it expects.",
    )
    adapter: str | None = setting(None, "Directory or hub name of a PEFT adapter for the model.")
    problems: str = setting(REQUIRED, "File, directory or dataset of problems; docs/data.md.")
    output_dir: str = setting(REQUIRED, "Where metrics.json and samples.jsonl go.", may_change=True)
    num_samples: int = setting(12, "Responses a problem.")
    k: list[int] = setting([], "For which k; none: the number of samples.", may_change=True)
    temperature: float = setting(1.1, "Sampling temperature; 0 decodes greedily.")
    top_p: float = setting(1.0, "Nucleus sampling; 1 keeps everything.")
    top_k: int = setting(0, "Keep the k likeliest tokens; 0 keeps all, but leaves it to a server.")
    max_new_tokens: int | None = setting(None, "Longest response, in tokens; none: as the model says, else 2048.")
    batch_size: int = setting(264, "Sequences sampled together.")
    seed: int = setting(0, "Seed of the sampling.")
    dtype: str = setting("auto", "auto, float32, bfloat16 or float16.")
    prompt_templates: str | None = setting(
        None, "Steps, bare or a directory with student.jinja; none: as the model says, else steps."
    )
    no_thinking: bool = setting(False, "Pass enable_thinking=False to the chat template.")
    answer_patterns: list[str] | None = setting(
        None, "Where answers may stand; none: everywhere known.", may_change=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        bad = [k for k in self.k if not 1 <= k <= self.num_samples]
        if bad:
            raise ConfigError(f"--k: got {bad[0]}; expected 1 to {self.num_samples}, the number of samples a problem.")


@dataclass(frozen=True, kw_only=True)
class CritiqueSettings(ColumnsSettings):
    """Which samples are critiqued; the critic has settings of its own."""

    problems: str = setting(REQUIRED, "File, directory or dataset of problems; docs/data.md.")
    samples: str = setting(REQUIRED, "The solver's responses: problem_id, sample, text.")
    output_dir: str = setting(REQUIRED, "For critiques.jsonl and ledger.json.")


@dataclass(frozen=True, kw_only=True)
class GradeSettings(ColumnsSettings):
    """Which responses are graded, and within which bounds."""

    problems: str = setting(REQUIRED, "File, directory or dataset of problems; docs/data.md.")
    samples: str = setting(REQUIRED, "Responses: problem_id, sample, text; a file of any kind.")
    output_dir: str = setting(REQUIRED, "Where the results go; made if missing.")
    timeout_s: float = setting(5.0, "Seconds that one comparison may take.")
    memory_limit_mb: int = setting(1024, "Memory of one worker, in MB.")
    num_workers: int = setting(1, "Worker processes.")
    answer_patterns: list[str] | None = setting(
        None, "Where an answer may stand: answer_tag, boxed, hash, a_colon; none: all. The last one counts."
    )


@dataclass(frozen=True, kw_only=True)
class InspectSettings(ColumnsSettings):
    """Which response is looked at, under which contexts. A text may be @FILE, read less a final line break."""

    case: str | None = setting(None, "CASE.yaml: what to look at; flags win over it.", positional=True)
    output_dir: str = setting(REQUIRED, "For advantage.json and inspect.html.")
    model: str | None = setting(None, "Directory or hub name of a causal LM; micro: the shipped solver.")
    adapter: str | None = setting(None, "Directory or hub name of a PEFT adapter for it.")
    problem: str | None = setting(None, "What the solver was asked.")
    response: str | None = setting(None, "What it wrote.")
    context: list[str] = setting(
        [],
        "A context as NAME=TEXT; NAME=@FILE; NAME=@critic: what --critic writes, which also says the first wrong "
        "step; NAME=@solution: the reference solution. Several may follow each other.",
    )
    run: str | None = setting(None, "Look at rollouts of a run: directory of one condition and seed.")
    rollout: list[int] = setting([], "Which rows of its rollouts.jsonl, from 0.")
    problems: str | None = setting(None, "The run's problems, where it keeps none; they must be those it was given.")
    first_wrong_step: int | None = setting(None, "Which step is wrong first, from 1; 0: none is.")
    answer: str | None = setting(None, "The right answer, for the record.")
    prompt_templates: str | None = setting(None, "steps, bare or a directory; none: as the model says, else steps.")
    chat_template_kwargs: dict[str, Any] | None = setting(None, 'JSON, such as {"enable_thinking": false}.')
    teacher_chat_template_kwargs: dict[str, Any] | None = setting(None, "The teacher's; none: as the student's.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = setting(
        None, "Of the weights; auto: as saved; none: float32 on a CPU, else auto. Half precision blurs A_t."
    )
    figure: str | None = setting(None, "Also draw figures: F.png, F.svg or F.pdf.")


@dataclass(frozen=True, kw_only=True)
class MicroProblemsSettings(Settings):
    """Which problems of the micro world are written."""

    output_dir: str = setting(REQUIRED, "Where train.jsonl, validation.jsonl and test.jsonl go.")
    seed: int = setting(0, "Seed of the problems.")
    num_train: int = setting(282, "Training problems.")
    num_validation: int = setting(30, "Validation problems.")
    num_test: int = setting(60, "Test problems.")
    min_steps: int = setting(2, "Fewest operations of a problem.")
    max_steps: int = setting(3, "Most operations of a problem, at most 6.")
    min_carries: int = setting(3, "Fewest carries of a problem.")
    max_carries: int = setting(5, "Most carries of a problem.")
    foreign: float = setting(1.0, "0 to 1; another author's share of reference words.")
    condensed: float = setting(0.0, "0 to 1; share of reference steps without working.")


@dataclass(frozen=True, kw_only=True)
class DataSettings(ColumnsSettings):
    """Which data is read, and where its problems are written."""

    source: str = setting(
        REQUIRED,
        "SOURCE: a file, a directory, or owner/name on the hub; behind it may stand a split, as in saved:test.",
        positional=True,
    )
    output_file: str | None = setting(None, "Where the problems go, as JSONL; none: the first ones are shown.")
    split: str | None = setting(None, "Split of data that has several.")
    num_rows: AtLeast1 | None = setting(None, "Stop after so many problems; none: all.")


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    """Which directory is reported."""

    run: str = setting(REQUIRED, "DIR: the output directory of any command.", positional=True)
    output: str | None = setting(None, "Where to write the page; none: DIR/report.html.")


@dataclass(frozen=True, kw_only=True)
class CacheSettings(Settings):
    """Which cache, and what is removed from it."""

    action: Literal["show", "prune"] = setting("show", "show or prune.", positional=True)
    critic_cache: str = setting("", "The cache file; empty: the user's own.")
    older_than_days: float | None = setting(None, "Prune replies older than this.")
    url: str = setting("", "Prune replies of this server.")
    model: str = setting("", "Prune replies of this model.")
    all: bool = setting(False, "Prune everything.")
