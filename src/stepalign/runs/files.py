"""The names of a run's files, one each. Writers and readers take them from here.

>>> METRICS
'metrics.jsonl'
"""

METRICS, ROLLOUTS, PROGRESS = "metrics.jsonl", "rollouts.jsonl", "progress.json"
WARNINGS, EVALUATIONS = "warnings.jsonl", "evaluations.jsonl"
