"""What every service needs: settings, errors, Kafka, registry, service runner, logs.

Nothing here knows a venue. `balance_shared.kafka` is the only importer of aiokafka and
`balance_shared.telemetry` the only place where metrics are declared.
"""

from importlib.metadata import version

VERSION = version("balance-bus")
"""Version of the installed distribution."""
