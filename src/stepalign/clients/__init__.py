"""Clients: asking language models, behind a server or in this process, for critics and for solvers alike. No torch.

The words: a *client* (`client.Client`) takes one request to a model and brings one reply; there are two,
`server.ServerClient` and `local.LocalClient`. A *pool* (`pool.Pool`) is what others ask: it caches, bounds how many
requests are under way, asks nothing twice, and stops. `stepalign.clients.settings` say whom it asks and how patiently,
and in which *role*: a critic or a solver, after whom messages name the settings that a user has to correct. The
*ledger* (`ledger.Ledger`) counts what was asked and what it cost, the *budget* limits it.
"""
