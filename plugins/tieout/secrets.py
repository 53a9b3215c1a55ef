"""Where a connection's secrets come from: the environment first, then Airflow's connection of the same name.

Environment: `TIEOUT_SECRET_<CONNECTION>__<FIELD>`, or a file named by `…__<FIELD>_FILE`. Airflow: the fields by name in
the connection's extra; its login stands for `consumer_key`, its password for the secret half of the pair.
"""

from __future__ import annotations

from tieout import airflow_support, logs
from tieout.errors import SecretError
from tieout.settings import secret_from_env
from tieout.spec import Connection

SHORTEST_KEY = 32  # characters
_IN_LOGIN = ("consumer_key",)
_IN_PASSWORD = ("private_key", "consumer_secret")


def secrets_for(connection: Connection) -> dict[str, str]:
    """All secrets that the connection's way to authenticate needs, by field.

    Every value is registered with `tieout.logs` before it is returned. SecretError names the connection and the field
    that is absent, empty or malformed; never a value.
    """
    names = connection.source.secrets.get(connection.auth, ())
    found = _given(connection, names)
    missing = [name for name in names if not found.get(name)]
    if missing:
        raise SecretError(
            f"connection {connection.name}: no secret {', '.join(missing)} (auth {connection.auth})",
            hint=f"set TIEOUT_SECRET_{connection.name.upper()}__{missing[0].upper()} (or …_FILE with a path), or add "
            f"an Airflow connection {connection.name!r} whose extra holds {missing[0]!r}",
        )
    return {name: _checked(connection.name, name, found[name]) for name in names}


def webhook_secret(connection: Connection) -> str:
    """The key that signs the connection's events. SecretError where it is absent, or short enough to be guessed."""
    return _key(connection, "webhook_secret", "letters or more")


def hash_key(connection: Connection) -> str:
    """The key of a connection's hashes. SecretError where it is absent, or short enough to be guessed."""
    return _key(connection, "hash_key", "random letters or more, for example from `openssl rand -hex 32`, and keep it: "
                "erased persons are known by hashes made with it")


def _key(connection: Connection, name: str, of: str) -> str:
    """A secret that must not be guessed. of: letters of what kind, for the hint."""
    found = _given(connection, (name,)).get(name, "")
    if len(found) < SHORTEST_KEY:
        raise SecretError(
            f"connection {connection.name}: {name} is {'too short' if found else 'missing'}",
            hint=f"set TIEOUT_SECRET_{connection.name.upper()}__{name.upper()} to {SHORTEST_KEY} {of}")
    return found


def _given(connection: Connection, names: tuple[str, ...]) -> dict[str, str]:
    """Those of the secrets that there are, hidden from every log from here on."""
    found = {name: value for name in names if (value := _from_env(connection.name, name))}
    if len(found) < len(names):
        found = {**_from_airflow(connection.name, names), **found}
    for value in found.values():
        logs.register_secret(value)
    airflow_support.mask(found.values())
    return found


def _from_env(connection: str, name: str) -> str | None:
    value = secret_from_env(connection, name)
    return value.strip() if value else None


def _from_airflow(connection: str, names: tuple[str, ...]) -> dict[str, str]:
    fields = airflow_support.connection_fields(connection) or {}
    found = {name: fields[name].strip() for name in names if fields.get(name)}
    for word, candidates in (("login", _IN_LOGIN), ("password", _IN_PASSWORD)):
        name = next((candidate for candidate in candidates if candidate in names), None)
        if name and fields.get(word):
            found.setdefault(name, fields[word].strip())
    return found


def _checked(connection: str, name: str, value: str) -> str:
    if name not in ("private_key", "certificate"):
        return value
    value = value.replace("\\n", "\n")  # environment files cannot hold line breaks
    if name == "certificate":
        return value
    logs.register_secret(value)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(value.encode(), password=None)
    except (ValueError, TypeError):
        # Without the cause: the parser's message may quote the key.
        raise SecretError(
            f"connection {connection}: {name} is not an unencrypted private key in PEM form",
            hint="it begins with -----BEGIN PRIVATE KEY-----; keep its line breaks, or write them as \\n",
        ) from None
    return value
