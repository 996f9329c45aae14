"""Rules in, alerts out: says what is wrong, and stays silent otherwise."""
