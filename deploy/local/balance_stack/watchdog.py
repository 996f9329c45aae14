"""Ends the parts of an ephemeral stack when the process that owns it is gone.

It is started with a pipe as standard input that only the owner can write to. However
the owner ends, SIGKILL included, the pipe closes; then what still runs is killed and
its data deleted. (Linux's PR_SET_PDEATHSIG would do without this process, but it is
tied to the thread that started the child: a part that is started from a worker thread
would die with that thread. And other systems do not have it.)
"""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from balance_stack.layout import Layout
from balance_stack.process import STOP_LIMIT_S, end


def main() -> None:
    """Wait for the end of standard input, then clear the stack's directory."""
    layout = Layout(Path(sys.argv[1]))
    sys.stdin.buffer.read()
    pid_files = layout.pid_files()
    # All at once: an orphan counts as ended when init reaps it, which may take seconds.
    with ThreadPoolExecutor(max(1, len(pid_files))) as pool:
        list(pool.map(lambda file: end(file, signal.SIGKILL, STOP_LIMIT_S), pid_files))
    layout.remove_data()


if __name__ == "__main__":
    main()
