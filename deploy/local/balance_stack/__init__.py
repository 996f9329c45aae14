"""Kafka, a schema registry and PostgreSQL on this machine, needing only Python.

``balance_stack.running.running_stack`` is for demos and tests: it takes what is there
and starts what is not. ``balance_stack.stack.Stack`` is one local stack.
"""
