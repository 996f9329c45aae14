"""Settings: read whole, refused in clear lines, and silent about secrets."""

import os
from pathlib import Path

import pytest

from balance_shared.errors import SettingsError
from balance_shared.settings import (
    ALL_SETTINGS,
    PREFIX,
    ConnectorSettings,
    MetricsSettings,
    ServiceSettings,
    StorageSettings,
    environment_names,
    load,
)

ACCOUNT = {"ACCOUNT": "main", "API_KEY": "k", "API_SECRET": "hush"}
"""The least that a connector takes."""

SERVICE_NAMES = (
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SASL_PASSWORD_FILE",
    "KAFKA_SSL_CA_FILE",
    "KAFKA_SSL_CERT_FILE",
    "KAFKA_SSL_KEY_FILE",
    "SCHEMA_REGISTRY_URL",
    "TOPIC_PREFIX",
    "TOPIC_PARTITIONS",
    "TOPIC_REPLICATION",
    "HTTP_HOST",
    "HTTP_PORT",
    "LOG_LEVEL",
    "LOG_FORMAT",
)
CONNECTOR_NAMES = (
    "ACCOUNT",
    *(
        f"{name}{suffix}"
        for name in (
            "API_KEY",
            "API_SECRET",
            "API_PASSPHRASE",
            "REST_API_KEY",
            "REST_API_SECRET",
        )
        for suffix in ("", "_FILE")
    ),
    "WS_URL",
    "REST_URL",
    "FEEDS",
    "POLL_INTERVAL_S",
    "ASSET_ALIASES_FILE",
    "KRAKEN_USERS_ALL",
    "KRAKEN_REBASED",
    "BITFINEX_CALC",
    "FILTER_ACCOUNT_OWNER",
    "FILTER_ACCOUNT_GROUP",
    "FILTER_ACCOUNT_TYPE",
    "FILTER_ASSET",
    "MULTI_CHAIN_ASSETS",
    "SIGNED_CONTENT",
    "PING_FORM",
    "PING_INTERVAL_S",
    "REST_HEADER_PREFIX",
)


@pytest.fixture
def settle(monkeypatch):
    """Give a function that makes these the only variables of ours."""

    def set_only(**variables):
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)

    set_only()
    return set_only


def refused(settings_type=ConnectorSettings):
    """Return the lines with which the environment is refused."""
    with pytest.raises(SettingsError) as caught:
        load(settings_type)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("settings_type", "names"),
    [
        (ServiceSettings, SERVICE_NAMES),
        (ConnectorSettings, (*SERVICE_NAMES, *CONNECTOR_NAMES)),
        (
            StorageSettings,
            (
                *SERVICE_NAMES,
                "POSTGRES_DSN",
                "POSTGRES_DSN_FILE",
                "STORAGE_FRAMES",
                "STORAGE_RETENTION_DAYS",
            ),
        ),
        (MetricsSettings, (*SERVICE_NAMES, "METRICS_ASSETS")),
    ],
)
def test_names_are_those_of_the_contract(settings_type, names):
    """Every name that a service reads, and none beside."""
    found = environment_names(settings_type)
    assert {f"{PREFIX}{name}" for name in names} == set(found)
    assert settings_type in ALL_SETTINGS


