"""Critics: rollouts in, typed and verified critiques out, each paid for once and every rollout accounted for.

The words: a *critic* (`critic.Critic`) makes one *record* a rollout, which holds a *critique* or why there is none.
There are two, `language_model.LanguageModelCritic`, which asks a model through a pool of `stepalign.clients`, and
`functions.FunctionCritic`: the exact critic of the micro world, or a function of the user's own. `build` makes the one
that the `settings` name. A language model is asked in one of two `protocols`, edit and rewrite; `align` and `verify`
decide what of its reply is believed. Feedback formats ask a critic by a call, from rollouts to critiques
(`stepalign.feedback.formats.AskCritic`); `recorded.RecordedCritic` is such a call that keeps the ledger on disk.
"""
