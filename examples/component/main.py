"""A bus in Python: the component `core` in wasmtime, which decides, and this host, which sends.

    cargo xtask component --run python
"""

import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from wasmtime import Engine, Store
from wasmtime import component as wit

CORE = Path(__file__).resolve().parents[2] / "target/component/core.wasm"
INTERFACE = "shardbus:bus/event-bus@0.1.0"


class Options(wit.Record):
    """Options of which none is given but these."""

    def __init__(self, **given):
        # The package tells an option of several cases by its name.
        self.__dict__.update({"retry": wit.Variant("none"), **given})

    def __getattr__(self, name):
        return None


class Bus:
    """A bus whose methods have the names of WIT, with underscores."""

    def __init__(self, options):
        engine = Engine()
        self._store = Store(engine)
        component = wit.Component.from_file(engine, str(CORE))
        self._instance = wit.Linker(engine).instantiate(self._store, component)
        self._interface = self._instance.get_export_index(self._store, INTERFACE)
        bus = self._call("[static]bus.create", options, secrets.randbits(64))
        if isinstance(bus, wit.Record):
            raise ValueError(f"`{bus.setting}` is {bus.value}, but it {bus.rule}")
        self._bus = bus

    def _call(self, name, *arguments):
        index = self._instance.get_export_index(self._store, name, self._interface)
        function = self._instance.get_func(self._store, index)
        result = function(self._store, *arguments)
        function.post_return(self._store)
        return result

    def __getattr__(self, name):
        method = f"[method]bus.{name.replace('_', '-')}"
        return lambda *arguments: self._call(method, self._bus, *arguments)


def failure(url, batch, seconds):
    """Sends a batch. Returns none, or the failure."""
    headers = {"content-type": "application/x-ndjson", "idempotency-key": batch.head.id}
    request = urllib.request.Request(url, batch.body, headers)
    try:
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (408, 425, 429, 502, 503, 504):
                return wit.Variant("unavailable", 0)
            return wit.Variant("refused", 0) if error.code >= 500 else wit.Variant("permanent")
    except OSError:
        return wit.Variant("unavailable", 0)
    return None


def flush(bus, url):
    """Sends all held events. Returns the outcomes."""
    flush = bus.begin_flush()
    while bus.flush_report(flush).pending > 0:
        action = bus.poll(time.monotonic_ns())
        match action.tag:
            case "send":
                lease = action.payload
                seconds = (lease.deadline - time.monotonic_ns()) / 1e9
                failed = failure(url, lease.batch, seconds)
                if failed is None:
                    bus.acknowledge(lease.id, time.monotonic_ns())
                else:
                    bus.fail(lease.id, failed, time.monotonic_ns())
            case "abandoned":
                lost = action.payload
                print(f"{lost.batch.head.count} events are lost: {lost.reason}", file=sys.stderr)
            case "wait-until":
                time.sleep(max(0, action.payload - time.monotonic_ns()) / 1e9)
    report = bus.flush_report(flush)
    bus.end_flush(flush)
    return report


def main(url):
    bus = Bus(Options(**{"max-bytes": 1 << 20}))
    bus.set_clock(time.time_ns())
    for number in range(1001):
        bus.ingest(b'{"type":"click","n":%d}' % number, None)
    bus.close()
    report = flush(bus, url)
    print(f"delivered {report.delivered}, abandoned {report.abandoned}")


if __name__ == "__main__":
    main(os.environ["COLLECTOR"])