def test_defaults_are_those_of_the_contract(settle):
    """A service on a developer's machine needs no settings."""
    settle(**ACCOUNT)
    settings = load(ConnectorSettings)
    assert settings.kafka_bootstrap_servers == "localhost:9092"
    assert settings.kafka_security_protocol == "PLAINTEXT"
    assert settings.schema_registry_url == "http://localhost:8081/apis/ccompat/v7"
    assert settings.topic_prefix == "balances"
    assert settings.topic_partitions == 12
    assert settings.topic_replication is None
    assert settings.log_format == "json"
    assert settings.feeds == ("ws", "rest")
    assert settings.poll_interval_s is None
    assert (settings.kraken_users_all, settings.kraken_rebased) == (False, True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092, b:9093", "a:9092, b:9093"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092", "[::1]:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "kafka"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL", "SSL"),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "SCRAM-SHA-512"),
        ("KAFKA_SASL_USERNAME", "me", "me"),
        ("KAFKA_SSL_CA_FILE", "/ca.pem", Path("/ca.pem")),
        ("KAFKA_SSL_CERT_FILE", "/cert.pem", Path("/cert.pem")),
        ("KAFKA_SSL_KEY_FILE", "/key.pem", Path("/key.pem")),
        ("SCHEMA_REGISTRY_URL", "https://registry/x", "https://registry/x"),
        ("TOPIC_PREFIX", "team.balances", "team.balances"),
        ("TOPIC_PARTITIONS", "3", 3),
        ("TOPIC_REPLICATION", "2", 2),
        ("HTTP_HOST", "127.0.0.1", "127.0.0.1"),
        ("HTTP_PORT", "0", 0),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
        ("LOG_FORMAT", "console", "console"),
        ("ACCOUNT", "A-b_c.9", "A-b_c.9"),
        ("WS_URL", "wss://venue/v2", "wss://venue/v2"),
        ("REST_URL", "https://venue", "https://venue"),
        ("POLL_INTERVAL_S", "1", 1),
        ("ASSET_ALIASES_FILE", "/aliases.json", Path("/aliases.json")),
        ("KRAKEN_USERS_ALL", "true", True),
        ("KRAKEN_REBASED", "0", False),
        ("LOG_LEVEL", "", "INFO"),
        ("FEEDS", "ws", ("ws",)),
        ("FEEDS", "rest", ("rest",)),
        ("FEEDS", "ws,rest", ("ws", "rest")),
        ("FEEDS", " rest , ws ", ("ws", "rest")),
        ("FEEDS", "ws,ws", ("ws",)),
        ("FEEDS", "", ("ws", "rest")),
    ],
)
def test_value_is_read(settle, name, text, value):
    """Each setting comes from its variable; an empty one is as if it were not there."""
    settle(**ACCOUNT | {name: text})
    assert value == getattr(load(ConnectorSettings), name.lower())


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "a:b", "should be host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2", "should be host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "'PLAINTEXT', 'SSL'"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", "'SCRAM-SHA-256'"),
        ("SCHEMA_REGISTRY_URL", "registry:8081", "should be a URL that begins with"),
        ("TOPIC_PREFIX", "a b", "1 to 200 of letters"),
        ("TOPIC_PARTITIONS", "0", "greater than or equal to 1"),
        ("TOPIC_PARTITIONS", "many", "valid integer"),
        ("TOPIC_REPLICATION", "0", "greater than or equal to 1"),
        ("HTTP_PORT", "65536", "less than or equal to 65535"),
        ("LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("LOG_FORMAT", "xml", "'json' or 'console'"),
        ("ACCOUNT", "a|b", "1 to 64 of letters"),
        ("ACCOUNT", "a" * 65, "1 to 64 of letters"),
        ("ACCOUNT", "main\n", "1 to 64 of letters"),
        ("FEEDS", "ws;rest", "should be ws, rest or ws,rest"),
        ("FEEDS", "WS", "should be ws, rest or ws,rest"),
        ("FEEDS", ",", "should be ws, rest or ws,rest"),
        ("POLL_INTERVAL_S", "0.5", "greater than or equal to 1"),
        ("POLL_INTERVAL_S", "inf", "finite number"),
        ("POLL_INTERVAL_S", "nan", "finite number"),
        ("KRAKEN_USERS_ALL", "perhaps", "valid boolean"),
    ],
)
def test_wrong_value_is_one_line(settle, name, text, words):
    """The line names the variable, what it should be and what it was."""
    settle(**ACCOUNT | {name: text})
    (line,) = refused()
    assert line.startswith(f"{PREFIX}{name}: ")
    assert words in line
    assert line.endswith(f"(was {text!r})")


def test_every_problem_has_its_line(settle):
    """All that is wrong is told at once, unknown names first."""
    settle(API_KEY="k", API_SECRET="s", LOG_FORMAT="xml", HTTP_PORT="x", HTPP_HOST="y")
    lines = refused()
    assert [line.split(":")[0].removeprefix(PREFIX) for line in lines] == [
        "HTPP_HOST",
        "HTTP_PORT",
        "LOG_FORMAT",
        "ACCOUNT",
    ]


