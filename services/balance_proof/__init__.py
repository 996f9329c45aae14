"""Proof: is each balance what the venue holds? A verdict with its reason, on the bus.

===========  ==========================  ============  ==========================
venue        chain                       snapshot      reconciliation
===========  ==========================  ============  ==========================
Kraken       each entry                  each picture  by asset
Bitfinex     no: updates tell no change  each picture  by wallet
Zero Hash    each run                    each picture  by account
NDAX         each run                    each picture  by account
REST alone   no: changes are our own     each answer   no: there is no stream
===========  ==========================  ============  ==========================

No file knows a venue by name: what events say of themselves decides. Pure are `book`,
`question`, `search`, `ledger`, `comparison`, `calm`, `verdicts`, `account`, `shard`,
`merge` and `restore`; `service` and `transfers` read and write.
"""
