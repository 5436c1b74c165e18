"""`gatewatch dispatch`: incidents from the bus become a record and alerts. Any number may run at once."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from pipelines.commands.options import add_config, load_config
from pipelines.commands.site import channels_of, database_of, set_up_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.alerting.channels import Built
    from pipelines.alerting.dispatcher import Dispatcher
    from pipelines.alerting.escalation import Escalation
    from pipelines.alerting.policy import Policy
    from pipelines.alerting.sender import Sender
    from pipelines.clock import Clock
    from pipelines.config import LoadedConfig
    from pipelines.config.schema import Config
    from pipelines.events.redis_streams import RedisConsumer
    from pipelines.health import Check, HealthServer
    from pipelines.metrics import Metrics
    from pipelines.store.database import Database


def add(commands: Any) -> None:
    """Declare the arguments of `dispatch`."""
    parser = commands.add_parser("dispatch", help="store incidents and send alerts; any number of these may run")
    parser.add_argument(
        "--health-port", type=int, metavar="PORT", help="instead of dispatcher.metrics.port; 0: any free"
    )
    parser.add_argument("--burst", action="store_true", help="end when the bus and the outbox are empty")
    parser.add_argument("--log", choices=("auto", "json", "text"), default="auto", help="the log's form")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or Ctrl-C."""
    from pipelines.alerting.dispatcher import Dispatcher
    from pipelines.alerting.policy import policy_of
    from pipelines.clock import SystemClock
    from pipelines.errors import Unavailable
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import DISPATCHERS, RedisConsumer, connect, process_name
    from pipelines.lifecycle import stop_on_signals
    from pipelines.metrics import Metrics

    loaded = load_config(args)
    config = loaded.config
    set_up_logs(config, args.log)
    stop = stop_on_signals()
    clock, metrics, owner = SystemClock(), Metrics(), process_name()
    built = channels_of(loaded, clock)
    database = database_of(config)
    database.migrate()
    if not built.channels:
        sys.stderr.write("gatewatch: channels: names none, so incidents are stored and nobody is told\n")
    policy = policy_of(config, [channel.name for channel in built.channels])
    consumer = RedisConsumer(
        connect(redis_url(config), 5.0), DISPATCHERS, owner, clock, claim_idle_s=_take_over_s(config)
    )
    senders = _senders(built, config, database, owner, clock, metrics)

    def wake() -> None:
        for sender in senders:
            sender.wake()

    escalation = _escalation(loaded, database, policy, metrics, wake)
    dispatcher = Dispatcher(consumer, database, policy, clock, metrics, stored=wake, lost=escalation.message_lost)
    health = _page(args, config, metrics, {"bus": dispatcher.bus_check, "store": database.check})
    health.start()
    stop_sending = threading.Event()
    loops = {f"outbox-{sender.channel.name}": sender.run for sender in senders} | {"escalation": escalation.run}
    threads = [threading.Thread(target=loop, args=(stop_sending,), name=name) for name, loop in loops.items()]
    threading.Thread(target=_watch_pending, args=(consumer, metrics, clock, stop), daemon=True).start()
    for thread in threads:
        thread.start()
    try:
        if args.burst:
            _burst(dispatcher, consumer, database, clock, stop)
        else:
            dispatcher.run(stop)
    finally:
        stop.set()
        stop_sending.set()
        wake()
        for thread in threads:
            thread.join()
        health.stop()
        with contextlib.suppress(
            Unavailable
        ):  # a member that cannot say good-bye is forgotten by nobody, and holds nothing
            consumer.leave()
        database.close()
    return 0


def _take_over_s(config: Config) -> float:
    return max(1.0, config.dispatcher.take_over)


def _senders(
    built: Built, config: Config, database: Database, owner: str, clock: Clock, metrics: Metrics
) -> list[Sender]:
    """One for each channel."""
    from pipelines.alerting.journal import Journal
    from pipelines.alerting.pictures import PictureDesk
    from pipelines.alerting.sender import Retries, Sender

    pictures, journal = PictureDesk(config.data / "pictures"), Journal(config.data / "sent", owner)
    journal.clear_up()
    retry = config.dispatcher.retry
    retries = Retries(retry.first, max(retry.first, retry.longest), retry.tries)
    return [
        Sender(
            database,
            channel,
            owner,
            clock,
            metrics,
            built.letters,
            pictures,
            journal,
            retries,
            lease_s=_take_over_s(config),
        )
        for channel in built.channels
    ]


def _page(args: argparse.Namespace, config: Config, metrics: Metrics, checks: Mapping[str, Check]) -> HealthServer:
    from pipelines.health import HealthServer

    page = config.dispatcher.metrics
    port = page.port if args.health_port is None else args.health_port
    return HealthServer(metrics, checks, host=page.host, port=port)


def _escalation(
    loaded: LoadedConfig, database: Database, policy: Policy, metrics: Metrics, wake: Callable[[], None]
) -> Escalation:
    from pipelines.alerting.escalation import Escalation, Site
    from pipelines.clock import SystemClock
    from pipelines.events.locate import redis_url
    from pipelines.events.redis_streams import connect, publish_now

    # An alarm is in the record whether the bus takes it or not: nobody waits long for that.
    bus = connect(redis_url(loaded.config), 0.5)
    site = Site(loaded.config.site.name, loaded.version, lambda event: publish_now(bus, event))
    return Escalation(database, policy, SystemClock(), metrics, wake, site)


def _burst(
    dispatcher: Dispatcher, consumer: RedisConsumer, database: Database, clock: Clock, stop: threading.Event
) -> None:
    from pipelines.store import outbox

    while not stop.is_set():
        if dispatcher.run_once(stop) or consumer.pending():
            continue
        with database.read() as connection:
            if not outbox.waiting(connection):
                return
        clock.wait(stop, 0.05)


def _watch_pending(consumer: RedisConsumer, metrics: Metrics, clock: Clock, stop: threading.Event) -> None:
    from pipelines.errors import Unavailable

    while not stop.is_set():
        # While the bus is away (/readyz says so) the last known number stands.
        with contextlib.suppress(Unavailable):
            metrics.bus_pending_messages.set(consumer.pending())
        clock.wait(stop, 2.0)
