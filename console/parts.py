"""What the console stands on, put together by `console.serve` or a test. Nothing here is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from threading import Event as Stop

from console.effects import Effects
from console.feed import Feed
from console.following import Following
from console.limits import Buckets
from console.livevideo import LiveVideos
from console.viewings import Viewings
from console.wall import Blurs
from pipelines.access.passwords import Passwords
from pipelines.access.people import People
from pipelines.access.roles import Principal
from pipelines.access.sessions import Sessions
from pipelines.clock import Clock
from pipelines.config.schema import Config
from pipelines.events.envelope import Event
from pipelines.events.live import LiveReader
from pipelines.events.locate import redis_url
from pipelines.events.redis_streams import connect, publish_now
from pipelines.media.ffmpeg import Ffmpeg
from pipelines.metrics import Metrics
from pipelines.recording.footage import Footage
from pipelines.store.database import Database

#: Log-ins (each costs an argon2) that one address may try: one in three seconds, ten at once.
_LOGIN_RATE_PER_S = 1 / 3
_LOGIN_BURST = 10.0


@dataclass(slots=True)
class Parts:
    """`config` and `config_version` change when the file does (`console.following`): ask for them anew each time.
    `footage()` raises Unavailable while nothing is recorded. `stop` ends what streams. `setup_secret`: whoever has it may
    make the first user until `setup_until_s` (monotonic)."""

    config: Config
    database: Database
    people: People
    sessions: Sessions
    clock: Clock
    metrics: Metrics
    footage: Callable[[], Footage]
    #: Puts an event on the bus. Raises Unavailable.
    publish: Callable[[Event], None]
    config_version: str
    by_caller: Buckets
    by_address: Buckets
    live: LiveReader
    videos: LiveVideos
    viewings: Viewings
    feed: Feed
    effects: Effects
    config_path: Path | None = None
    #: The file as it was read last (`console.configuring.OnDisk`), so that each look at it need not be a reading.
    on_disk: object = None
    following: Following = field(default_factory=Following)
    blurs: Blurs = field(default_factory=Blurs)
    #: So many questions about the whole history are answered at once, so that nobody's *Now* waits for them.
    heavy: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(2))
    stop: Stop = field(default_factory=Stop)
    setup_secret: str | None = None
    setup_until_s: float = 0.0

    def unblurred(self, principal: Principal) -> bool:
        """Whether `principal` may see people as they are; the others see pictures blurred, and no video."""
        return principal.role not in self.config.console.blurred_for


def parts_of(
    config: Config,
    database: Database,
    clock: Clock,
    passwords: Passwords,
    stop: Stop,
    config_version: str = "",
    config_path: Path | None = None,
) -> Parts:
    """The parts of a site, all of them the real ones. `passwords`: tests give one with a cheap hash. `config_path`: the file
    that `config` was read from; None: it cannot be changed from here."""
    page = config.console

    def publish(event: Event) -> None:
        client = connect(redis_url(config), 5.0)
        try:
            publish_now(client, event)
        finally:
            client.close()

    parts = Parts(
        config=config,
        database=database,
        people=People(database, passwords, clock),
        sessions=Sessions(database, passwords, clock, idle_s=page.idle, longest_s=page.longest, wall_s=page.wall),
        clock=clock,
        metrics=Metrics(),
        footage=lambda: Footage.open(parts.config, clock),
        publish=publish,
        config_version=config_version,
        by_caller=Buckets(page.rate, page.rate * 4, clock),
        by_address=Buckets(_LOGIN_RATE_PER_S, _LOGIN_BURST, clock),
        live=LiveReader(connect(redis_url(config)), clock),
        videos=LiveVideos(lambda: Ffmpeg.find(parts.config.ffmpeg), clock),
        viewings=Viewings(clock),
        feed=Feed(database, clock),
        effects=Effects(config.data, clock),
        config_path=config_path,
        stop=stop,
    )
    return parts
