"""What a setting has to mend is told from what passes."""

import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_shared.errors import SettingsError
from balance_storage.connecting import connected, connected_at_once, refusal

AT = 'connection to server at "10.0.0.1", port 5432 failed: '
NOBODY = f'{AT}FATAL:  role "nobody" does not exist'
WRONG = f'{AT}FATAL:  password authentication failed for user "me"'
AWAY = f"{AT}Connection refused\n\tIs the server running on that host?"
SEVERAL = "Multiple connection attempts failed. All failures were:"
HOST = "\n- host: 'books', port: '5432', hostaddr: '10.0.0.1': connection "


@pytest.mark.parametrize(
    "said",
    [
        NOBODY,
        f'{AT}FATAL:  database "none" does not exist',
        WRONG,
        f'{WRONG}\n{AT}FATAL:  no pg_hba.conf entry for host "10.0.0.9"',
        f'{AT}FATAL:  role "nobody" is not permitted to log in',
        f'{AT}FATAL:  permission denied for database "books"\nDETAIL:  No CONNECT.',
        f"{AT}fe_sendauth: no password supplied",
        'connection to server on socket "/x" failed: FATAL:  role "a" does not exist',
    ],
)
def test_who_is_refused_for_good_has_a_wrong_setting(said):
    """The line says which, and what the server said."""
    one = refusal(psycopg.OperationalError(f"connection failed: {said}"))
    told = f"BALANCEBUS_POSTGRES_DSN: connection failed: {' '.join(said.split())}"
    assert told == str(one)
    both = refusal(psycopg.OperationalError(SEVERAL + 2 * f"{HOST}failed: {said}"))
    assert 1 == len(str(both).splitlines())


@pytest.mark.parametrize(
    "said",
    [
        f"failed: {AWAY}",
        f"failed: {AT}FATAL:  the database system is starting up",
        f"failed: {AT}FATAL:  sorry, too many clients already",
        f'failed: {AT}FATAL:  too many connections for role "me"',
        f'failed: {AT}FATAL:  LDAP authentication failed for user "me"',
        f"failed: {AT}FATAL:  Rolle »nobody« existiert nicht",
        f"failed: {NOBODY}\n{AWAY}",
        f"failed: {AWAY}\n{NOBODY}",
        "timeout expired",
    ],
)
def test_what_passes_is_no_wrong_setting(said):
    """One host of several that may take us is enough, and so is a doubt."""
    assert refusal(psycopg.OperationalError(f"connection {said}")) is None
    two = f"{SEVERAL}{HOST}failed: {NOBODY}{HOST}{said}"
    assert refusal(psycopg.OperationalError(two)) is None


@contextmanager
def passwords_asked_of(role, server):
    """Make a role that has to give its password, which is: right."""
    with psycopg.connect(server, autocommit=True) as connection:
        ((file,),) = connection.execute("SHOW hba_file").fetchall()
        if not Path(file).exists():
            pytest.skip("the database lies on another machine")
        before = Path(file).read_text()
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'right'")
        try:
            rules = f"host all {role} all scram-sha-256\n"
            Path(file).write_text(rules + before)
            connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            Path(file).write_text(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"DROP ROLE {role}")


@pytest.mark.integration
async def test_real_server_is_understood(stack, until):
    """It says what it said when this was written; a right password gets in."""
    server, name = stack.endpoints.postgres_dsn, f"t_{uuid.uuid4().hex}"

    async def refused(**wrong):
        dsn = make_conninfo(server, **wrong)
        with pytest.raises(SettingsError) as late:
            await connected(dsn)
        with pytest.raises(SettingsError) as at_once:
            connected_at_once(dsn)
        assert str(late.value) == str(at_once.value)
        return str(late.value)

    def lets_in(password):
        dsn = make_conninfo(server, user=name, password=password)
        try:
            connected_at_once(dsn).close()
        except SettingsError:
            return False
        return True

    assert f'role "{name}" does not exist' in await refused(user=name)
    assert f'database "{name}" does not exist' in await refused(dbname=name)
    with passwords_asked_of(name, server):
        await until(lambda: not lets_in("wrong"))
        assert "password authentication failed" in await refused(
            user=name, password="wrong"
        )
        assert "no password supplied" in await refused(user=name)
        assert lets_in("right")
    with pytest.raises(psycopg.OperationalError):
        await connected(make_conninfo(server, port="1"))
