"""The traders of a user as they are stored, and how changes to them are: through store_trader.

Not here: what differs from a folder (trader_folder).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from cli.database import Connection, fetch, translated
from shared.errors import InvalidRequest

if TYPE_CHECKING:
    from cli.trader_files import Trader
    from cli.trader_folder import Change, Stored


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A user: id, and the address shown."""

    id: str
    email: str


def find_owner(db: Connection, email: str) -> Owner:
    """Return the user of an address, or the only one. Raises: InvalidRequest."""
    rows = fetch(
        db,
        "select users.id::text as id, coalesce(users.email, '') as email from auth.users"
        " inner join public.profiles on profiles.user_id = users.id"
        " where %s in ('', lower(users.email), users.id::text) order by users.created_at limit 2",
        email.lower(),
    )
    if len(rows) == 1:
        return Owner(**rows[0])
    if email:
        raise InvalidRequest(f"expected a user with the address {email}, found none", field="user")
    found = "several" if rows else "none"
    raise InvalidRequest(
        f"expected one user, there are {found}",
        hint="say whose traders: --user EMAIL" if rows else "sign up in the dashboard first",
        field="user",
    )


def load_stored(db: Connection, owner: Owner, *, for_update: bool = False) -> list[Stored]:
    """Return a user's traders, oldest first; `for_update` keeps others from changing them."""
    from cli.trader_files import trader_of
    from cli.trader_folder import Stored

    if for_update:
        # The lock that counts against the quota is the profile's; store_trader takes it, too.
        fetch(
            db,
            "select user_id from public.profiles where user_id = %s for no key update",
            owner.id,
        )
    rows = fetch(
        db,
        "select id, to_jsonb(traders) as row from public.traders where user_id = %s order by id",
        owner.id,
    )
    return [Stored(id=row["id"], trader=trader_of(row["row"])) for row in rows]


def store_changes(db: Connection, owner: Owner, changes: Sequence[Change], *, delete: bool) -> None:
    """Carry out an import in the open transaction, through store_trader.

    What goes is deleted first, and what is switched off comes before what is switched on: the
    quota counts at each step. Raises: InvalidRequest naming the file.
    """
    if delete:
        ids = [change.id for change in changes if change.kind == "removed"]
        db.execute(
            "delete from public.traders where user_id = %s and id = any(%s)", (owner.id, ids)
        )
    wanted = [change for change in changes if change.kind in ("added", "changed")]
    for change in sorted(wanted, key=lambda change: bool(change.after and change.after.enabled)):
        assert change.after is not None
        try:
            db.execute(
                "select public.store_trader(%s, %s)",
                (owner.id, Jsonb(_given(change.after, change))),
            )
        except psycopg.Error as error:
            refused = translated(error)
            if isinstance(refused, InvalidRequest):
                raise InvalidRequest(
                    f"nothing was stored\n  {change.file}: {refused.message}",
                    hint=refused.hint,
                    field="folder",
                ) from error
            raise


def _given(trader: Trader, change: Change) -> dict[str, Any]:
    """Return a trader as store_trader takes it: whole, so that a default replaces what was."""
    from cli.trader_files import DEFAULTS

    given: dict[str, Any] = msgspec.to_builtins(trader)
    if change.id is not None:
        given["id"] = change.id
    # A schema from before cadences knows the default one only, and not its name.
    if trader.cadence == (change.before.cadence if change.before else DEFAULTS["cadence"]):
        del given["cadence"]
    return given
