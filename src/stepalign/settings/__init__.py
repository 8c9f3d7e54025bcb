"""Settings, declared once and resolved once: a recipe, flags and keyword arguments in, one typed, frozen run out.

    >>> from stepalign.settings.commands import TRAIN
    >>> from stepalign.settings.given import given_values
    >>> from stepalign.settings.resolve import resolve_training
    >>> run = resolve_training(given_values(TRAIN, "micro", {"condition": "refsol", "output_dir": "runs/refsol"}))
    >>> run.training.condition
    'refsol'

`groups` and `command_groups` declare what can be set, `recipes` reads YAML, `given` brings recipe, flags and keyword
arguments together, `trainer` has what goes through TRL's own parser, `resolve` checks everything in one order, and
`same` tells whether a directory holds the same run.
"""
