"""What clients ask to know: answered from durable tables, the history, the files of backups, or by asking a recorder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sysmanager.coordinator.pictures import picture_holder
from sysmanager.coordinator.preview import answer, documents_for, home_of
from sysmanager.engine.backing_up import BackingUp
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clock import Clock
from sysmanager.engine.core import Core
from sysmanager.engine.field import Field
from sysmanager.engine.logbook import Logbook
from sysmanager.protocol.clients import (
    Answer,
    FindAudit,
    FindEntries,
    PreviewFailback,
    Question,
    ReadBackup,
    Refused,
    ShowEntry,
    ShowPicture,
    WhoRecords,
)
from sysmanager.protocol.pictures import Picture


class Answering:
    """core: as it is now; it is another one after a failed append. until_durable: waits until its tables are what the journal has."""

    def __init__(
        self,
        core: Callable[[], Core],
        until_durable: Callable[[], Awaitable[None]],
        *,
        backing_up: BackingUp,
        logbook: Logbook,
        cache: DocumentCache,
        field: Field,
        clock: Clock,
    ) -> None:
        self._core = core
        self._until_durable = until_durable
        self._backing_up = backing_up
        self._logbook = logbook
        self._cache = cache
        self._field = field
        self._clock = clock

    async def answer(self, question: Question) -> Answer:
        """Who may ask was looked at before. Raises what `until_durable` raises."""
        await self._until_durable()
        state, seen = self._core().state, self._core().seen
        match question:
            case ReadBackup():
                return await self._backing_up.read(state, question)
            case FindEntries() | ShowEntry() | FindAudit():
                names = {row.id: row.name for row in state.recorders.values()}
                return await self._logbook.answer(question, names)
            case ShowPicture(recorder=recorder, camera=camera):
                holder = picture_holder(state, seen, recorder, camera)
                found = holder if isinstance(holder, Refused) else await self._field.picture(holder, camera)
                return found if isinstance(found, Picture | Refused) else Refused(sentence=found.sentence)
            case WhoRecords(camera=camera, at_wall_ms=at_wall_ms):
                home = home_of(state, camera)
                left = await self._logbook.around(home, at_wall_ms) if home is not None else ()
                return left if isinstance(left, Refused) else answer(self._core().state, self._core().seen, question, left)
            case PreviewFailback():
                opened = await self._cache.all_opened(documents_for(state, question))
                await self._until_durable()
                return answer(self._core().state, self._core().seen, question, opened=opened)
            case _:
                return answer(state, seen, question, now=self._clock.now())
