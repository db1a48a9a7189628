"""The component in wasmtime gives the answers of the crate to the same scripts."""

import json
import unittest
from itertools import groupby
from pathlib import Path

from bus import MS, Host, record, variant

BUILT = Path(__file__).resolve().parents[2] / "target/component"
HOST = Host(str(BUILT / "core.wasm"))

# The nonce of the first host, as in `component/scripts`. Each later one has the next.
NONCE = 7

# More than any script needs.
MOST_ACTIONS = 10_000


def kebab(name):
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def translated(options):
    """Options in WIT's names and units."""
    translated = {}
    for name, value in options.items():
        if isinstance(value, dict) and name != "backpressure":
            translated[name] = translated_group = {}
            for option, number in value.items():
                is_time = option.endswith("Ms")
                translated_group[kebab(option.removesuffix("Ms"))] = number * MS if is_time else number
        elif isinstance(value, dict):
            translated[name] = list(*value.items())
        else:
            translated[kebab(name)] = value
    return translated


def text(batch):
    return batch.body.decode()


class Run:
    """A bus, and a host that runs a script."""

    def __init__(self, script):
        self.script, self.now, self.actions = script, 0, 0
        self.options = translated(script["options"]) | {"scheduler": "manual"}
        self.nonce = NONCE
        self.bus = HOST.create(self.options, NONCE)
        self.answers = {"accepted": [], "attempts": {}, "lost": {}, "drained": []}
        for step in script["steps"]:
            name, argument = (step, None) if isinstance(step, str) else next(iter(step.items()))
            match name:
                case "offer":
                    self.offer(argument)
                case "flush":
                    self.flush()
                case "drain":
                    while (batch := self.bus.drain(argument)) is not None:
                        argument -= len(batch.body)
                        self.answers["drained"].append(text(batch))
                case "kill":
                    self.send_until_killed(argument)
                    copies = self.bus.stage(self.now)
                    self.nonce += 1
                    self.bus = HOST.create(self.options, self.nonce)
                    self.restore([copy.bytes for copy in copies])
        self.answers["counts"] = self.counts()

    def offer(self, events):
        for payload, key in events:
            accepted = self.bus.ingest(payload.encode(), None if key is None else key.encode())
            self.answers["accepted"].append(not isinstance(accepted, str))

    def flush(self):
        flush = self.bus.begin_flush()
        while self.bus.flush_report(flush).pending > 0:
            self.act()
        while self.act():
            pass
        self.bus.end_flush(flush)

    def send_until_killed(self, attempts):
        """Sends so many attempts, of which the last has no answer."""
        self.bus.begin_flush()
        begun = 0
        while begun < attempts:
            action = self.bus.poll(self.now)
            match action.tag:
                case "send":
                    begun += 1
                    self.note_attempt(action.payload)
                    if begun < attempts:
                        self.answer(action.payload)
                case "wait-until":
                    self.now = action.payload
                case tag:
                    raise AssertionError(f"a host that will be killed has `{tag}`")

    def restore(self, copies):
        flush = self.bus.begin_flush()
        self.bus.begin_restore()
        for copy in copies:
            while not self.bus.wants_restored():
                self.act()
            self.bus.restore(copy)
        self.bus.end_restore()
        while self.bus.is_restoring():
            self.act()
        self.bus.end_flush(flush)

    def act(self):
        self.actions += 1
        assert self.actions < MOST_ACTIONS, "the script does not end"
        action = self.bus.poll(self.now)
        match action.tag:
            case "send":
                self.note_attempt(action.payload)
                self.answer(action.payload)
            case "abandoned":
                lost = action.payload
                entry = [lost.batch.head.sequence, lost.reason, text(lost.batch)]
                self.answers["lost"].setdefault(str(lost.batch.head.shard), []).append(entry)
            case "wait-until":
                self.now = action.payload
                return False
            case _:
                return False
        return True

    def note_attempt(self, lease):
        head = lease.batch.head
        host = int(head.id.split("-")[0], 16) - NONCE
        attempts = self.answers["attempts"].setdefault(str(head.shard), [])
        attempts.append([host, head.sequence, lease.attempt, text(lease.batch)])

    def answer(self, lease):
        match self.receivers_answer(lease.batch.head.sequence, lease.attempt, text(lease.batch)):
            case "delivered":
                live = self.bus.acknowledge(lease.id, self.now)
            case "single":
                runs = groupby(self.events(lease.batch), self.failure)
                outcomes = [record(count=len(list(run)), failure=failure) for failure, run in runs]
                live = self.bus.settle(lease.id, outcomes, self.now)
            case ("unavailable" | "refused") as failure:
                live = self.bus.fail(lease.id, variant(failure, 0), self.now)
            case failure:
                live = self.bus.fail(lease.id, variant(failure), self.now)
        assert live, "the lease is live"

    def receivers_answer(self, sequence, attempt, body):
        for rule in self.script["rules"]:
            first, last = rule.get("attempts", (1, attempt))
            applies = first <= attempt <= last and rule.get("holds", "") in body
            if applies and sequence % rule.get("every", 1) == 0:
                return rule["answer"]
        return "delivered"

    @staticmethod
    def events(batch):
        start = 0 if batch.head.format == "ndjson" else 1
        for length in batch.lengths:
            yield batch.body[start : start + length]
            start += length + 1

    @staticmethod
    def failure(event):
        if b"reject" in event:
            return variant("permanent")
        return variant("refused", 0) if b"retry" in event else None

    def counts(self):
        stats = self.bus.stats()
        rejected, abandoned = vars(stats.rejected), vars(stats.abandoned)
        own = ("offered", "accepted", "restored", "delivered", "evicted", "drained")
        return {
            **{name: getattr(stats, name) for name in own},
            **{name: rejected[name] for name in ("full", "sampled", "oversize", "invalid", "closed")},
            **{name: abandoned[name] for name in ("retries", "permanent", "shutdown")},
            "pending": stats.pending + getattr(stats, "in-flight"),
            "batches": stats.batches.delivered,
            "repeated": stats.batches.retries,
        }


class Scripts(unittest.TestCase):
    maxDiff = None

    def test_the_answers_are_those_of_the_crate(self):
        runs = json.loads((BUILT / "scripts.json").read_text())
        self.assertGreater(len(runs), 50)
        for run in runs:
            script = run["script"]
            with self.subTest(script["name"]):
                self.assertEqual(Run(script).answers, run["answers"])


if __name__ == "__main__":
    unittest.main()
