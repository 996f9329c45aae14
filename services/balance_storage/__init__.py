"""Storage: every balance event in PostgreSQL, exactly once, and as of any two times.

`rows` and `others` turn records into rows, `facts` decides which of them count and when
they took effect, `sql` holds the statements; all four have no I/O. `database` is the
file that writes to PostgreSQL, `as_of` the one that reads it, `service` the one that
reads Kafka. The tables are made by ``migrations``, which the service applies when it
starts, if it may; `descriptions` are their comments, `roles` who may do what.
"""