def test_missing_values_say_how_to_give_them(settle):
    """Secrets may be files, and the line says so."""
    assert refused() == [
        f"{PREFIX}ACCOUNT: required and not set",
        f"{PREFIX}API_KEY: required and not set (or {PREFIX}API_KEY_FILE)",
        f"{PREFIX}API_SECRET: required and not set (or {PREFIX}API_SECRET_FILE)",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (f"{PREFIX}ACOUNT", f"; did you mean {PREFIX}ACCOUNT?"),
        (f"{PREFIX}KAFKA_BOOTSTRAP_SERVER", f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS?"),
        (f"{PREFIX}HTPP_PORT", f"; did you mean {PREFIX}HTTP_PORT?"),
        (f"{PREFIX}LOG_LEVEL_FILE", f"; did you mean {PREFIX}LOG_LEVEL?"),
        ("balancebus_account", f"; did you mean {PREFIX}ACCOUNT?"),
        (f"{PREFIX}http_port", f"; did you mean {PREFIX}HTTP_PORT?"),
        (f"{PREFIX}QQ", ": unknown setting"),
        (PREFIX, ": unknown setting"),
    ],
)
def test_unknown_name_is_one_line(settle, monkeypatch, name, hint):
    """A typing error stops the start, and is told what was meant."""
    settle(**ACCOUNT)
    monkeypatch.setenv(name, "8080")
    (line,) = refused()
    assert line.startswith(f"{name}: unknown setting")
    assert line.endswith(hint)


def test_names_of_other_services_are_known(settle):
    """One environment may serve all services of a deployment."""
    settle(**ACCOUNT, METRICS_ASSETS="BTC", POSTGRES_DSN="postgresql://")
    assert load(ServiceSettings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "80"),
        ("SERVICE_PORT_HTTP", "80"),
        ("PORT", "tcp://10.0.0.1:80"),
        ("PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PORT_80_TCP_PORT", "80"),
        ("PORT_80_TCP_PROTO", "tcp"),
        ("CONNECTOR_SERVICE_HOST", "10.0.0.1"),
        ("CONNECTOR_SERVICE_PORT", "80"),
        ("CONNECTOR_SERVICE_PORT_HTTP_METRICS", "80"),
        ("CONNECTOR_PORT", "udp://10.0.0.1:80"),
        ("CONNECTOR_PORT_53_UDP_ADDR", "10.0.0.1"),
    ],
)
def test_what_kubernetes_injects_is_ignored(settle, name, value):
    """A service that is called balancebus is no reason not to start."""
    settle(**ACCOUNT | {name: value})
    assert load(ConnectorSettings)


def test_port_that_is_no_service_link_is_not_from_kubernetes(settle):
    """A misspelt port of ours is told, as any name."""
    settle(**ACCOUNT, METRICS_PORT="9090")
    assert [f"{PREFIX}METRICS_PORT: unknown setting"] == [
        line.split(";")[0] for line in refused()
    ]


def test_service_link_in_the_place_of_a_setting_is_explained(settle):
    """Kubernetes may set HTTP_PORT for a service called balancebus-http."""
    settle(**ACCOUNT, HTTP_PORT="tcp://10.0.0.1:80")
    (line,) = refused()
    link = "Kubernetes set it to a service link (tcp://10.0.0.1:80)"
    assert line.startswith(f"{PREFIX}HTTP_PORT: {link}: set it in the pod, or set ")


SECRETS = (
    "KAFKA_SASL_PASSWORD",
    "API_KEY",
    "API_SECRET",
    "API_PASSPHRASE",
    "REST_API_KEY",
    "REST_API_SECRET",
)


