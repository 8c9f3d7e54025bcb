"""A whole preflight: every stage run, what was measured summed up and judged, and all of it in its directory.

>>> from stepalign.settings.commands import PREFLIGHT
>>> from stepalign.settings.given import read_given
>>> from stepalign.settings.resolve import resolve_preflight
>>> argv = ["--config", "micro", "--conditions", "refsol", "--num_problems", "2", "--num_samples", "1"]
>>> result = preflight(resolve_preflight(read_given(PREFLIGHT, [*argv, "--output_dir", "measured"])))
>>> list(result["formats"])
['refsol']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from stepalign.core.errors import ConfigError
from stepalign.core.files import read_json, read_jsonl, write_json, write_jsonl
from stepalign.core.settings import may_change
from stepalign.evaluation.checkpoints import evaluation_sampling
from stepalign.feedback.critics.recorded import make_recorded_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import feedback_class
from stepalign.feedback.from_peers import PEER, known_peers
from stepalign.runs.files import CRITIQUES, LEDGER, PREFLIGHT, PREFLIGHT_SETTINGS, PROBLEMS, USED_SAMPLES
from stepalign.runs.world import MICRO
from stepalign.settings.grading import make_grader
from stepalign.settings.groups import PreflightSettings
from stepalign.settings.run import PreflightRun
from stepalign.settings.same import REMEDY, check_same
from stepalign.signal.gains import known_line
from stepalign.signal.policy import load_policy
from stepalign.signal.preflight import Preflight
from stepalign.signal.preflight_records import KeptCritic, Records, price_per_rollout
from stepalign.signal.verdict import expected_best, judge, rank, summarize_format


def preflight(run: PreflightRun) -> dict[str, Any]:
    """Measure and judge each format; what `preflight.json` holds, but for its rows.

    Raises:
        ConfigError: the directory holds a preflight with other settings, problems or samples.
    """
    directory, names = run.directory, run.preflight.conditions
    _check_same_preflight(run)
    with make_grader(run.training) as grader:
        source = make_recorded_critic(run.critic, grader.grade, directory)
        kept = None if source is None else KeptCritic(source, directory / CRITIQUES)
        problems, seed = run.problems["train"], run.trainer.seed
        peers = known_peers(run.training.peer_samples, problems) if PEER in names else ()
        formats = {name: feedback_class(name)(kept, problems=problems, peers=peers, seed=seed) for name in names}
        policy, sampling = load_policy(run), evaluation_sampling(run)
        work = Preflight(
            Records(directory), run.problems["train"], policy, sampling, grader, formats, kept, run.samples
        )
        _run_stages(work)
        rows = work.rows()
    ledger: dict[str, Any] = read_json(directory / LEDGER) if (directory / LEDGER).exists() else {}
    asks = {name for name in names if feedback_class(name).needs_critic}
    result = judge_rows(rows, names, {name: ledger if name in asks else {} for name in names})
    given = {"samples": run.preflight.samples} if run.samples else {}
    result = {"is_micro": run.world == MICRO, "num_problems": len(run.problems["train"]), **given, **result}
    write_json(directory / PREFLIGHT, {**result, "rows": rows})
    return result


def judge_rows(rows: list[dict[str, Any]], names: Sequence[str], ledgers: Mapping[str, Any]) -> dict[str, Any]:
    """Summary, price, verdict and rank of each format."""
    summaries = {name: summarize_format(name, rows) for name in names}
    line = known_line()
    gaps = {name: summary["failures"]["gap"] for name, summary in summaries.items() if summary["failures"]}
    predicted = {name: line.at(gap) for name, gap in gaps.items()} if line is not None else {}
    return {
        "predicted_gain": {"of": predicted, **(line._asdict() if line is not None else {})},
        "formats": {
            name: {**judge(summary)._asdict(), **summary, "price_per_rollout": price_per_rollout(ledgers[name])}
            for name, summary in summaries.items()
        },
        "ranking": rank(summaries),
        "expected_best": expected_best(summaries),
    }


def _check_same_preflight(run: PreflightRun) -> None:
    """Keep settings, problems and given samples beside what is measured.

    Raises:
        ConfigError: the directory holds a preflight with others; nothing was changed.
    """
    directory, path = run.directory, run.directory / PREFLIGHT_SETTINGS
    used = {PROBLEMS: [problem.to_json() for problem in run.problems["train"]]}
    used[USED_SAMPLES] = [rollout.to_json() for rollout in run.samples]
    if path.exists():
        free = {*may_change(PreflightSettings, CriticSettings), "plugins"}
        check_same(read_json(path), run.record, f"{directory} holds a preflight", may_change=free)
        for name, rows in used.items():
            if read_jsonl(directory / name) != rows:
                what = "problems" if name == PROBLEMS else "samples"
                how = f"they differ from {name}" if (directory / name).exists() else "it sampled its own"
                raise ConfigError(f"{directory} holds a preflight on other {what}: {how}. {REMEDY}")
    for name, rows in used.items():
        if rows:
            write_jsonl(directory / name, rows)
    write_json(path, run.record)


def _run_stages(work: Preflight) -> None:
    for stage in work.stages():
        if stage.num_done < stage.total:
            with tqdm(total=stage.total, initial=stage.num_done, unit="rollout", desc=stage.name, delay=2) as bar:
                for num_more in stage.run():
                    bar.update(num_more)
