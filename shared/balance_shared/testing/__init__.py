"""Fakes that ship with the package, for tests of services and of new venues.

`ManualClock` moves only when told, `VirtualClock` and `run_virtually` make hours pass
in seconds, `InMemoryBus` takes records as Kafka does, `InMemoryRecall` reads them back
for a connector, and `ScriptedSocket` says what a script says.
"""

from balance_shared.testing.bus import InMemoryBus
from balance_shared.testing.clock import ManualClock
from balance_shared.testing.recall import InMemoryRecall
from balance_shared.testing.socket import ScriptedSocket
from balance_shared.testing.virtual_time import VirtualClock, run_virtually

__all__ = [
    "InMemoryBus",
    "InMemoryRecall",
    "ManualClock",
    "ScriptedSocket",
    "VirtualClock",
    "run_virtually",
]
