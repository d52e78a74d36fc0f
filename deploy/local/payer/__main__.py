"""`python -m deploy.local.payer --folder DIR --seed S [--clock FILE] [--once]` answers files."""

import argparse
import logging
import signal
from pathlib import Path
from threading import Event

from deploy.local.payer.clock import real_clock, shared_clock
from deploy.local.payer.exchange import Exchange

POLL_SECONDS = 0.01


def main() -> None:
    """Polls the inbound folder; SIGTERM or Ctrl-C ends it after the file in hand."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    clock = shared_clock(arguments.clock) if arguments.clock else real_clock
    exchange = Exchange(arguments.folder, arguments.seed, clock)
    if arguments.once:
        exchange.answer_all()
        return
    stopping = Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopping.set())
    while not stopping.is_set():
        exchange.answer_all()
        stopping.wait(POLL_SECONDS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="payer", description="A payer for the local stack.")
    parser.add_argument("--folder", type=Path, required=True, help="holds inbound/ and outbound/")
    parser.add_argument("--seed", required=True, help="what its decisions follow")
    parser.add_argument("--clock", type=Path, help="8 bytes: microseconds since 1970; real time without it")
    parser.add_argument("--once", action="store_true", help="answer what is there and exit")
    return parser.parse_args()


if __name__ == "__main__":
    main()
