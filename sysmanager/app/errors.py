"""What a command cannot do, said in one sentence (SPEC 18)."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot be carried out as asked. The text is one sentence: what is wrong, where, and what to do."""


def said_in_one_sentence() -> tuple[type[Exception], ...]:
    """Errors whose text is meant for people as it is. Asked when there is one: most belong to rooms that few commands load."""
    from sysmanager.api import ClientError
    from sysmanager.bus.port import BusError
    from sysmanager.documents.port import DocumentError, SiteKeyUnusable
    from sysmanager.journal.lock import DataFolderError
    from sysmanager.journal.port import JournalError
    from sysmanager.wire import WireError

    return (CommandError, ClientError, BusError, DocumentError, SiteKeyUnusable, DataFolderError, JournalError, WireError)
