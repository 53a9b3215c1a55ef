"""The environment: one reader, one name per setting, errors that name the variable and never its value."""

from __future__ import annotations

import re

import pytest

from tests.conftest import clear_settings
from tieout import place, settings
from tieout.errors import ConfigError


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith(("TIEOUT_", "AIRFLOW__"))]:
        monkeypatch.delenv(name)
    clear_settings()
    yield
    monkeypatch.undo()
    clear_settings()


def test_defaults_are_inside_the_repository(root):
    found = settings.settings()
    assert found.home == root / ".tieout" and found.config == root / "tieout.yml"
    assert found.archive == (root / ".tieout" / "archive").as_uri()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIEOUT_DBT_THREADS", "none"),
        ("TIEOUT_RELOAD_GUARD_PCT", "101"),
        ("TIEOUT_LOG_FORMAT", "xml"),
        ("TIEOUT_AIRFLOW_PORT", "0"),
        ("TIEOUT_AIRFLOW_USERS", "ana,ben"),
        ("TIEOUT_AIRFLOW_USERS", "ana:user,"),
        ("TIEOUT_AIRFLOW_USERS", "ana:owner"),
    ],
)
def test_a_wrong_setting_names_its_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=rf"{variable}: .*\n  → see \.env\.example"):
        settings.settings()


def test_an_error_never_shows_the_value(monkeypatch):
    monkeypatch.setenv("TIEOUT_WAREHOUSE_PORT", "hunter2-was-pasted-here")
    with pytest.raises(ConfigError) as error:
        settings.warehouse()
    assert "TIEOUT_WAREHOUSE_PORT" in str(error.value) and "hunter2" not in str(error.value)


def test_passwords_do_not_print(monkeypatch):
    monkeypatch.setenv("TIEOUT_WAREHOUSE_OWNER_PASSWORD", "hunter2")
    assert "hunter2" not in repr(settings.warehouse())


def test_a_secret_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "s").write_text("hunter2\n", encoding="utf-8")
    monkeypatch.setenv("TIEOUT_SECRET_ERP__TOKEN_FILE", str(tmp_path / "s"))
    assert settings.secret_from_env("erp", "token") == "hunter2"
    monkeypatch.setenv("TIEOUT_SECRET_ERP__TOKEN_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="TIEOUT_SECRET_ERP__TOKEN_FILE: No such file"):
        settings.secret_from_env("erp", "token")


def test_an_env_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# comment\n\nA=1\nexport B='two words'\nC=a=b\nD=\n", encoding="utf-8")
    assert settings.read_env_file(path) == {"A": "1", "B": "two words", "C": "a=b", "D": ""}
    path.write_text("A=1\nnonsense\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\.env:2: expected NAME=value"):
        settings.read_env_file(path)


def test_apply_reads_settings_anew_and_can_keep_what_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("TIEOUT_HOME", "/one")
    assert str(settings.settings().home) == "/one"
    settings.apply({"TIEOUT_HOME": "/two"}, override=False)
    assert str(settings.settings().home) == "/one"
    settings.apply({"TIEOUT_HOME": "/two"})
    assert str(settings.settings().home) == "/two"


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgresql+psycopg2://a:b@h:1/airflow", "postgresql://a:b@h:1/airflow"),
        ("sqlite:////tmp/a.db", None),
        (None, None),
    ],
)
def test_airflows_database_as_a_libpq_url(monkeypatch, url, dsn):
    if url:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    assert settings.airflow_dsn() == dsn


def test_every_setting_is_in_the_example(root):
    """`.env.example` lists each variable once, and none that nobody reads."""
    listed = re.findall(
        r"^#? ?(TIEOUT_[A-Z_]+|POSTGRES_[A-Z_]+|AIRFLOW_[A-Z_]+)=", (root / ".env.example").read_text(), re.M
    )
    ours = [f"TIEOUT_{name.upper()}" for name in settings.Settings.model_fields]
    ours += [f"TIEOUT_WAREHOUSE_{name.upper()}" for name in settings.Warehouse.model_fields]
    assert len(ours) > 20
    assert sorted(set(ours) - set(listed)) == []
    compose = (root / "docker-compose.yml").read_text(encoding="utf-8")
    unread = [
        name for name in listed if name not in ours and f"${{{name}" not in compose and "TIEOUT_SECRET" not in name
    ]
    assert unread == []
    assert len(listed) == len(set(listed))


def test_passwords_in_the_environment_win_over_everything(monkeypatch):
    monkeypatch.setenv("TIEOUT_WAREHOUSE_LOADER_PASSWORD", "x")
    assert place.find().kind == "environment"


def test_a_tieout_yml_is_the_companys_own_place(monkeypatch, tmp_path):
    monkeypatch.setattr(place, "ROOT", tmp_path)
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIEOUT_CONFIG", str(tmp_path / "tieout.yml"))
    assert place.find().kind == "demo"
    (tmp_path / "tieout.yml").write_text("version: 1\nconnections: {}\n", encoding="utf-8")
    assert place.find() == place.Place("own", tmp_path / "home", embedded=True)
    (tmp_path / ".env").write_text("TIEOUT_WAREHOUSE_LOADER_PASSWORD=x\n", encoding="utf-8")
    assert place.find() == place.Place("own", tmp_path / "home", embedded=False)
