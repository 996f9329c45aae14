"""A real Alertmanager on a free port, which can be killed and started again."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

REQUIRED = bool(os.environ.get("ALERTMANAGER_REQUIRED"))
"""Whether its tests may not be skipped: set by .ci/run."""

CONFIG = """
route: {{receiver: all, group_by: [alertname, asset], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: all
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Alertmanager:
    """One process, with its data in a folder.

    Args:
        folder: for configuration, data and log.
        receiver: URL that it tells.
    """

    def __init__(self, folder: Path, receiver: str) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        (folder / "am.yaml").write_text(CONFIG.format(url=receiver))

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "am.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={self._folder / 'am.yaml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 120
        while not self._ready():
            assert time.monotonic() < end, (self._folder / "am.log").read_text()
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def alerts(self) -> list[dict]:
        """Return the alerts that it holds."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return json.loads(answer.read())

    def names(self) -> list[str]:
        """Return the names of the alerts that it holds, sorted."""
        return sorted(one["labels"]["alertname"] for one in self.alerts())

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=60)
            self.process = None

    def stop(self) -> None:
        """Ask it to end, and wait: it writes down whom it told of what."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None
