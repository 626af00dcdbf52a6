"""System Manager's interface (SPEC 17): state (no Qt), models (QtCore), operations (one coroutine per command), views.

Data goes one way: the coordinator's rows and the operator's choices become events, `state.reduce` makes them a new state,
the store announces it, models and views show it. Nothing here knows which event loop carries it.
"""
