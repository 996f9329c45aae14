"""Alerting: rules on balances, proofs and feeds, and who is told when one breaks.

`rules` and `rules_text` read the rules file, `conditions` says when a figure breaks a
rule, `engine` turns records and time into alerts, `memory` writes them down and reads
them back: none of these has I/O. `routes` tell people, `restore` reads what was before,
`service` runs it all, `backtest` asks what would have been.
"""
