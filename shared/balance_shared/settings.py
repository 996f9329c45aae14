"""Settings: environment variables only, checked whole before anything starts.

Every name has the prefix ``BALANCEBUS_``; a secret may be given as ``…_FILE``, the path
of a file that holds it. Secrets are `SecretStr` and never printed. A name that no
service knows stops the start, as a wrong value does: each in one clear line.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from balance_shared.errors import SettingsError

PREFIX = "BALANCEBUS_"

S = TypeVar("S", bound="ServiceSettings")
Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-_.]{1,64}$")]
Feed = Literal["ws", "rest"]

_KUBERNETES = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT$|_PORT_\d+_\w+$", re.ASCII
)


class _SecretFiles(EnvSettingsSource):
    """Reads ``BALANCEBUS_<SECRET>_FILE`` for fields that are secrets."""

    def get_field_value(
        self, field: FieldInfo, field_name: str
    ) -> tuple[Any, str, bool]:
        if not _is_secret(field):
            return None, field_name, False
        path = self.env_vars.get(f"{PREFIX}{field_name}_FILE".lower())
        if path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, ValueError) as error:
            name = f"{PREFIX}{field_name.upper()}_FILE"
            raise SettingsError(f"{name}: cannot read {path}: {error}") from error


class ServiceSettings(BaseSettings):
    """What every service takes from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True
    )

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_security_protocol: Literal[
        "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_file: Path | None = None
    kafka_ssl_cert_file: Path | None = None
    kafka_ssl_key_file: Path | None = None
    schema_registry_url: str = "http://localhost:8081/apis/ccompat/v7"
    topic_prefix: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9._\-]{1,200}$")
    ] = "balances"
    topic_partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    topic_replication: Annotated[int, Field(ge=1, le=9)] | None = None
    http_host: str = "0.0.0.0"  # noqa: S104 — scraped from other pods
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments, then the environment, then secret files; nothing else."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class ConnectorSettings(ServiceSettings):
    """What a connector takes beside: one account of one venue."""

    account: Account
    api_key: SecretStr
    api_secret: SecretStr
    api_passphrase: SecretStr | None = None
    rest_api_key: SecretStr | None = None
    rest_api_secret: SecretStr | None = None
    ws_url: str | None = None
    rest_url: str | None = None
    feeds: Annotated[tuple[Feed, ...], NoDecode, Field(min_length=1)] = ("ws", "rest")
    poll_interval_s: Annotated[float, Field(ge=1)] = 60.0
    asset_aliases_file: Path | None = None
    kraken_users_all: bool = False
    kraken_rebased: bool = True

    @field_validator("feeds", mode="before")
    @classmethod
    def _split(cls, feeds: Any) -> Any:
        if not isinstance(feeds, str):
            return feeds
        names = {name.strip() for name in feeds.split(",")}
        if not names <= set(get_args(Feed)):
            raise ValueError("should be ws, rest or ws,rest")
        return tuple(sorted(names, reverse=True))

    @model_validator(mode="after")
    def _second_key_is_whole(self) -> Self:
        if (self.rest_api_key is None) != (self.rest_api_secret is None):
            raise ValueError("REST_API_KEY and REST_API_SECRET belong together")
        return self


class StorageSettings(ServiceSettings):
    """What storage takes beside."""

    postgres_dsn: SecretStr


class MetricsSettings(ServiceSettings):
    """What the metrics service takes beside."""

    metrics_assets: str = ""


ALL_SETTINGS: tuple[type[ServiceSettings], ...] = (
    ServiceSettings,
    ConnectorSettings,
    StorageSettings,
    MetricsSettings,
)
"""Every service's settings: a name that one of them knows is not unknown."""


def load(settings_type: type[S]) -> S:
    """Return the settings of a service from the environment.

    Raises:
        SettingsError: one line for each wrong, missing or unknown name. Secrets are
            not shown. Exit with code 2.
    """
    problems = list(_unknown(os.environ))
    try:
        settings = settings_type()
    except ValidationError as error:
        problems += [_line(settings_type, problem) for problem in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def environment_names(settings_type: type[ServiceSettings]) -> tuple[str, ...]:
    """Return the names of environment variables that a service reads, in order."""
    return tuple(_names(settings_type))


def _names(settings_type: type[ServiceSettings]) -> Iterator[str]:
    for name, field in settings_type.model_fields.items():
        yield f"{PREFIX}{name.upper()}"
        if _is_secret(field):
            yield f"{PREFIX}{name.upper()}_FILE"


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = {name for settings in ALL_SETTINGS for name in _names(settings)}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or _KUBERNETES.search(name):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield f"{name}: unknown setting{hint}"


def _line(settings_type: type[ServiceSettings], problem: Any) -> str:
    """Return one line about one setting, without the value of a secret."""
    if not problem["loc"]:
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        secret = _is_secret(settings_type.model_fields[name])
        also = f" (or {PREFIX}{name.upper()}_FILE)" if secret else ""
        return f"{PREFIX}{name.upper()}: required and not set{also}"
    shown = problem["input"]
    return f"{PREFIX}{name.upper()}: {message} (was {shown!r})"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))
