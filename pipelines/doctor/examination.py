"""All checks that need the packages, in order: machine, programs, then what the site asks for."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines import aggression, paths
from pipelines.aggression import DESCRIBER
from pipelines.config.schema import Config
from pipelines.crowding.loading import NETWORK, load_head
from pipelines.doctor import machine, programs, site
from pipelines.doctor.findings import Finding, Level
from vision import native


def examine(config: Config) -> Iterator[Finding]:
    """Each finding as soon as it is known (cameras can take seconds)."""
    yield machine.check_processor()
    yield machine.check_memory()
    yield machine.check_open_files(len(config.cameras))
    yield machine.check_clock(machine.kernel_clock_synchronised())
    yield machine.check_timezone(config.site.timezone)
    yield machine.check_fonts(config.site.language, programs.opencv_draws_chinese())
    yield programs.check_compiled(native.modules())
    yield programs.check_ffmpeg(config.ffmpeg)
    model = config.detector
    yield programs.check_model(model.model, model.backend, paths.model_dirs(config.data))
    asked = {rule.kind for camera in config.cameras.values() for rule in camera.rules}
    if "possible_bullying" in asked:
        found = programs.check_model(DESCRIBER, "possible_bullying", paths.model_dirs(config.data))
        yield found
        if found.level is Level.OK:
            yield from programs.check_head(
                "no blows are seen", lambda: aggression.load_head(config.data, aggression.load_reader(config.data))
            )
    if "crowding" in asked:
        yield programs.check_model(NETWORK, "counting dense crowds", paths.model_dirs(config.data))
        yield from programs.check_head("of a dense crowd, only who is seen is counted", lambda: load_head(config.data))
    yield from programs.check_samples(paths.samples_dir())
    yield from site.check_data(config.data)
    yield site.check_disk(config.data, config.recording.reserve_free, records=bool(config.cameras))
    yield from site.check_ports(config)
    yield from site.check_redis(config.redis.url)
    yield from site.check_database(config.database.url, config.data)
    yield from site.check_cameras(config)
