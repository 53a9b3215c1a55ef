"""The environment of an Airflow that lives under one folder: paths, keys, ports. The user's own is not touched."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from tieout.settings import ROOT

USER = "admin"


def variables(home: Path, *, port: int, log_port: int, users: str = "") -> dict[str, str]:
    """AIRFLOW_* for `home`/airflow, with keys that are generated once and kept in a file of mode 0600.

    port: the api-server's; log_port: the scheduler's log server, the triggerer's is the next one. users: who may log in
    beside the admin, as `name:role,…`.
    """
    folder = home / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    keys = _keys(folder)
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(filter(None, (f"{USER}:admin", users))),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "airflow"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_port + 1),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "False",
    }


def password(home: Path, users: str = "") -> tuple[str, bool]:
    """The admin's password, and whether it was generated just now. Airflow's own file holds it (mode 0600).

    Those of `users` are in it afterwards, too: Airflow would generate them, and print them into its log.
    """
    path = home / "airflow" / "passwords.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = [USER, *(user.strip().split(":")[0] for user in users.split(",") if user)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if fresh := {name: secrets.token_urlsafe(12) for name in names if name not in known}:
        _write_secret(path, json.dumps(known | fresh))
    return (known | fresh)[USER], USER in fresh


def _keys(folder: Path) -> dict[str, str]:
    path = folder / "keys.json"
    if not path.is_file():
        fresh = {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt": secrets.token_hex(32),
            "api": secrets.token_hex(32),
        }
        _write_secret(path, json.dumps(fresh))
    return json.loads(path.read_text(encoding="utf-8"))


def _write_secret(path: Path, text: str) -> None:
    """0600 from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
