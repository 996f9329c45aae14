"""Fakes that ship with the package, for tests of services and of new venues.

`ManualClock` moves only when told, `InMemoryBus` takes records as Kafka does, and
`ScriptedSocket` says what a script says.
"""

from balance_shared.testing.bus import InMemoryBus
from balance_shared.testing.clock import ManualClock
from balance_shared.testing.socket import ScriptedSocket

__all__ = ["InMemoryBus", "ManualClock", "ScriptedSocket"]
