"""Who may do what: a role that writes, for storage, and one that reads, for people.

Both are groups without a login: `GRANT balancebus_reader TO grafana`.
"""

from sqlalchemy import Connection

WRITER = "balancebus_writer"
"""May do what storage does, and nothing else."""

READER = "balancebus_reader"
"""May read everything and write nothing."""

_MAKE = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""

_MAY = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"

_MISSING = """
SELECT name FROM unnest(ARRAY['{writer}', '{reader}']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
"""

_GRANTS = """
GRANT USAGE ON SCHEMA balancebus TO {writer}, {reader};
GRANT SELECT ON ALL TABLES IN SCHEMA balancebus TO {writer}, {reader};
GRANT INSERT ON balancebus.accounts, balancebus.balance_keys, balancebus.tellings,
    balancebus.event_ids, balancebus.held, balancebus.status,
    balancebus.status_changes, balancebus.reconciliations,
    balancebus.reconciliation_differences, balancebus.proofs, balancebus.alerts,
    balancebus.frames, balancebus.consumer_offsets TO {writer};
GRANT UPDATE ON balancebus.accounts, balancebus.event_ids, balancebus.held,
    balancebus.status, balancebus.proofs, balancebus.alerts,
    balancebus.consumer_offsets TO {writer};
GRANT EXECUTE ON FUNCTION balancebus.make_partition, balancebus.drop_partitions
    TO {writer};
"""


def grant(connection: Connection) -> str | None:
    """Make the roles where they are missing and give them their rights.

    Returns:
        What has to be done by somebody else, in one line; None if all is done.
    """
    names = {"writer": WRITER, "reader": READER}
    missing = connection.exec_driver_sql(_MISSING.format(**names)).scalars().all()
    if missing and not connection.exec_driver_sql(_MAY).scalar():
        made = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        return (
            f"this user may not make roles: have an administrator run {made!r}, "
            "then `balancebus storage migrate` again"
        )
    for role in missing:
        connection.exec_driver_sql(_MAKE.format(role=role))
    connection.exec_driver_sql(_GRANTS.format(**names))
    return None
