"""Critics: rollouts in, typed and verified critiques out, each paid for once and every rollout accounted for.

`critic` says what a critic is, `build` makes one from `settings`. Two protocols ask a language model: `edit` and
`rewrite`; `align` and `verify` decide what of a reply is believed. `language_model` drives any `writer`: `endpoint`
(an OpenAI-compatible server) or `local` (a transformers model). `functions` wraps the exact critic and a user's own.
"""
