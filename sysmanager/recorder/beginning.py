"""What a recording service begins with: its last state, or its first; made durable with a grown boot count before anything is done."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from sysmanager.documents.port import DocumentStore, DocumentStoreFailed
from sysmanager.documents.sealing import SiteKey, SiteKeyUnusable
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import InstanceId
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration
from sysmanager.recorder.first_hours import first_hours
from sysmanager.recorder.first_settings import first_settings, take_in_first
from sysmanager.recorder.instance import instance_of
from sysmanager.recorder.machine import Persisted, Started, first_persisted, next_boot
from sysmanager.recorder.state_file import Found, StateFile, highest_epoch_in_material

log = structlog.get_logger(__name__)


def site_key(configuration: RecorderConfiguration) -> SiteKey | None:
    """None, with a word in the log, if there is none that can be used: cameras without a password are recorded all the same."""
    try:
        return SiteKey.load(configuration.site_key_path)
    except SiteKeyUnusable as error:
        log.warning("passwords of cameras can't be opened", why=str(error))
        return None


async def begin(configuration: RecorderConfiguration, states: StateFile, store: DocumentStore, key: SiteKey | None) -> Started:
    """Raises ConfigurationError, StateUnusable, DocumentStoreFailed."""
    instance = await asyncio.to_thread(instance_of, configuration.data_folder)
    found = await asyncio.to_thread(states.load)
    if found.sentence:
        log.warning("state damaged", why=found.sentence)
        persisted = await _after_damage(configuration, instance, found, store, key)
    elif found.persisted is None:
        persisted = _first(configuration, instance, await _own(configuration, store, key))
    else:
        persisted = found.persisted
    # The Watchdog names the instance too, and reads it from its own file: that file counts.
    persisted = msgspec.structs.replace(next_boot(persisted), instance=instance)
    try:
        await asyncio.to_thread(states.save, persisted)
    except OSError as error:
        # Recording goes before counting starts; orders are refused for as long as nothing can be saved.
        log.warning("the state can't be saved", why=error.strerror or str(error))
    return Started(persisted=persisted, doubtful=bool(found.sentence))


def _first(configuration: RecorderConfiguration, instance: InstanceId, own: DocumentSet | None) -> Persisted:
    return first_persisted(configuration.recorder, instance, own, standby=configuration.standby)


async def _own(configuration: RecorderConfiguration, store: DocumentStore, key: SiteKey | None) -> DocumentSet:
    settings = await asyncio.to_thread(first_settings, configuration, key)
    return await take_in_first(store, settings, await asyncio.to_thread(first_hours, configuration))


async def _after_damage(
    configuration: RecorderConfiguration, instance: InstanceId, found: Found, store: DocumentStore, key: SiteKey | None
) -> Persisted:
    """What is left, under the highest epoch that footage shows. It asks before it believes it (SPEC 13.1)."""
    persisted = found.persisted
    if persisted is None:
        own: DocumentSet | None = None
        try:
            own = await _own(configuration, store, key)
        except (ConfigurationError, DocumentStoreFailed) as error:
            log.warning("own settings are lost until the coordinator sends them", why=str(error))
        persisted = _first(configuration, instance, own)
    disks = tuple(configuration.disk_paths.values())
    epoch = await asyncio.to_thread(highest_epoch_in_material, disks, configuration.recorder)
    if epoch >= persisted.epoch:
        # Which order was obeyed under this epoch is not known, unless the state that is left says so.
        ordered = persisted.ordered and epoch == persisted.epoch
        persisted = msgspec.structs.replace(persisted, epoch=epoch, ordered=ordered)
    return persisted
