"""Decides (SPEC 4-8, 13). A pure, deterministic state machine: `decide` gives facts, `evolve` applies them,
`outstanding` says what is to be done.

It knows no clock, no network, no file and no chance, so that a preview, a replay and a simulation give the same answer as the real thing.
"""
