"""`tieout webhook`: wait for signed events of vendors."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout import cli_demo, logs, show
from tieout.cli_work import at_work
from tieout.errors import ConfigError
from tieout.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("webhook")(webhook)


def webhook(
    host: Annotated[str, typer.Option("--host", help="Where to listen; a proxy in front brings TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8090,
) -> None:
    """Receive signed events, and let the landing of their connection begin at once. Ends with SIGINT or SIGTERM."""
    import httpx
    import uvicorn

    from tieout.webhook import Airflow, Receiver, application

    with at_work(False):
        chosen = settings()
        waiting = [name for name, found in chosen.company.connections.items() if found.webhook]
        if not waiting:
            raise ConfigError("no connection of tieout.yml says `webhook: true`", hint="see docs/near-real-time.md")
        address = chosen.airflow_url or f"http://127.0.0.1:{chosen.airflow_port}"
        given = chosen.airflow_password
        password = given.get_secret_value() if given else cli_demo.password(chosen.home)[0]
        logs.register_secret(password)
        airflow = Airflow(httpx.Client(base_url=address, timeout=10), chosen.airflow_user, password)
        show.console().print(f"listening on http://{host}:{port}/events/… for {', '.join(waiting)}", soft_wrap=True)
        uvicorn.run(application(Receiver(airflow.tell)), host=host, port=port, log_config=None, access_log=False)
