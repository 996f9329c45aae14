"""What is read from /metrics."""

from balance_demo.standin import sums

TEXT = """\
# TYPE balancebus_events_published_total counter
balancebus_events_published_total{feed="ws",kind="snapshot"} 25.0
balancebus_events_published_total{feed="ws",kind="update"} 17.0
# TYPE balancebus_publish_queue_frames gauge
balancebus_publish_queue_frames{feed="ws"} 3.0
"""


def test_series_are_summed_over_their_labels():
    """One number for each name."""
    assert {
        "balancebus_events_published_total": 42.0,
        "balancebus_publish_queue_frames": 3.0,
    } == sums(TEXT)
