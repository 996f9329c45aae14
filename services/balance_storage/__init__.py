"""Storage: every balance event in PostgreSQL, exactly once, and each current balance.

`rows` turns records into rows and `sql` holds the statements that merge them; both are
free of I/O. `database` is the only file that talks to PostgreSQL, `service` the one
that reads Kafka. The tables are made by ``migrations``, which the service applies when
it starts.
"""
