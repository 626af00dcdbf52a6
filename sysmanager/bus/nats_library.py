"""nats-py, without its WebSockets.

It imports aiohttp wherever it finds it, for connections over WebSockets, which the bus does not use: 10 MB in each process that has a bus.
So aiohttp is hidden while nats-py is imported; who needs it imports it afterwards as usual.
"""

import sys

_found = sys.modules.get("aiohttp")
if _found is None:
    sys.modules["aiohttp"] = None  # type: ignore[assignment] # as Python says that a module must not be imported
try:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from nats.errors import Error, NoRespondersError
finally:
    if _found is None:
        del sys.modules["aiohttp"]

__all__ = ["Client", "Error", "Msg", "NoRespondersError", "Subscription"]