def test_secrets_are_never_shown(settle):
    """Neither as a text, nor in a representation, nor among what is wrong."""
    secrets = {name: f"hush-{name}" for name in SECRETS}
    settle(ACCOUNT="main", **secrets)
    settings = load(ConnectorSettings)
    shown = f"{settings} {settings!r} {settings.model_dump()} {dict(settings)}"
    assert "hush" not in shown
    assert settings.api_secret.get_secret_value() == "hush-API_SECRET"
    settle(HTTP_PORT="x", **secrets | {"REST_API_KEY": ""})
    assert "hush" not in "".join(refused())
    settle(ACCOUNT="main", **secrets | {"REST_API_KEY": ""})
    assert "hush" not in "".join(refused())
    with pytest.raises(ValueError, match="belong together") as caught:
        ConnectorSettings()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("secret", ["hush hush", "hüsh", "hush\nhush"])
def test_wrong_secret_is_refused_unseen(settle, secret):
    """The line says what is wrong, and not what it was."""
    settle(**ACCOUNT | {"API_SECRET": secret})
    (line,) = refused()
    assert line.startswith(f"{PREFIX}API_SECRET: should be ")
    assert "hush" not in line
    assert "hüsh" not in line


def test_database_address_is_a_secret(settle):
    """It holds a password."""
    settle(POSTGRES_DSN="postgresql://me:hush@there/")
    assert "hush" not in repr(load(StorageSettings))


def test_secret_comes_from_a_file(settle, tmp_path):
    """White space around it, such as the last line's end, is no part of it."""
    path = tmp_path / "secret"
    path.write_text("  hush==\n")
    settle(ACCOUNT="main", API_KEY="k", API_SECRET_FILE=str(path))
    assert load(ConnectorSettings).api_secret.get_secret_value() == "hush=="


def test_empty_variable_leaves_the_file(settle, tmp_path):
    """An empty value is as if it were not there, for secrets too."""
    path = tmp_path / "secret"
    path.write_text("hush")
    settle(**ACCOUNT | {"API_SECRET": ""}, API_SECRET_FILE=str(path), API_KEY_FILE="")
    assert load(ConnectorSettings).api_secret.get_secret_value() == "hush"


def test_secret_given_twice_is_refused(settle, tmp_path):
    """Which of the two counts would be a guess."""
    path = tmp_path / "secret"
    path.write_text("hush")
    settle(**ACCOUNT, API_SECRET_FILE=str(path))
    name = f"{PREFIX}API_SECRET"
    assert refused() == [f"{name} and {name}_FILE are both set: leave one"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"", "{path} is empty"),
        (b" \n", "{path} is empty"),
        (b"hush\xff", "{path} is not UTF-8 text"),
    ],
)
def test_secret_file_that_holds_none_is_one_line(settle, tmp_path, content, words):
    """The line names the variable and the path, and shows nothing of the content."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    settle(ACCOUNT="main", API_KEY="k", API_SECRET_FILE=str(path))
    assert refused() == [f"{PREFIX}API_SECRET_FILE: {words.format(path=path)}"]


def test_secret_file_is_told_with_the_rest(settle, tmp_path):
    """A file that is not there does not hide what else is wrong."""
    settle(API_KEY_FILE=str(tmp_path), API_SECRET="s", LOG_FORMAT="xml")
    names = [line.split(":")[0].removeprefix(PREFIX) for line in refused()]
    assert names == ["API_KEY_FILE", "LOG_FORMAT", "ACCOUNT"]


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (
            {"REST_API_KEY": "k"},
            f"{PREFIX}REST_API_KEY and {PREFIX}REST_API_SECRET belong together",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "me"},
            (
                f"{PREFIX}KAFKA_SECURITY_PROTOCOL: SASL_SSL needs "
                f"{PREFIX}KAFKA_SASL_USERNAME and {PREFIX}KAFKA_SASL_PASSWORD"
            ),
        ),
    ],
)
def test_settings_that_belong_together_are_told(settle, extra, line):
    """Half of a pair is one clear line."""
    settle(**ACCOUNT, **extra)
    assert [line] == refused()


def test_settings_cannot_be_changed(settle):
    """What was checked stays as it was checked."""
    settle()
    with pytest.raises(ValueError, match="frozen"):
        load(ServiceSettings).http_port = 1
