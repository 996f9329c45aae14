"""The contract in code: records, keys, topics and the one codec.

Owns what other teams rely on; imports nothing else of this project, no Kafka client
and no clock. The Avro schemas in ``avro/`` are the source, the record types in
`records` are their Python face, and a test holds the two together.
"""
