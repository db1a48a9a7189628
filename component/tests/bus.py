"""The component `core` in wasmtime, with Python's dictionaries for records."""

import re
from pathlib import Path

from wasmtime import Engine, Store
from wasmtime import component as wit

TYPES = Path(__file__).resolve().parents[2] / "wit/types.wit"
VERSION = re.match(r"package shardbus:bus@(.+);", TYPES.read_text())[1]
MS = 1_000_000
SECOND = 1000 * MS


def interface_name(interface):
    """The name by which components export an interface."""
    return f"shardbus:bus/{interface}@{VERSION}"


class Given(wit.Record):
    """A record of options: those that are not given are none."""

    def __init__(self, fields):
        self.__dict__.update(fields)

    def __getattr__(self, name):
        return None


def options(fields):
    """Options as a record, with the records in it."""
    groups = {name: Given(fields[name]) for name in ("batch", "scaling") if name in fields}
    # The package cannot tell an option without a value from `never`, and wants the names of both.
    match fields.get("retry"):
        case None:
            groups["retry"] = wit.Variant("none")
        case "never":
            groups["retry"] = wit.Variant("some", None)
        case limits:
            groups["retry"] = wit.Variant("some", Given(limits))
    policy = fields.get("backpressure")
    if policy is not None:
        groups["backpressure"] = wit.Variant(*policy) if isinstance(policy, list) else wit.Variant(policy)
    return Given(fields | groups)


class Host:
    """A component that buses are made of. Each has an instance of its own."""

    def __init__(self, path):
        self.engine = Engine()
        self.component = wit.Component.from_file(self.engine, path)

    def instantiate(self):
        store = Store(self.engine)
        return store, wit.Linker(self.engine).instantiate(store, self.component)

    def create(self, fields, nonce=7):
        """A bus, or the record of an error."""
        store, instance = self.instantiate()
        interface = instance.get_export_index(store, interface_name("event-bus"))
        functions = {}

        def call(name, *arguments):
            if name not in functions:
                index = instance.get_export_index(store, name, interface)
                functions[name] = instance.get_func(store, index)
            result = functions[name](store, *arguments)
            functions[name].post_return(store)
            return result

        bus = call("[static]bus.create", options(fields), nonce)
        return bus if isinstance(bus, wit.Record) else Bus(call, bus)


class Bus:
    """A bus whose methods have the names of WIT, with underscores."""

    def __init__(self, call, resource):
        self._call, self._resource = call, resource

    def __getattr__(self, name):
        method = f"[method]bus.{name.replace('_', '-')}"
        return lambda *arguments: self._call(method, self._resource, *arguments)


def variant(tag, payload=None):
    return wit.Variant(tag, payload)


def record(**fields):
    return Given({name.replace("_", "-"): value for name, value in fields.items()})


def field(value, path):
    """A field of a record in a record: `head.shard`."""
    for name in path.split("."):
        value = getattr(value, name)
    return value
