"""Settings of a curation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from stepalign.core.errors import ConfigError
from stepalign.core.settings import AtLeast0, AtLeast1, Share, may_change, setting
from stepalign.settings.command_groups import ServerSettings
from stepalign.settings.grading import GradingSettings


@dataclass(frozen=True, kw_only=True)
class CurateSettings(GradingSettings, ServerSettings):
    """Which problems to look at, what each must pass, and how the solver is asked."""

    source: str | None = setting(
        None,
        "Where the problems are: a registered dataset (openmathreasoning, gsm8k, math_500, aime_2024, aime_2025, "
        "processbench), a file or a directory, or owner/name on the hub; docs/data.md.",
    )
    columns: list[str] = setting(
        [],
        "Columns of a file or of a dataset that is not registered, as part=column: problem=question answer=final. What "
        "is not named is recognized.",
    )
    adapter: str | None = setting(None, "Registered dataset whose rows a local file has.")
    subset: str | None = setting(None, "Subset of a dataset on the hub; none: the registered one's own.")
    split: str | None = setting(None, "Split of data with several; none: the registered one's own, else train.")
    where: list[str] = setting(
        [], "Keep rows whose meta has this value, as name=value: problem_type=has_answer_extracted."
    )
    output_dir: str | None = setting(None, "Where problems and funnel go.", may_change=True)
    num_problems: AtLeast0 = setting(
        342, "Stop when so many problems have passed all stages; 0: look at the whole source.", may_change=True
    )
    num_validation: AtLeast0 = setting(30, "Of these, problems for validation.jsonl.", may_change=True)
    num_test: AtLeast0 = setting(30, "Of these, problems for test.jsonl; the rest is train.jsonl.", may_change=True)
    seed: int = setting(0, "Seed of the sampling and of the split.")

    evaluation_sets: list[str] = setting(
        [], "Problems that training must not see: registered datasets or paths, as for source (own column names)."
    )
    ngram_words: AtLeast1 = setting(8, "Words of a run by which problems are compared; shorter problems are one run.")
    evaluation_overlap: Share = setting(
        0.0, "Drop a problem that shares more than this share (0 to 1) of its runs with one of the evaluation sets."
    )
    problem_overlap: Share = setting(
        0.5, "Drop a problem that shares more than this share (0 to 1) of its runs with an earlier one; 1: keep all."
    )

    solver_model: str | None = setting(
        None,
        "Directory, GGUF file or hub name of the solver (micro: the shipped one); with a server its name there.",
    )
    solver_cache: str = setting("", "Cache file of the server's samples. Empty: the critics' own.", may_change=True)
    prompt_templates: str | None = setting(
        None,
        "Templates of the solver's prompt: steps, plain, bare or a directory; none: as the model says, else steps.",
    )
    no_thinking: bool = setting(False, "Pass enable_thinking=False to the solver's chat template.")
    num_samples: AtLeast1 = setting(16, "Samples of each problem.")
    temperature: float = setting(1.1, "Sampling temperature.")
    top_p: float = setting(1.0, "Nucleus sampling; 1 keeps everything.")
    max_new_tokens: int | None = setting(None, "Longest sample, in tokens; none: as the model says, else 2048.")
    batch_problems: AtLeast1 = setting(64, "Problems sampled together; four such batches are under way at once.")
    batch_size: AtLeast1 = setting(256, "Sequences of one forward pass, in process only.")
    dtype: str = setting("auto", "Of the solver in process: auto, float32, bfloat16 or float16.")

    min_format_rate: Share = setting(0.5, "Least share of the samples that must have step tags.")
    correct_rate_above: float = setting(
        0.0, "The share of correct samples must be more than this; below 0: problems that are never solved pass, too."
    )
    correct_rate_below: float = setting(
        0.3125, "The share of correct samples must be less than this: 5/16; above 1: those always solved pass, too."
    )
    grading_timeout_s: float = setting(5.0, "Seconds that one comparison of answers may take.")
    grading_workers: int = setting(1, "Processes that compare answers.", may_change=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.correct_rate_above < self.correct_rate_below:
            raise ConfigError(
                f"correct_rate_below: got {self.correct_rate_below}; expected more than correct_rate_above, "
                f"{self.correct_rate_above}, or no problem passes."
            )
        held_out = self.num_validation + self.num_test
        if self.num_problems and held_out >= self.num_problems:
            raise ConfigError(
                f"num_validation and num_test take {held_out} of num_problems {self.num_problems}; expected fewer, so "
                "that some are left to train on."
            )
        for word in self.where:
            if "=" not in word:
                raise ConfigError(f"where: got '{word}'; expected name=value, for example subject=Algebra.")

    def deciding(self) -> dict[str, object]:
        """The settings on which it depends what becomes of a row."""
        kept = {name: value for name, value in asdict(self).items() if name not in may_change(CurateSettings)}
        return {**kept, "solver": "server" if self.solver_base_url else "in process"}
