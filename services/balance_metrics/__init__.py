"""Metrics: each current balance as a Prometheus series, with when it was confirmed.

`state` folds records into exact values and is free of I/O; `service` reads the topics
and sets the gauges, where amounts become floats for the first time.
"""
