"""Waivers that wait for a second person, as questions that Airflow puts to people, and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tieout.errors import RegisterError
from tieout.register import acts, book, log
from tieout.register.acts import Act

if TYPE_CHECKING:
    import psycopg

    from tieout.register.book import Entry
    from tieout.spec import BreakPolicy

APPROVE, LATER = "Approve", "Later"  # and Refuse

# Airflow makes a task of each; from 1,024 on it would make none.
MOST = 200


def requests() -> list[dict[str, str]]:
    """{break_key, request_id} of the waiting requests, the largest first; plain words, so that they travel."""
    with log.opened() as db:
        return [{"break_key": entry.break_key, "request_id": str(entry.request_id)}
                for entry in acts.waiting(db)[:MOST]]  # fmt: skip


def question(request: dict[str, str]) -> dict[str, str] | None:
    """The request with `subject` and `body`, as the register has it now; None where it does not wait any more."""
    with log.opened() as db:
        entry = book.get(db, request["break_key"])
        if str(entry.request_id) != request["request_id"]:
            return None
        return _question(entry, _asked(db, entry).reason or "")


def _question(entry: Entry, reason: str) -> dict[str, str]:
    amount = f"{entry.amount:,.2f} {entry.currency_code}"
    lines = [
        f"**{entry.requested_by}** asks to waive this break: {_plain(reason)}", "",
        f"- {entry.reason_code} {entry.reason_name or ''}, {entry.hop}, entity {entry.legal_entity_id}",
        f"- {_plain(entry.document)}, {_plain(entry.customer or 'no customer')}",
        f"- {amount}; may move by {entry.allowance:,.2f} before the waiver ends",
        f"- evidence: {_plain(entry.evidence or 'none')}",
        f"- the whole story: `tieout breaks show {entry.break_key[:12]}`",
    ]
    return {
        "break_key": entry.break_key, "request_id": str(entry.request_id),
        "subject": f"Waive {amount}? {entry.reason_code}, asked for by {entry.requested_by}", "body": "\n".join(lines),
    }  # fmt: skip


def _asked(db: psycopg.Connection, entry: Entry) -> book.Event:
    """The request that waits."""
    return next(event for event in book.history(db, entry.break_key) if event.event_id == entry.request_id)


def _plain(text: str) -> str:
    """A source's text in Markdown, as text: no link, no tag, no second line."""
    for letter in "\\`*_[]<>|!":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())


def record(question: dict[str, str], answer: dict[str, Any], policy: BreakPolicy) -> str:
    """Record an answer of Airflow's (`chosen_options`, `responded_by_user` {id, name}, `params_input`).

    Airflow says who answered; nobody types it. A request that was settled meanwhile is left alone. RegisterError where
    the person asked for the waiver, by name or from an account of that name, where the amount moved, or where nobody is
    named.
    """
    chosen = (answer.get("chosen_options") or [LATER])[0]
    if chosen == LATER:
        return "no answer yet: the request goes on waiting"
    user = answer.get("responded_by_user") or {}
    names = [str(user[word]) for word in ("name", "id") if user.get(word)]
    if not names:
        raise RegisterError("Airflow does not say who answered", hint="a waiver is approved by a person with a name")
    said = str((answer.get("params_input") or {}).get("why") or "").strip()
    with log.opened() as db:
        entry = book.get(db, question["break_key"])
        if str(entry.request_id) != question["request_id"]:
            return f"request {question['request_id']} does not wait any more: the break is {entry.status}"
        asked = _asked(db, entry)
        if chosen == APPROVE and {asked.actor.lower(), asked.account.lower()} & {name.lower() for name in names}:
            raise RegisterError(f"{names[0]} asked for this waiver: another person approves it", hint="four eyes")
        account = f"airflow:{names[-1]}"
        act = (Act("approve", names[0], account, comment=said or None) if chosen == APPROVE else
               Act("refuse", names[0], account, reason=said or "refused in Airflow"))
        done = acts.carry_out(db, entry, act, policy)
    return f"break {done.break_key}: {done.kind.replace('_', ' ')} by {names[0]} (event {done.event_id})"
