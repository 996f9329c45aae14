"""Who is connected and what they are told, with a venue that repeats what it hears."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from balance_simulator.connections import Connections, due_us
from balance_simulator.faults import Faults
from balance_simulator.sessions import Goodbye
from balance_simulator.statistics import Statistics


@dataclass(eq=False)
class _Peer:
    told: list = field(default_factory=list)
    sent: int = 0
    queued: int = 0
    silent: bool = False
    last_sent_us: int = 0
    cut_off: bool = True

    def send(self, text):
        self.told.append(text)

    def close(self, code, reason):
        self.told.append((code, reason))

    def abort(self):
        self.told.append("aborted")

    def silence(self, until_us, *, lose):
        self.silent = True


class _Parrot:
    subscribed = True
    last_text = ""
    left = 0

    def opened(self, now_us):
        return ["hello"]

    def receive(self, text, now_us):
        return [text, Goodbye(1008, "enough")]

    def due(self, now_us, quiet_us):
        return [f"quiet for {quiet_us}"]

    def closed(self):
        self.left += 1


def _connections(connections_max=None):
    settings = SimpleNamespace(
        heartbeat_s=15.0, connections_max=connections_max, queue_max=9
    )
    memory = SimpleNamespace(
        settings=settings,
        faults=Faults(),
        statistics=Statistics(),
    )
    return Connections(memory, _Parrot, lambda: 7)


def test_conversation_is_carried():
    """A client hears greeting, answers, what is due and the wish to close."""
    connections, peer = _connections(), _Peer()
    session = connections.join(peer)
    connections.heard(peer, "word")
    connections.tick()
    assert ["hello", "word", (1008, "enough"), "quiet for 7"] == peer.told
    assert [(peer, session)] == list(connections.subscribed())
    connections.leave(peer)
    connections.leave(peer)
    connections.heard(peer, "ghost")
    connections.tick_one(peer)
    assert (1, 1, 4) == (session.left, connections.cut_off, len(peer.told))


def test_attempts_are_refused_with_a_status():
    """503 while nobody is let in, 403 off the list, 429 above the limit."""
    connections = _connections(connections_max=3)
    assert None is connections.refusal()
    for fault, status in (("refuse_connections", 503), ("forbidden", 403)):
        connections.memory.faults.arm(fault, {}, 7)
        assert status == connections.refusal()
        connections.memory.faults.arm("clear", {}, 7)
    assert 429 == connections.refusal()


def test_goodbye_to_all_is_silent_where_silence_is():
    """At the end a silent connection is cut, another closed with 1001."""
    connections, dead, live = _connections(), _Peer(), _Peer(queued=5)
    connections.memory.faults.arm("silence", {"seconds": 1}, 7)
    connections.join(dead)
    connections.memory.faults.arm("clear", {}, 7)
    connections.join(live)
    connections.go_away()
    assert ("aborted", (1001, "going away")) == (dead.told[-1], live.told[-1])
    assert connections.crowded(4)
    assert not connections.crowded(5)


def test_ticks_are_frequent_enough():
    """Four ticks fit into a heartbeat, and no tick is more than 0.25 s away."""
    connections = _connections()
    assert 0.25 == connections.tick_s
    connections.memory.settings.heartbeat_s = 0.1
    assert 0.025 == connections.tick_s
    assert 1_500_007 == due_us(7, "1.5")
