"""How the evaluations of a run sample: as its training does, but for what the settings of evaluations say."""

from __future__ import annotations

from stepalign.models.sampling import Sampling
from stepalign.settings.run import Run


def evaluation_sampling(run: Run) -> Sampling:
    """The sampling of every checkpoint of every condition."""
    asked, args = run.evaluation, run.trainer
    return Sampling(
        num_samples=asked.num_samples,
        temperature=args.temperature if asked.eval_temperature is None else asked.eval_temperature,
        top_p=args.top_p,
        top_k=args.top_k or 0,
        max_new_tokens=run.max_response_length,
        seed=asked.eval_seed,
        batch_size=asked.eval_batch_size,
    )
