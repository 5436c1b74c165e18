"""From the site's configuration to what the recorder, the cleaner and the clips need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.schema import Config, RetentionModel
from pipelines.errors import BadInput
from pipelines.recording.cameratime import Place, places
from pipelines.recording.cleaner import Settings
from pipelines.recording.heads import FolderChannel, HeadChannel, HttpChannel
from pipelines.recording.layout import Volume
from pipelines.recording.policy import PROFILES, Keeping, resolve
from pipelines.recording.retention import Limits
from pipelines.recording.stream import CameraSettings

if TYPE_CHECKING:
    from pipelines.recording.signing import Signer


def volume_folder(config: Config) -> Path:
    return config.recording.folder or config.data / "recordings"


def open_volume(config: Config, *, create: bool) -> Volume:
    """Raises Unavailable: there is none, or it cannot be used."""
    return Volume.open(volume_folder(config), create=create)


def cameras(config: Config, only: frozenset[str] | None = None) -> list[CameraSettings]:
    """The cameras to record. Raises BadInput: `only` names one that is not there."""
    unknown = sorted((only or frozenset()) - set(config.cameras))
    if unknown:
        raise BadInput(f"no camera {', '.join(unknown)} in the configuration; there are {', '.join(config.cameras)}")
    return [
        CameraSettings(
            name,
            camera.main.url,
            config.recording.segment,
            config.recording.audio if camera.recording.audio is None else camera.recording.audio,
        )
        for name, camera in config.cameras.items()
        if camera.recording.enabled and (only is None or name in only)
    ]


def clock_places(config: Config) -> dict[str, list[Place]]:
    """Where each recorded camera's own time may be read."""
    return {
        name: places(camera.clock, camera.main.url)
        for name, camera in config.cameras.items()
        if camera.recording.enabled
    }


def limits(config: Config) -> dict[str, Limits]:
    """How long each camera is kept. Raises BadInput: an unknown profile or owner, or limits that contradict."""
    return {name: _limits(config, name) for name in config.cameras}


def _limits(config: Config, name: str | None) -> Limits:
    recording = config.recording
    levels: list[Keeping] = []
    if name is not None:
        own = config.cameras[name].recording
        levels.append(Keeping(own.floor, own.keep, own.keep_incidents, own.ceiling))
        if own.owner is not None:
            if own.owner not in recording.owners:
                known = ", ".join(recording.owners) or "none"
                raise BadInput(
                    f"camera {name}: recording.owner {own.owner!r} is not in recording.owners (there: {known})"
                )
            levels.append(_keeping(recording.owners[own.owner]))
    profile = recording.profiles.get(recording.profile)
    if profile is None and recording.profile not in PROFILES:
        known = ", ".join([*PROFILES, *recording.profiles])
        raise BadInput(f"recording.profile {recording.profile!r} is not known; there are {known}")
    # The site's own words go before the profile's defaults; of all floors the highest counts.
    levels.append(Keeping(recording.floor, recording.keep, None, recording.ceiling))
    levels.append(_keeping(profile) if profile is not None else PROFILES[recording.profile])
    levels.append(Keeping(keep_incidents_s=recording.keep_incidents))
    return resolve(name or "(no longer configured)", levels)


def _keeping(model: RetentionModel) -> Keeping:
    return Keeping(model.floor, model.keep, model.keep_incidents, model.ceiling)


def cleaning(config: Config) -> Settings:
    """Raises BadInput, as `limits`."""
    recording = config.recording
    return Settings(
        limits(config),
        _limits(config, None),
        recording.reserve_free,
        recording.max_delete_share,
        pictures=config.data / "pictures",
    )


def signer(config: Config) -> Signer:
    """The site's signer; its key is made when there is none. Raises BadInput."""
    # 10 MB, in each worker and in whoever else only asks about footage.
    from pipelines.recording.signing import Ed25519Signer

    return Ed25519Signer.load(config.recording.signing_key or config.data / "keys" / "footage-ed25519.pem")


def head_channel(config: Config) -> HeadChannel | None:
    channel = config.recording.head_channel
    if channel is None:
        return None
    return FolderChannel(channel.folder) if channel.folder is not None else HttpChannel(channel.url or "")
