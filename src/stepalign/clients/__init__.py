"""Clients: asking language models, behind a server or in this process, for critics and for solvers alike. No torch.

The words: a *client* (`client.Client`) takes one request to a model and brings one reply; there are two,
`server.ServerClient` and `local.LocalClient`. A *pool* (`pool.Pool`) is what others ask: it caches, bounds how many
requests are under way, asks nothing twice, and stops. `settings.ClientSettings` say whom it asks and how patiently, and
in which *role*: a critic or a solver, after whom messages name the settings that a user has to correct. The *ledger*
(`ledger.Ledger`) counts what was asked and what it cost, the *budget* limits it.

    async with Pool(ClientSettings("critic", base_url="http://127.0.0.1:8000/v1", model="m", max_tokens=512)) as pool:
        reply = await pool.ask("What is 2 + 2?", temperature=0.0)
"""
