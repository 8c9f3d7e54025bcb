"""Settings of a curation: one flat dataclass, the same names on the command line, in a recipe and here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.settings import setting

# Neither what becomes of a row nor which rows there are depends on these: they may change when a curation goes on.
MAY_CHANGE = {
    *("output_dir", "num_problems", "num_validation", "num_test", "grading_workers", "solver_base_url"),
    *("solver_api_key_env", "solver_concurrency", "solver_timeout_s", "solver_num_retries", "solver_cache"),
}


@dataclass
class CurateArguments:
    """Which problems to look at, what each must pass, and how the solver is asked."""

    source: str | None = setting(
        None,
        "Where the problems are: a registered dataset (openmathreasoning, gsm8k, math_500, aime_2024, aime_2025, "
        "processbench), a file or a directory of files (.jsonl, .json, .csv, .parquet), or owner/name on the hub.",
    )
    columns: list[str] = setting(
        [], "Columns of a file or of a dataset that is not registered, as part=column: problem=question answer=final."
    )
    adapter: str | None = setting(None, "Registered dataset whose rows a local file has.")
    subset: str | None = setting(None, "Subset of a dataset on the hub; none: the registered one's own.")
    split: str | None = setting(None, "Split of a dataset on the hub; none: the registered one's own, else train.")
    where: list[str] = setting(
        [], "Keep rows whose meta has this value, as name=value: problem_type=has_answer_extracted."
    )
    output_dir: str | None = setting(None, "Where problems and funnel go.")
    num_problems: int = setting(342, "Stop when so many problems have passed all stages; 0: look at the whole source.")
    num_validation: int = setting(30, "Of these, problems for validation.jsonl.")
    num_test: int = setting(30, "Of these, problems for test.jsonl; the rest is train.jsonl.")
    seed: int = setting(0, "Seed of the sampling and of the split.")

    evaluation_sets: list[str] = setting(
        [], "Problems that training must not see: registered datasets or paths, as for source (own column names)."
    )
    ngram_words: int = setting(8, "Words of a run by which problems are compared; shorter problems are one run.")
    evaluation_overlap: float = setting(
        0.0, "Drop a problem that shares more than this share (0 to 1) of its runs with one of the evaluation sets."
    )
    problem_overlap: float = setting(
        0.5, "Drop a problem that shares more than this share (0 to 1) of its runs with an earlier one; 1: keep all."
    )

    solver_model: str | None = setting(
        None, "Directory or hub name of the solver (micro: the shipped one); with a server the name that it expects."
    )
    solver_base_url: str = setting(
        "", "OpenAI-compatible server that samples, usually ending in /v1; empty: in process."
    )
    solver_api_key_env: str = setting(
        "STEPALIGN_SOLVER_API_KEY", "Environment variable that holds the server's key. Unset: no key is sent."
    )
    solver_concurrency: int = setting(64, "Requests to the server under way at once.")
    solver_timeout_s: float = setting(600.0, "Seconds until a sample must have begun to arrive.")
    solver_num_retries: int = setting(5, "Retries of a failed request (connection, 429, 5xx), with backoff.")
    solver_cache: str = setting("", "Cache file of the server's samples. Empty: the critics' own.")
    solver_extra_body: str = setting("", "JSON object merged into each request to the server; a null removes a key.")
    prompt_templates: str | None = setting(
        None, "Templates of the solver's prompt: steps, bare or a directory; none: as the model says, else steps."
    )
    no_thinking: bool = setting(False, "Pass enable_thinking=False to the solver's chat template.")
    num_samples: int = setting(16, "Samples of each problem.")
    temperature: float = setting(1.1, "Sampling temperature.")
    top_p: float = setting(1.0, "Nucleus sampling; 1 keeps everything.")
    max_new_tokens: int | None = setting(None, "Longest sample, in tokens; none: as the model says, else 2048.")
    batch_problems: int = setting(64, "Problems sampled together; four such batches are under way at once.")
    batch_size: int = setting(256, "Sequences of one forward pass, in process only.")
    dtype: str = setting("auto", "Of the solver in process: auto, float32, bfloat16 or float16.")

    min_format_rate: float = setting(0.5, "Least share of the samples that must have step tags.")
    correct_rate_above: float = setting(
        0.0, "The share of correct samples must be more than this; below 0: problems that are never solved pass, too."
    )
    correct_rate_below: float = setting(
        0.3125, "The share of correct samples must be less than this: 5/16; above 1: those always solved pass, too."
    )
    answer_patterns: list[str] | None = setting(
        None, "Where an answer may stand in a sample (answer_tag, boxed, hash, a_colon); none: everywhere known."
    )
    grading_timeout_s: float = setting(5.0, "Seconds that one comparison of answers may take.")
    grading_workers: int = setting(1, "Processes that compare answers.")

    def __post_init__(self) -> None:
        least = {"num_problems": 0, "num_validation": 0, "num_test": 0, "ngram_words": 1, "batch_problems": 1}
        for name, value in {**least, "solver_concurrency": 1, "num_samples": 1, "batch_size": 1}.items():
            if getattr(self, name) < value:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected {value} or more.")
        for name in ("evaluation_overlap", "problem_overlap", "min_format_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected a share, 0 to 1.")
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

    def deciding(self) -> dict[str, Any]:
        """The settings on which it depends what becomes of a row."""
        kept = {name: value for name, value in asdict(self).items() if name not in MAY_CHANGE}
        return kept | {"solver": "server" if self.solver_base_url else "in process"}
