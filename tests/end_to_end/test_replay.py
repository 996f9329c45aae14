"""Connectors that are killed under traffic leave frames that make their events again."""

import json
import os
import random
import subprocess
import time
import uuid
from contextlib import ExitStack

import pytest
from processes import PROGRAM, Service, Venue, ended, until

pytestmark = pytest.mark.end_to_end

VENUES = "kraken", "bitfinex", "zerohash", "ndax"
KILLS = 2


def replayed(environment):
    """Return the exit code and the accounts of `balancebus replay`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    done = subprocess.run(
        [*PROGRAM, "replay", "--format", "json"],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, json.loads(done.stdout)["accounts"], done.stderr


def test_killed_connectors_can_be_replayed(stack, tmp_path):
    """Killed at any point, gaps, closes: what can be judged is equal, and most can."""
    rng = random.Random(5)
    common = stack.endpoints.environment() | {
        "BALANCEBUS_TOPIC_PREFIX": f"t-{uuid.uuid4().hex}",
        "BALANCEBUS_TOPIC_PARTITIONS": "4",
        "BALANCEBUS_ACCOUNT": "main",
        "BALANCEBUS_POLL_INTERVAL_S": "5",
    }
    with ExitStack() as parts:
        connectors, venues = [], []
        for name in VENUES:
            venue = Venue(tmp_path / f"{name}.log", name=name)
            parts.enter_context(ended(venue))
            environment = common | venue.environment
            log = tmp_path / f"connector-{name}.log"
            connector = Service(log, environment, "connector", name)
            parts.enter_context(ended(connector))
            venues.append(venue)
            connectors.append(connector)
        for venue, connector in zip(venues, connectors, strict=True):
            until(connector.ready, f"{connector.log.name} is ready", 120)
            venue.traffic(20)
        for _ in range(KILLS):
            time.sleep(rng.uniform(3, 8))
            for venue in venues:
                venue.fault("gap")
            time.sleep(rng.uniform(0, 2))
            for connector in connectors:
                connector.kill()
                connector.start()
            for connector in connectors:
                until(connector.ready, f"{connector.log.name} is back", 120)
        for venue in venues:
            venue.quiet()
        time.sleep(15)  # histories are asked for at their own pace
        for connector in connectors:
            connector.stop()
    code, accounts, errors = replayed(common)
    assert 0 == code, (accounts, errors)
    assert {f"{name}|main" for name in VENUES} == accounts.keys()
    for found in accounts.values():
        assert 0 == found["different"]
        assert found["equal"] > sum(found["unjudged"].values())
