"""Lines are structured, carry what is bound to them, and never a secret."""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys

import pytest

from tieout import logs


@pytest.fixture
def root_logger():
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield root
    root.handlers[:], root.level = before, level
    root.setLevel(level)


def lines(form: str, root_logger) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(form, "INFO", stream)
    return stream


def test_json_lines_carry_the_bound_words_and_the_fields(root_logger):
    stream = lines("json", root_logger)
    log = logs.logger("tieout.test.json")
    with logs.bound(run=7, connection="crm_eu"), logs.bound(stream="Order"):
        log.warning("trying again", extra={"status": 503})
    line = json.loads(stream.getvalue())
    at = line.pop("at")
    assert at[10] == "T"
    assert line == {
        "level": "warning", "logger": "tieout.test.json", "event": "trying again", "status": 503, "run": 7,
        "connection": "crm_eu", "stream": "Order",
    }


def test_words_are_bound_only_inside(root_logger):
    stream = lines("json", root_logger)
    log = logs.logger("tieout.test.bound")
    with logs.bound(stream="Order"):
        pass
    log.info("after")
    assert "stream" not in json.loads(stream.getvalue())


def test_console_lines_are_one_line(root_logger):
    stream = lines("console", root_logger)
    with logs.bound(connection="crm_eu"):
        logs.logger("tieout.test.console").info("landed %s rows", 5)
    assert stream.getvalue().rstrip().endswith("info    landed 5 rows  connection=crm_eu")


def test_configuring_twice_does_not_double_the_lines(root_logger):
    lines("console", root_logger)
    stream = lines("console", root_logger)
    logs.logger("tieout.test.twice").info("once")
    assert stream.getvalue().count("once") == 1


def test_secrets_are_hidden_in_message_arguments_fields_and_traceback(root_logger):
    logs.register_secret("s3cr3t/v+lue")
    stream = lines("json", root_logger)
    log = logs.logger("tieout.test.secret")
    try:
        raise ValueError("refused s3cr3t/v+lue")
    except ValueError:
        log.exception("sent %s and %s", "s3cr3t/v+lue", "s3cr3t%2Fv%2Blue", extra={"header": ["s3cr3t/v+lue"]})
    assert "s3cr3t" not in stream.getvalue()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["header"]) == ("sent *** and ***", "['***']")
    assert line["traceback"].endswith("ValueError: refused ***")


def test_secrets_are_hidden_whoever_handles_the_line():
    """Inside Airflow, its handlers get our records: the logger itself must have cleaned them."""
    logs.register_secret("airflow-must-not-see")
    seen: list[logging.LogRecord] = []

    class Foreign(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    handler = Foreign()
    log = logs.logger("tieout.test.foreign")
    log.addHandler(handler)
    try:
        log.warning("token airflow-must-not-see", extra={"url": "https://x/?t=airflow-must-not-see"})
    finally:
        log.removeHandler(handler)
    assert seen[0].getMessage() == "token ***"
    assert seen[0].url == "https://x/?t=***"


def test_secrets_are_hidden_in_lines_of_other_packages(root_logger):
    logs.register_secret("other-packages-secret")
    stream = lines("console", root_logger)
    logging.getLogger("somebody.else").warning("got other-packages-secret")
    assert "got ***" in stream.getvalue()


def test_each_line_of_a_private_key_is_hidden():
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----"
    logs.register_secret(key)
    assert logs.redact("part MIIEvQIBADANBgkqhkiG9w0B of it") == "part *** of it"
    assert logs.redact("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_longer_secret_is_hidden_whole():
    logs.register_secret("abcdef")
    logs.register_secret("abcdef-ghijkl")
    assert logs.redact("x abcdef-ghijkl y abcdef") == "x *** y ***"


@pytest.mark.parametrize("value", ["", "   ", "ab"])
def test_values_too_short_to_be_secrets_do_not_blank_out_the_log(value):
    logs.register_secret(value)
    assert logs.redact("about abba and tables") == "about abba and tables"


def test_request_addresses_of_the_http_library_are_not_logged(root_logger):
    stream = lines("console", root_logger)
    logging.getLogger("httpx").info("HTTP Request: GET https://x/?q=SELECT")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("before", ["", "u:", "user:", "somebody:"])
def test_secrets_are_hidden_in_base64_wherever_they_begin(before):
    logs.register_secret("base64-of-a-secret?/>>value")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(f"{before}base64-of-a-secret?/>>value:x".encode()).decode()
        hidden = logs.redact(f"Basic {text}")
        assert "***" in hidden
        left = hidden.removeprefix("Basic ").replace("***", "")
        assert len(left) <= len(before) * 4 / 3 + 10, left


def test_arguments_that_do_not_fit_are_a_line_and_no_exception(root_logger):
    logs.register_secret("in-an-argument")
    for form in ("json", "console"):
        stream = lines(form, root_logger)
        root_logger.handlers[:] = [h for h in root_logger.handlers if h.get_name() == "tieout"]  # others raise
        logging.getLogger("somebody").warning("%d rows", "in-an-argument")
        assert "%d rows ('***',)" in stream.getvalue()


UNCAUGHT = """
import logging, sys, threading, warnings
from tieout import logs

logs.configure("json", "INFO")
logs.register_secret("hunter2-hunter2")
with logs.bound(run=7, connection="crm"):
    warnings.warn("a warning about hunter2-hunter2")
    logging.getLogger("dbt.adapters").error("two\\nlines")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class Odd:
    def __del__(self):
        raise OSError("while collecting")
Odd()
def fails(local="hunter2-hunter2"):
    raise RuntimeError(f"nobody catches {local}")
fails()
"""


def test_warnings_and_failures_that_nobody_caught_are_lines_too(root):
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, env={"PYTHONPATH": str(root / "plugins")}
    )
    assert (done.returncode, done.stdout) == (1, "") and "hunter2" not in done.stderr
    warned, foreign, threaded, collected, failed = map(json.loads, done.stderr.splitlines())
    assert (warned["logger"], warned["run"], warned["connection"]) == ("py.warnings", 7, "crm")
    assert (foreign["event"], foreign["run"]) == ("two\nlines", 7)
    assert "ZeroDivisionError" in threaded["traceback"] and "while collecting" in collected["traceback"]
    assert failed["level"] == "critical" and failed["traceback"].endswith("RuntimeError: nobody catches ***")
