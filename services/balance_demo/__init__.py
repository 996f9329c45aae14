"""The demo: the whole bus against stand-in venues, watched live, proven at the end.

`venues` is the one table that knows venues. Pure: `board` (what the bus says),
`books` (the comparison with the truth), `plays` (which trouble is made, and how it
heals), `screen` and `summary` (what one sees). With I/O: `children` (processes),
`standin` (a stand-in's control interface), `bus` (Kafka and PostgreSQL), `output`,
`show` (the run) and `start` (everything before and after it).
"""
