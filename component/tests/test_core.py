"""The component `core` keeps in wasmtime what the core promises."""

import json
import unittest
from pathlib import Path

from bus import SECOND, Host, field, record, variant

ROOT = Path(__file__).resolve().parents[2]
HOST = Host(str(ROOT / "target/component/core.wasm"))
SMALL = {"batch": {"min-size": 2, "max-size": 2}}
DOWN = variant("unavailable", 0)


def offer(bus, count, key=None):
    for number in range(count):
        accepted = bus.ingest(f'{{"n":{number}}}'.encode(), key)
        assert hasattr(accepted, "shard"), f"event {number} is refused as {accepted}"


def numbers(batch):
    return [json.loads(line)["n"] for line in batch.body.split(b"\n")]


def drive(bus, until, answer, start=0):
    """Polls from `start` until a time or until nothing is left to do. Returns the abandoned batches."""
    now, lost = start, []
    while now < until:
        action = bus.poll(now)
        match action.tag:
            case "send":
                answer(action.payload, now)
            case "abandoned":
                lost.append(action.payload)
            case "wait-until":
                now = action.payload
            case "idle":
                break
    return lost


class Core(unittest.TestCase):
    def assert_accounts(self, bus):
        stats = bus.stats()
        total = lambda counts: sum(vars(counts).values())
        self.assertEqual(stats.offered, stats.accepted + total(stats.rejected))
        after = (stats.delivered, stats.evicted, total(stats.abandoned), stats.drained, stats.pending)
        self.assertEqual(stats.accepted, sum(after) + getattr(stats, "in-flight"))
        return stats

    def test_it_imports_nothing_so_that_an_empty_linker_instantiates_it(self):
        HOST.instantiate()

    def test_events_go_to_the_published_shards(self):
        vectors = json.loads((ROOT / "tests/vectors/routing.json").read_text())
        buses, routes = {}, 0
        for event in vectors["events"]:
            payload = event["text"].encode() if "text" in event else bytes.fromhex(event.get("hex", ""))
            if "pattern" in event:
                payload = bytes((31 * i + 7) % 256 for i in range(event["pattern"]))
            for count, shard in event.get("shards", {}).items():
                if count not in buses:
                    buses[count] = HOST.create({"shards": int(count), "capacity": 2})
                self.assertEqual(buses[count].shard_for(payload), shard, f"{event} of {count}")
                routes += 1
        self.assertGreater(routes, 50)

    def test_options_that_break_a_rule_are_refused_with_the_rule(self):
        error = HOST.create({"batch": {"min-size": 3, "max-size": 2}})
        self.assertEqual(error.setting, "batch.max-size")
        self.assertEqual(error.value, 2)
        self.assertEqual(error.rule, "must be at least `batch.min-size`")

    def test_refused_events_have_a_reason_and_are_counted(self):
        bus = HOST.create({"max-event-bytes": 10, "max-key-bytes": 2})
        self.assertEqual(bus.ingest(b"1\n2", None), "invalid")
        self.assertEqual(bus.ingest(b"x" * 11, None), "oversize")
        self.assertEqual(bus.ingest(b"1", b"abc"), "key-too-long")
        bus.close()
        self.assertEqual(bus.ingest(b"1", None), "closed")
        self.assertEqual(self.assert_accounts(bus).offered, 4)

    def test_events_that_come_in_together_are_events_of_their_own(self):
        bus = HOST.create({})
        self.assertEqual(bus.ingest_lines(b'{"n":0}\n\n{"n":1}\n'), 2)
        events = [record(payload=b'{"n":2}'), record(payload=b'{"n":3}', key=b"k")]
        self.assertEqual(bus.ingest_many(events), 2)
        batch = bus.drain(1000)
        self.assertEqual(numbers(batch), [0, 1, 2, 3])
        self.assertEqual(batch.lengths, [7, 7, 7, 7])

    def test_batches_leave_in_order_and_a_retry_has_the_same_id(self):
        bus = HOST.create(SMALL)
        bus.set_clock(5)
        offer(bus, 4)
        seen = []

        def answer(lease, now):
            head = lease.batch.head
            seen.append((head.id, lease.attempt, numbers(lease.batch)))
            self.assertGreaterEqual(getattr(head, "first-timestamp"), 5)
            refused = variant("refused", 0)
            self.assertTrue(bus.fail(lease.id, refused, now) if len(seen) == 1 else bus.acknowledge(lease.id, now))

        self.assertEqual(drive(bus, 60 * SECOND, answer), [])
        first, second = "0000000000000007-0-0", "0000000000000007-0-2"
        self.assertEqual(seen, [(first, 1, [0, 1]), (first, 2, [0, 1]), (second, 1, [2, 3])])
        self.assertEqual(self.assert_accounts(bus).delivered, 4)

    def test_an_outage_of_an_hour_gives_nothing_up(self):
        bus = HOST.create(SMALL | {"shards": 3})
        for key in range(20):
            offer(bus, 2, b"%d" % key)
        hour = 3600 * SECOND
        self.assertEqual(drive(bus, hour, lambda lease, now: bus.fail(lease.id, DOWN, now)), [])
        delivered = lambda lease, now: bus.acknowledge(lease.id, now)
        self.assertEqual(drive(bus, 2 * hour, delivered, hour), [])
        self.assertEqual(self.assert_accounts(bus).delivered, 40)

    def test_a_poisoned_event_alone_is_given_up(self):
        bus = HOST.create({"batch": {"min-size": 8, "max-size": 8}})
        offer(bus, 8)

        def answer(lease, now):
            if 5 in numbers(lease.batch):
                bus.fail(lease.id, variant("split"), now)
            else:
                bus.acknowledge(lease.id, now)

        lost = drive(bus, 60 * SECOND, answer)
        self.assertEqual([numbers(given_up.batch) for given_up in lost], [[5]])
        self.assertEqual(lost[0].reason, "permanent")
        self.assertEqual(self.assert_accounts(bus).delivered, 7)

    def test_single_events_have_their_own_outcomes(self):
        bus = HOST.create(SMALL)
        offer(bus, 2)

        def answer(lease, now):
            kept = record(count=1, failure=variant("permanent"))
            self.assertTrue(bus.settle(lease.id, [record(count=1), kept], now))

        lost = drive(bus, 60 * SECOND, answer)
        self.assertEqual([numbers(given_up.batch) for given_up in lost], [[1]])
        self.assertEqual(self.assert_accounts(bus).delivered, 1)

    def test_a_host_that_is_killed_restores_the_copies_that_it_kept(self):
        bus = HOST.create(SMALL, nonce=1)
        offer(bus, 6)
        copies = bus.stage(0)
        self.assertEqual([field(copy, "head.sequence") for copy in copies], [0, 2, 4])
        self.assertTrue(bus.release(field(copies[2], "head.id")))
        self.assertFalse(bus.release(field(copies[2], "head.id")))
        del bus

        later = HOST.create(SMALL, nonce=2)
        later.begin_restore()
        damaged = copies[0].bytes[:-1]
        self.assertEqual(later.restore(damaged).tag, "damaged")
        for copy in copies[:2]:
            self.assertTrue(later.wants_restored())
            self.assertEqual(later.restore(copy.bytes).id, copy.head.id)
        later.end_restore()
        got = []

        def answer(lease, now):
            got.append((lease.batch.head.id, numbers(lease.batch)))
            later.acknowledge(lease.id, now)

        drive(later, 60 * SECOND, answer)
        self.assertEqual(got, [(copy.head.id, [n, n + 1]) for copy, n in zip(copies, (0, 2))])
        self.assertEqual(self.assert_accounts(later).restored, 4)

    def test_a_batch_whose_write_to_the_store_failed_is_asked_for_again_and_delivered(self):
        bus = HOST.create({"has-store": True} | SMALL)
        offer(bus, 2)
        now, writes, got = 0, [], []
        while bus.stats().delivered < 2 and now < 600 * SECOND:
            action = bus.poll(now)
            match action.tag:
                case "send" if len(writes) < 2:
                    bus.fail(action.payload.id, DOWN, now)
                case "send":
                    got.append(numbers(action.payload.batch))
                    bus.acknowledge(action.payload.id, now)
                case "store":
                    # The write fails, so that there is nothing to note.
                    writes.append(action.payload.head.id)
                case "wait-until":
                    now = action.payload
        self.assertEqual(got, [[0, 1]])
        self.assertGreaterEqual(len(writes), 2)
        self.assertEqual(len(set(writes)), 1)
        self.assert_accounts(bus)

    def test_a_host_with_a_store_loses_only_the_batches_that_cannot_be_read(self):
        room = {"max-bytes": 1_000, "max-event-bytes": 100, "max-store-bytes": 1 << 20}
        bus = HOST.create(SMALL | room | {"has-store": True})
        store, delivered, lost, now = {}, [], 0, 0

        def work(is_down):
            """Polls until there is nothing to do for a minute; the first batch that is loaded is gone."""
            nonlocal lost, now
            end = now + 60 * SECOND
            while now < end:
                action = bus.poll(now)
                match action.tag:
                    case "send" if is_down:
                        self.assertTrue(bus.fail(action.payload.id, DOWN, now))
                    case "send":
                        delivered.extend(numbers(action.payload.batch))
                        self.assertTrue(bus.acknowledge(action.payload.id, now))
                    case "store":
                        head = action.payload.head
                        store[head.sequence] = action.payload.bytes
                        bus.note_stored(7, head.shard, head.sequence, head.count)
                        self.assertIsNone(bus.evict_stored())
                    case "load" if lost == 0:
                        head = action.payload
                        lost = head.count
                        self.assertTrue(bus.note_unreadable(7, head.shard, head.sequence, True))
                    case "load":
                        bus.load(store[action.payload.sequence])
                    case "wait-until":
                        now = action.payload
                    case "idle":
                        break

        for _ in range(4):
            offer(bus, 50)
            work(is_down=True)
        self.assertGreater(len(store), 0)
        work(is_down=False)
        stats = self.assert_accounts(bus)
        self.assertGreater(lost, 0)
        self.assertEqual((stats.evicted, stats.delivered, stats.pending), (lost, 200 - lost, 0))
        self.assertEqual(len(delivered), 200 - lost)

    def test_a_flush_hurries_what_is_there_and_reports_it(self):
        bus = HOST.create({})
        offer(bus, 3)
        self.assertEqual(bus.poll(0).tag, "wait-until")
        flush = bus.begin_flush()
        drive(bus, SECOND, lambda lease, now: bus.acknowledge(lease.id, now))
        report = bus.flush_report(flush)
        self.assertEqual((report.delivered, report.pending), (3, 0))
        bus.end_flush(flush)
        self.assertIsNone(bus.flush_report(flush))

    def test_shards_are_added_and_drained_within_their_bounds(self):
        bus = HOST.create({"scaling": {"max-shards": 2, "auto-scale": False}})
        self.assertEqual(bus.scale_up(1), [1])
        self.assertEqual(bus.scale_up(1), "at-max-shards")
        self.assertEqual(len(bus.scale_down(1)), 1)
        self.assertEqual(HOST.create({}).scale_up(1), "off")


if __name__ == "__main__":
    unittest.main()
