"""Where secrets come from, and that errors never say what they are."""

from __future__ import annotations

import sys

import pytest

from tests.unit.extract_stub import netsuite, pem, rsa_key, salesforce
from tieout import airflow_support, logs, secrets
from tieout.errors import SecretError
from tieout.secrets import secrets_for


@pytest.fixture(autouse=True)
def no_airflow(monkeypatch):
    """Airflow knows nothing, unless a test says so."""
    known: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(airflow_support, "connection_fields", lambda name: known.get(name))
    return known


def set_secrets(monkeypatch, connection: str, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"TIEOUT_SECRET_{connection}__{name}".upper(), value)


def test_the_environment_comes_first(monkeypatch, no_airflow):
    no_airflow["crm_eu"] = {"consumer_key": "from-airflow", "consumer_secret": "from-airflow-too"}
    set_secrets(monkeypatch, "crm_eu", consumer_key="from-env")
    assert secrets_for(salesforce("client_credentials")) == {
        "consumer_key": "from-env", "consumer_secret": "from-airflow-too",
    }


def test_airflow_is_not_asked_when_the_environment_has_all(monkeypatch):
    def never(name: str) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(airflow_support, "connection_fields", never)
    set_secrets(monkeypatch, "crm_eu", consumer_key="key-in-env", consumer_secret="secret-in-env")
    assert secrets_for(salesforce("client_credentials"))["consumer_key"] == "key-in-env"


def test_a_secret_may_be_a_mounted_file(monkeypatch, tmp_path):
    path = tmp_path / "key.pem"
    path.write_text(pem(rsa_key()))
    monkeypatch.setenv("TIEOUT_SECRET_CRM_EU__PRIVATE_KEY_FILE", str(path))
    set_secrets(monkeypatch, "crm_eu", consumer_key="the-key", username="tieout@example.com")
    assert secrets_for(salesforce())["private_key"] == pem(rsa_key()).strip()


def test_login_and_password_of_an_airflow_connection_stand_for_the_pair(no_airflow):
    no_airflow["erp_us"] = {
        "login": "the-consumer-key", "password": "the-consumer-secret", "token_id": "the-token",
        "token_secret": "the-token-secret",
    }
    assert secrets_for(netsuite()) == {
        "consumer_key": "the-consumer-key", "consumer_secret": "the-consumer-secret", "token_id": "the-token",
        "token_secret": "the-token-secret",
    }


def test_the_password_is_the_private_key_where_there_is_one(no_airflow):
    no_airflow["crm_eu"] = {"login": "the-key", "password": pem(rsa_key()), "username": "tieout@example.com"}
    assert secrets_for(salesforce())["private_key"].startswith("-----BEGIN PRIVATE KEY-----")


def test_an_absent_secret_is_named_with_its_connection(monkeypatch):
    set_secrets(monkeypatch, "erp_us", consumer_key="the-consumer-key", token_id="the-token")
    with pytest.raises(SecretError) as caught:
        secrets_for(netsuite())
    assert "connection erp_us: no secret consumer_secret, token_secret" in str(caught.value)
    assert "TIEOUT_SECRET_ERP_US__CONSUMER_SECRET" in str(caught.value)
    assert "the-consumer-key" not in str(caught.value)


def test_an_empty_secret_is_an_absent_one(monkeypatch):
    set_secrets(monkeypatch, "crm_eu", consumer_key="the-key", consumer_secret="  ")
    with pytest.raises(SecretError, match="no secret consumer_secret"):
        secrets_for(salesforce("client_credentials"))


def test_a_malformed_key_is_named_and_not_shown(monkeypatch):
    broken = pem(rsa_key()).replace("\n", "", 3)[:200]
    set_secrets(monkeypatch, "crm_eu", consumer_key="the-key", username="tieout@example.com", private_key=broken)
    with pytest.raises(SecretError, match="connection crm_eu: private_key is not an unencrypted private key") as caught:
        secrets_for(salesforce())
    assert broken[30:60] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_line_breaks_of_a_key_may_be_written_as_backslash_n(monkeypatch):
    escaped = pem(rsa_key()).strip().replace("\n", "\\n")
    set_secrets(monkeypatch, "crm_eu", consumer_key="the-key", username="tieout@example.com", private_key=escaped)
    assert secrets_for(salesforce())["private_key"] == pem(rsa_key()).strip()


def test_every_secret_is_registered_before_anything_can_log_it(monkeypatch):
    set_secrets(monkeypatch, "crm_eu", consumer_key="register-me-key", consumer_secret="register-me-secret")
    secrets_for(salesforce("client_credentials"))
    assert logs.redact("register-me-key register-me-secret") == "*** ***"


def test_in_an_airflow_process_its_own_masker_is_told(monkeypatch):
    masked: list[str] = []
    monkeypatch.setattr(secrets.airflow_support, "mask", lambda values: masked.extend(values))
    set_secrets(monkeypatch, "crm_eu", consumer_key="mask-me-key", consumer_secret="mask-me-secret")
    secrets_for(salesforce("client_credentials"))
    assert sorted(masked) == ["mask-me-key", "mask-me-secret"]


def test_reading_secrets_does_not_import_airflow():
    """The import costs seconds; only a missing secret may pay for it."""
    import subprocess

    code = "import sys, tieout.secrets; sys.exit('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert done.returncode == 0
