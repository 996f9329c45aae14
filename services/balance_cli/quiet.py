"""Commands that answer a question say themselves what failed, in one line."""

import logging

import structlog


def quiet() -> None:
    """Keep what clients log while they try again off the answer and off the screen."""
    logging.disable(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
