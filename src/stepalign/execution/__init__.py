"""Programs that nobody has read, run under limits: what they return and print, never what they say of themselves.

    >>> from stepalign.execution.sandbox import Sandbox, TestJob
    >>> with Sandbox(timeout_s=5.0, memory_limit_mb=1024) as sandbox:
    ...     sandbox.run(TestJob("def add(a, b): return a - b", "assert add(2, 2) == 4", provided=("add",))).message
    'expected 4, got 0'

A sandbox is a server process (`server`), alone in its namespaces. It forks one judge, which has the tests (`judge`,
`testing`), and for each job a program, which has none (`program`). They exchange values (`values`, `channel`,
`remote`).

Nothing is imported here, so that the server stays small.
"""
