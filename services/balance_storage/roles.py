"""Who may do what: a role that writes, for storage, and one that reads, for people.

Both are groups without a login: `GRANT balancebus_reader TO grafana`.
"""

from collections.abc import Sequence

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

_INSERTED = (
    "accounts",
    "balance_keys",
    "tellings",
    "event_ids",
    "held",
    "status",
    "status_changes",
    "reconciliations",
    "reconciliation_differences",
    "proofs",
    "alerts",
    "frames",
    "consumer_offsets",
)

_UPDATED = (
    "accounts",
    "event_ids",
    "held",
    "status",
    "proofs",
    "alerts",
    "consumer_offsets",
)

_CALLED = ("make_partition", "drop_partitions")

_GRANTS = """
GRANT USAGE ON SCHEMA balancebus TO {writer}, {reader};
GRANT SELECT ON ALL TABLES IN SCHEMA balancebus TO {writer}, {reader};
GRANT INSERT ON {inserted} TO {writer};
GRANT UPDATE ON {updated} TO {writer};
GRANT EXECUTE ON FUNCTION {called} TO {writer};
"""

_LACKING = """
SELECT wanted || ' on ' || relname FROM pg_class, (
    VALUES ('INSERT', %(inserted)s::text[]), ('UPDATE', %(updated)s)
) AS rights(wanted, names)
WHERE relnamespace = 'balancebus'::regnamespace AND relname = ANY(names)
    AND NOT has_table_privilege(pg_class.oid, wanted)
UNION ALL
SELECT 'EXECUTE on ' || proname FROM pg_proc
WHERE pronamespace = 'balancebus'::regnamespace AND proname = ANY(%(called)s)
    AND NOT has_function_privilege(pg_proc.oid, 'EXECUTE')
ORDER BY 1 DESC
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
    connection.exec_driver_sql(
        _GRANTS.format(
            inserted=_named(_INSERTED),
            updated=_named(_UPDATED),
            called=_named(_CALLED),
            **names,
        )
    )
    return None


def lacking(connection: Connection) -> list[str]:
    """Return which of the writer's rights this user does not have."""
    wanted = {
        "inserted": list(_INSERTED),
        "updated": list(_UPDATED),
        "called": list(_CALLED),
    }
    return list(connection.exec_driver_sql(_LACKING, wanted).scalars())


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"balancebus.{name}" for name in names)
