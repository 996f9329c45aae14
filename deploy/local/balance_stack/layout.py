"""Where things lie in a stack's directory."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The directory of one stack.

    Attributes:
        directory: An absolute path.
    """

    directory: Path

    @property
    def state(self) -> Path:
        """The file that remembers the ports."""
        return self.directory / "state.json"

    @property
    def lock(self) -> Path:
        """The lock that is held while parts are started and stopped."""
        return self.directory / "lock"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's files, or a symbolic link to them."""
        return self.data("postgres")

    def data(self, part: str) -> Path:
        """Give the data directory of a part.

        Args:
            part: Its name.

        Returns:
            A directory that may not exist yet.
        """
        return self.directory / "data" / part

    def log(self, part: str) -> Path:
        """Give the log file of a part.

        Args:
            part: Its name.

        Returns:
            A file that may not exist yet.
        """
        return self.directory / "logs" / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """Give the file that tells which process runs a part.

        Args:
            part: Its name.

        Returns:
            A file that exists while the part runs.
        """
        return self.directory / "run" / f"{part}.pid"

    def configuration(self, name: str) -> Path:
        """Give a configuration file.

        Args:
            name: Its file name.

        Returns:
            A file that is written before each start.
        """
        return self.directory / "config" / name

    def pid_files(self) -> list[Path]:
        """List the parts that may be running.

        Returns:
            Their pid files, sorted.
        """
        return sorted((self.directory / "run").glob("*.pid"))

    def make_directories(self) -> None:
        """Make the directories that the parts expect."""
        for name in ("config", "data", "logs", "run"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    def remove_data(self) -> None:
        """Delete what the parts have stored, also where it lies elsewhere."""
        shutil.rmtree(self.postgres.resolve(), ignore_errors=True)
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        self.state.unlink(missing_ok=True)
