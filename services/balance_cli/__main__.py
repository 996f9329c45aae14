"""``python -m balance_cli`` is ``balancebus``."""

from balance_cli.main import main

main()
