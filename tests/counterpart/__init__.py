"""A Bot API server over real HTTP: our strict in-process one, with a network in front of it.

`python -m tests.counterpart` serves it by itself; tests open it in their own event loop with
`tests.counterpart.server.serving` and run the real `coach` beside it with `programs.Program`.
"""
