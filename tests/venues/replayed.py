"""What a world's connector told, against a replay of what it kept."""

from balance_connector.books import Account
from balance_connector.judgement import Judgement, Telling
from balance_connector.replay import Replay
from balance_connector.venues import VENUES
from balance_schemas.codec import decode, frame
from balance_schemas.records import BalanceEvent, RawFrame
from balance_schemas.topics import EVENTS, FRAMES


def judged(world, *, venue=None, frames=None, tellings=None, **window) -> Judgement:
    """Return the judgement on all that lies on a world's bus, or on what is given."""
    venue = venue or VENUES[world.dialect.name]
    judgement = Judgement(Replay(venue, Account(venue.name, "main")), **window)
    frames = kept(world) if frames is None else frames
    told = iter(told_by(world) if tellings is None else tellings)
    for record, place in frames:
        while judgement.needs(record) and (telling := next(told, None)):
            judgement.told(telling)
        judgement.frame(record, place)
    for telling in told:
        judgement.told(telling)
    judgement.end()
    return judgement


def kept(world) -> list[tuple[RawFrame, tuple[int, int]]]:
    """Return the frames on the bus and where each lies."""
    bodies = [record.body for record in world.bus.records[FRAMES.name]]
    return [
        (decode(RawFrame, frame(1, body)), (0, offset))
        for offset, body in enumerate(bodies)
    ]


def told_by(world) -> list[Telling]:
    """Return the events on the bus, with bodies and places."""
    bodies = [record.body for record in world.bus.records[EVENTS.name]]
    return [
        Telling(decode(BalanceEvent, frame(1, body)), body, (0, offset))
        for offset, body in enumerate(bodies)
    ]


def outcome(judgement: Judgement) -> tuple[int, dict[str, int], list]:
    """Return how many are equal, how many not judged and why, and what differs."""
    unjudged = {why: count for why, count in judgement.unjudged.items() if count}
    return judgement.equal, unjudged, judgement.differences
