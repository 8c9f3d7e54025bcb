"""What can be set for one command alone: evaluate, critique, grade, inspect, localize, micro, data, report, cache.

As in `groups`, a field is the flag, the recipe's key and the keyword argument, and has its documentation nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stepalign.core.errors import ConfigError
from stepalign.core.settings import REQUIRED, AtLeast0, AtLeast1, NonNegative, Settings, setting
from stepalign.feedback.export import ExportFormat, check_export
from stepalign.settings.grading import GradingSettings
from stepalign.settings.groups import SAMPLES, ColumnsSettings, LogSettings


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
class EvaluateSettings(GradingSettings, ColumnsSettings, ServerSettings):
    """Which model is sampled on which problems, and how."""

    model: str = setting(
        REQUIRED,
        "Directory, GGUF file or hub name of a causal LM; micro, micro-code: the shipped solvers; with a server its "
        "name there.",
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
        None, "steps, plain, bare or a directory with student.jinja; none: as the model says, else steps."
    )
    no_thinking: bool = setting(False, "Pass enable_thinking=False to the chat template.")

    def __post_init__(self) -> None:
        super().__post_init__()
        bad = [k for k in self.k if not 1 <= k <= self.num_samples]
        if bad:
            raise ConfigError(f"--k: got {bad[0]}; expected 1 to {self.num_samples}, the number of samples a problem.")


@dataclass(frozen=True, kw_only=True)
class CritiqueSettings(GradingSettings, ColumnsSettings, LogSettings):
    """Which samples are critiqued, or by which labels the critic is audited; the critic has settings of its own."""

    problems: str | None = setting(None, "File, directory or dataset of problems; docs/data.md.")
    samples: str | None = setting(None, f"The solver's responses: problem_id, sample, text; {SAMPLES}")
    audit: str | None = setting(
        None,
        "In their place: rollouts with their first wrong step, as for localize. How often the critic finds it, how "
        "often it reaches the answer, and how much it copies go to audit.json.",
    )
    num_rollouts: AtLeast1 | None = setting(None, "With audit: take the first so many rows; none: all.")
    output_dir: str = setting(REQUIRED, "For critiques.jsonl and ledger.json.")
    export: ExportFormat | None = setting(
        None,
        "Also write the verified critiques as a dataset of another trainer: trl (SDFTTrainer, SDPOTrainer), ms-swift, "
        "verl, or jsonl, which is flat.",
    )
    export_file: str | None = setting(None, "Where that goes: a name that ends in .jsonl or .parquet.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.export is None) != (self.export_file is None):
            raise ConfigError("critique: --export and --export_file come together: what to write, and where.")
        if self.export_file is not None:
            check_export(Path(self.export_file))
        if self.audit is not None and (self.problems is not None or self.samples is not None):
            raise ConfigError(
                "critique: got --audit, which brings problems and samples, and some of these. Leave them."
            )
        if self.audit is None and self.samples is None:
            raise ConfigError("critique needs samples: --problems and --samples, or --audit with labelled rollouts.")


@dataclass(frozen=True, kw_only=True)
class GradeSettings(GradingSettings, ColumnsSettings, LogSettings):
    """Which responses are graded, and within which bounds."""

    problems: str | None = setting(
        None, "File, directory or dataset of problems; docs/data.md. Samples that carry prompt and answer need none."
    )
    samples: str = setting(REQUIRED, f"Responses: problem_id, sample, text; {SAMPLES}")
    output_dir: str = setting(REQUIRED, "Where the results go; made if missing.")
    timeout_s: float = setting(5.0, "Seconds that one comparison, or one program, may take.")
    memory_limit_mb: int = setting(1024, "Memory of one worker, or one program, in MB.")
    num_workers: int | None = setting(None, "Worker processes; none: one a core.")


@dataclass(frozen=True, kw_only=True)
class InspectSettings(ColumnsSettings, LogSettings):
    """Which response is looked at, under which contexts. A text may be @FILE, read less a final line break."""

    case: str | None = setting(None, "CASE.yaml: what to look at; flags win over it.", positional=True)
    output_dir: str = setting(REQUIRED, "For advantage.json and inspect.html.")
    model: str | None = setting(
        None, "Directory, GGUF file or hub name of a causal LM; micro, micro-code: the shipped solvers."
    )
    adapter: str | None = setting(None, "Directory or hub name of a PEFT adapter for it.")
    problem: str | None = setting(None, "What the solver was asked.")
    response: str | None = setting(None, "What it wrote.")
    context: list[str] = setting(
        [],
        "A context as NAME=TEXT; NAME=@FILE; NAME=@critic: what --critic writes, which also says the first wrong "
        "step; NAME=@solution: the reference solution. Several may follow each other.",
    )
    run: str | None = setting(None, "Look at rollouts of a run: directory of one condition and seed.")
    samples: str | None = setting(None, f"Look at these responses: problem_id, sample, text; {SAMPLES}")
    rollout: list[int] = setting([], "Which of its rollouts or of the samples, from 0.")
    problems: str | None = setting(
        None, "Of the samples; or the run's, where it keeps none: they must be those it was given."
    )
    first_wrong_step: int | None = setting(None, "Which step is wrong first, from 1; 0: none is.")
    answer: str | None = setting(None, "The right answer, for the record.")
    prompt_templates: str | None = setting(
        None, "steps, plain, bare or a directory; none: as the model says, else steps."
    )
    chat_template_kwargs: dict[str, Any] | None = setting(None, 'JSON, such as {"enable_thinking": false}.')
    teacher_chat_template_kwargs: dict[str, Any] | None = setting(None, "The teacher's; none: as the student's.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = setting(
        None, "Of the weights; auto: as saved; none: float32 on a CPU, else auto. Half precision blurs A_t."
    )
    loss: dict[str, Any] | None = setting(
        None,
        'JSON, such as {"divergence": "reverse_kl", "divergence_clip": 0.05}: the loss whose push on the logits is '
        "told, with the names of train's settings; none: the run's own, else train's defaults.",
    )
    num_alternatives: AtLeast0 = setting(
        5, "How many of the likeliest tokens of student and self-teacher are told at each token; 0: none."
    )
    figure: str | None = setting(None, "Also draw figures: F.png, F.svg or F.pdf.")
    palette: Literal["safe", "paper"] = setting(
        "safe", "Colours of page and figures: safe, orange above 0 and purple below; paper, its red and blue."
    )


@dataclass(frozen=True, kw_only=True)
class LocalizeSettings(GradingSettings, LogSettings):
    """Which labelled rollouts are scored, under which contexts, by which model."""

    model: str = setting(REQUIRED, "Directory or hub name of a causal LM; micro, micro-code: the shipped solvers.")
    adapter: str | None = setting(None, "Directory or hub name of a PEFT adapter for it.")
    labels: str = setting(
        REQUIRED,
        "Rollouts with their first wrong step: rows with id, problem, answer, steps and first_wrong_step, or as in "
        "ProcessBench, MR-GSM8K or BIG-Bench Mistake, or as another trainer logs them, with first_wrong_step and "
        "answer beside; docs/localize.md.",
        may_change=True,  # what they say is compared, not where they lie
    )
    conditions: list[str] = setting(
        ["none", "other", "refsol", "describe", "whole_attempt", "stepalign", "random_step"],
        "Feedback formats whose contexts the rollouts are scored under.",
        may_change=True,
    )
    output_dir: str = setting(REQUIRED, "For scores.jsonl, localization.json and report.html.", may_change=True)
    num_rollouts: AtLeast1 | None = setting(None, "Take the first so many rows; none: all.")
    critiques: str | None = setting(
        None,
        "critiques.jsonl that stepalign critique wrote about the same labels. None: a critic, where one is set, else "
        "critiques spliced from label and reference solution.",
    )
    prompt_templates: str | None = setting(
        None, "steps, plain, bare or a directory; none: as the model says, else steps."
    )
    chat_template_kwargs: dict[str, Any] | None = setting(None, 'JSON, such as {"enable_thinking": false}.')
    teacher_chat_template_kwargs: dict[str, Any] | None = setting(None, "The teacher's; none: as the student's.")
    max_teacher_prompt_length: AtLeast1 = setting(
        4096, "Longest teacher prompt, in tokens. A longer one is never cut: it is left out and counted."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = setting(
        None, "Of the weights; auto: as saved; none: float32 on a CPU, else auto. Half precision blurs A_t."
    )
    seed: int = setting(0, "Seed of the formats that draw: other, shifted, random_step.")
    plugins: list[str] = setting([], "Modules or .py files that register feedback formats of your own.")


@dataclass(frozen=True, kw_only=True)
class MicroProblemsSettings(Settings):
    """Which problems of the micro world are written."""

    output_dir: str = setting(REQUIRED, "Where train.jsonl, validation.jsonl and test.jsonl go.")
    world: Literal["arithmetic", "code"] = setting(
        "arithmetic", "Chained column arithmetic, or functions of one loop that are run (code)."
    )
    seed: int = setting(0, "Seed of the problems.")
    num_train: int = setting(282, "Training problems.")
    num_validation: int = setting(30, "Validation problems.")
    num_test: int = setting(60, "Test problems.")
    num_labels: int = setting(
        0, "Rollouts with their first wrong step, made by dropping a carry, or by a slip: labels.jsonl."
    )
    min_steps: int = setting(2, "Fewest operations of a problem.")
    max_steps: int = setting(3, "Most operations of a problem, at most 6.")
    min_carries: int = setting(3, "Fewest carries of a problem; in code, places to slip.")
    max_carries: int = setting(5, "Most carries of a problem; in code, places to slip, at most 6.")
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
