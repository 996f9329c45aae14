"""The comments of the database are the words of the records' schemas."""

import psycopg
import pytest

from balance_schemas.records import Alert, BalanceProof, ConnectorStatus, RawFrame
from balance_storage import descriptions
from balance_storage.schema import migrate

COLUMNS = """
SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
WHERE attrelid = to_regclass('balancebus.' || %s) AND attnum > 0 AND NOT attisdropped
"""


@pytest.mark.integration
def test_comments_that_differ_are_corrected(migrated):
    """Old words, or somebody's own, give way to those of the schemas."""
    with psycopg.connect(migrated) as connection:
        connection.execute("COMMENT ON COLUMN balancebus.balances.asset IS 'old'")
    migrate(migrated)
    with psycopg.connect(migrated) as connection:
        for table in descriptions.of_tables():
            found = dict(connection.execute(COLUMNS, (table,)).fetchall())
            meanings = descriptions.of_columns(table)
            assert found == {column: meanings[column] for column in found}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("table", "record"),
    [
        ("status", ConnectorStatus),
        ("proofs", BalanceProof),
        ("alerts", Alert),
        ("frames", RawFrame),
    ],
)
def test_no_field_of_a_record_lacks_a_column(migrated, table, record):
    """A new field of the contract needs a migration."""
    with psycopg.connect(migrated) as connection:
        found = dict(connection.execute(COLUMNS, (table,)).fetchall())
    assert set(record.__struct_fields__) <= found.keys()
