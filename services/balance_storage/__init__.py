"""Storage: every balance event in PostgreSQL, exactly once, and as of any two times.

`rows` and `others` turn records into rows, `facts` decides which of them count and when
they took effect, `chain` links each row to the one before, `verify` says what does not
fit, `sql` holds the statements; all these have no I/O. `database` is the file that
writes to PostgreSQL, `as_of` and `audit` read it, `service` is the one that reads
Kafka for ever. The tables are made by ``migrations``, which the service applies when it
starts, if it may; `descriptions` are their comments, `roles` who may do what.
"""
