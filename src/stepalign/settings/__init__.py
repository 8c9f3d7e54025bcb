"""Settings, declared once and resolved once: a recipe, flags and keyword arguments in, one typed, frozen run out.

    run = resolve_training(Given.of("train", {"condition": "refsol", "output_dir": "runs/refsol"}, config="micro"))

`groups` declares what can be set, `recipes` reads YAML, `given` brings recipe, flags and keyword arguments together,
`trainer` has what goes through TRL's own parser, `resolve` checks everything in one order, and `same` tells whether a
directory holds the same run.
"""
