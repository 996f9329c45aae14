"""Settings: environment variables only, checked whole before anything starts.

Every name has the prefix ``BALANCEBUS_``; a secret may be given as ``…_FILE``, the path
of a file that holds it, instead. Secrets are `SecretStr` and never printed. A name that
no service knows stops the start, as a wrong value does: each in one clear line.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast, get_args

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from balance_shared.errors import SettingsError

PREFIX = "BALANCEBUS_"

S = TypeVar("S", bound="ServiceSettings")


def _text(pattern: str, meaning: str) -> Any:
    """Return the type of a text that matches a pattern, which `meaning` describes."""
    whole = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not whole.fullmatch(text):
            raise ValueError(f"should be {meaning}")
        return text

    return AfterValidator(check)


_ADDRESS = r"\s*(\[[0-9A-Fa-f:.]+\]|[^\s,:\[\]]+)(:\d{1,5})?\s*"

Account = Annotated[
    str, _text(r"[A-Za-z0-9\-_.]{1,64}", "1 to 64 of letters, digits, -, _ and .")
]
Feed = Literal["ws", "rest"]

_KUBERNETES = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_\w+$", re.ASCII
)
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


class ServiceSettings(BaseSettings):
    """What every service takes from the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    kafka_bootstrap_servers: Annotated[
        str, _text(f"{_ADDRESS}(,{_ADDRESS})*", "host:port, or several with commas")
    ] = "localhost:9092"
    kafka_security_protocol: Literal[
        "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_file: Path | None = None
    kafka_ssl_cert_file: Path | None = None
    kafka_ssl_key_file: Path | None = None
    schema_registry_url: Annotated[
        str, _text(r"https?://[^\s/]+\S*", "a URL that begins with http:// or https://")
    ] = "http://localhost:8081/apis/ccompat/v7"
    topic_prefix: Annotated[
        str, _text(r"[A-Za-z0-9._\-]{1,200}", "1 to 200 of letters, digits, -, _ and .")
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
        """Take arguments, then the environment; nothing else."""
        return init_settings, env_settings

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        named = self.kafka_sasl_username and self.kafka_sasl_password
        if self.kafka_security_protocol.startswith("SASL") and not named:
            raise ValueError(
                f"{PREFIX}KAFKA_SECURITY_PROTOCOL: {self.kafka_security_protocol} "
                f"needs {PREFIX}KAFKA_SASL_USERNAME and {PREFIX}KAFKA_SASL_PASSWORD"
            )
        return self


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
    poll_interval_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    asset_aliases_file: Path | None = None
    kraken_users_all: bool = False
    kraken_rebased: bool = True
    bitfinex_calc: bool = True
    filter_account_owner: str | None = None
    filter_account_group: str | None = None
    filter_account_type: str | None = None
    filter_asset: str | None = None
    multi_chain_assets: bool = True
    signed_content: Literal["body", "message"] = "body"
    ping_form: Literal["signed", "bare"] = "signed"
    ping_interval_s: Annotated[float, Field(gt=0, le=19)] = 15.0
    rest_header_prefix: str | None = None

    @field_validator("api_key", "api_secret", "rest_api_key", "rest_api_secret")
    @classmethod
    def _one_word(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value() if secret else "-"
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("should be one word of printable ASCII")
        return secret

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
            raise ValueError(
                f"{PREFIX}REST_API_KEY and {PREFIX}REST_API_SECRET belong together"
            )
        return self


class StorageSettings(ServiceSettings):
    """What storage takes beside."""

    postgres_dsn: SecretStr
    storage_frames: bool = False
    storage_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class MetricsSettings(ServiceSettings):
    """What the metrics service takes beside."""

    metrics_assets: str = ""


class ProofSettings(ServiceSettings):
    """What proof takes beside: nothing."""


class AlertingSettings(ServiceSettings):
    """What alerting takes beside."""

    alerting_rules_file: Path


ALL_SETTINGS: tuple[type[ServiceSettings], ...] = (
    ServiceSettings,
    ConnectorSettings,
    StorageSettings,
    MetricsSettings,
    ProofSettings,
    AlertingSettings,
)
"""Every service's settings: a name that one of them knows is not unknown."""


def load(settings_type: type[S]) -> S:
    """Return the settings of a service from the environment.

    Raises:
        SettingsError: one line for each wrong, missing or unknown name. Secrets are
            not shown. Exit with code 2.
    """
    problems = list(_unknown(os.environ))
    secrets: dict[str, str | None] = {}
    for name, path in _secret_files(settings_type, os.environ):
        try:
            secrets[name] = _secret_in(name, path, os.environ)
        except SettingsError as error:
            problems.append(str(error))
            secrets[name] = None
    try:
        settings = settings_type(**cast("dict[str, Any]", secrets))
    except ValidationError as error:
        problems += [
            _line(settings_type, problem)
            for problem in error.errors()
            if secrets.get(str(next(iter(problem["loc"]), "")), "") is not None
        ]
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
    bare = [name.removeprefix(PREFIX) for name in sorted(known)]
    for name in sorted(environment):
        ours = name.upper().startswith(PREFIX) and name not in known
        if not ours or _is_injected(name, environment[name]):
            continue
        close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), bare, n=1)
        hint = f"; did you mean {PREFIX}{close[0]}?" if close else ""
        yield f"{name}: unknown setting{hint}"


def _is_injected(name: str, value: str) -> bool:
    """Return whether Kubernetes sets a variable for a service of its own.

    ``…_PORT`` alone may be a misspelt setting of ours: it is told by its value.
    """
    link = name.endswith("_PORT") and _SERVICE_LINK.match(value)
    return bool(link or _KUBERNETES.search(name))


def _secret_files(
    settings_type: type[ServiceSettings], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield (field, path) of each secret that is given as a file."""
    for name, field in settings_type.model_fields.items():
        path = environment.get(f"{PREFIX}{name.upper()}_FILE")
        if path and _is_secret(field):
            yield name, path


def _secret_in(name: str, path: str, environment: Mapping[str, str]) -> str:
    """Return what a secret's file holds, white space around it left out."""
    variable = f"{PREFIX}{name.upper()}"
    if environment.get(variable):
        raise SettingsError(f"{variable} and {variable}_FILE are both set: leave one")
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"{variable}_FILE: cannot read {path}: {error.strerror}"
        ) from error
    except ValueError:  # its text would show a piece of the secret
        raise SettingsError(f"{variable}_FILE: {path} is not UTF-8 text") from None
    if not secret:
        raise SettingsError(f"{variable}_FILE: {path} is empty")
    return secret


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
    if _is_secret(settings_type.model_fields[name]):
        return f"{PREFIX}{name.upper()}: {message}"
    shown = problem["input"]
    if name.endswith("_port") and _SERVICE_LINK.match(str(shown)):
        return (
            f"{PREFIX}{name.upper()}: Kubernetes set it to a service link ({shown}): "
            "set it in the pod, or set enableServiceLinks: false there"
        )
    return f"{PREFIX}{name.upper()}: {message} (was {shown!r})"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))
