"""Puts this folder's helpers on the path."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "venues" / "kraken")]
