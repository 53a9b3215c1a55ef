"""The register of breaks is a chain of hashes. Where people wrote the person's name into it, the words go, and the
chain is made anew from there on; the hashes that publications noted follow, and the erasure keeps what the heads were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tieout.erasure.words import Words

if TYPE_CHECKING:
    import psycopg

SAID = ("actor", "account", "comment", "reason", "owner", "document", "legal_entity_id")


def hide(db: psycopg.Connection, words: Words) -> tuple[int, dict[str, Any] | None]:
    """(events that held a word, {from_event, old_head, new_head, heads}), as owner, in the caller's transaction.

    heads: {hash as it was: hash as it is} of each event from there on, for who kept one.
    """
    if not words or not (held := _held(db, words)):
        return 0, None
    db.execute("select pg_advisory_xact_lock(7160, 80)")  # as ops.record_break_event has it: writers take turns
    # Nobody else has a right to write here; the trigger is against the owner's own slips, and the owner lifts it.
    db.execute("alter table ops.break_event disable trigger user")
    sets = ", ".join(f"{name} = regexp_replace({name}, %(words)s, %(mark)s, 'gi')" for name in SAID)
    db.execute(f"update ops.break_event set {sets} where event_id = any(%(held)s)",
               {"words": words.plain, "mark": words.mark, "held": held})
    heads = _chain(db, min(held))
    db.execute("alter table ops.break_event enable trigger user")
    for old, new in heads.items():
        db.execute("update ops.publication set facts = jsonb_set(facts, '{register,hash}', to_jsonb(%s::text)) "
                   "where facts -> 'register' ->> 'hash' = %s", (new, old))
    last = next(reversed(heads))
    return len(held), {"from_event": min(held), "old_head": last, "new_head": heads[last], "heads": heads}


def _held(db: psycopg.Connection, words: Words) -> list[int]:
    told = " or ".join(f"{name} ~* %(words)s" for name in SAID)
    return [number for (number,) in db.execute(
        f"select event_id from ops.break_event where {told} order by 1", {"words": words.plain}).fetchall()]


def holding(db: psycopg.Connection, words: Words) -> int:
    """How many events still hold a word."""
    return len(_held(db, words)) if words else 0


def _chain(db: psycopg.Connection, first: int) -> dict[str, str]:
    """{hash as it was: hash as it is} of the events from `first` on."""
    previous = db.execute("select coalesce(max(hash), '') from ops.break_event where event_id = %s",
                          (first - 1,)).fetchone()[0]
    found: dict[str, str] = {}
    for number, old in db.execute(
            "select event_id, hash from ops.break_event where event_id >= %s order by 1", (first,)).fetchall():
        db.execute("update ops.break_event set previous_hash = %s where event_id = %s", (previous, number))
        previous = db.execute("update ops.break_event e set hash = ops.break_event_hash(e) where event_id = %s "
                              "returning hash", (number,)).fetchone()[0]
        found[old] = previous
    return found
