"""What an asyncio application does with a broker through aiokafka: client_plan.py BOOTSTRAP"""
import asyncio
import sys
import time
import traceback

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BOOT = sys.argv[1]
NAME = "aiokafka"
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
RECORDS = 300
BASE = int(time.time() * 1000) - 3_600_000  # within the default retention
counts = [0, 0]


async def check(what, step):
    try:
        await step
        counts[0] += 1
        print("ok", NAME, what, flush=True)
    except Exception as e:
        counts[1] += 1
        print("FAIL", NAME, what + ":", repr(e), flush=True)
        traceback.print_exc()


def equal(expected, found, what):
    assert expected == found, f"{what}: expected {expected}, found {found}"


def record(i):
    headers = [(f"h{h}", f"header-{i}".encode()) for h in range(i % 3)]
    return dict(key=None if i % 7 == 0 else f"key-{i}".encode(), value=f"value-{i}-{'x' * (i % 97)}".encode(),
                timestamp_ms=BASE + i, headers=headers)


async def create(admin, topic, partitions):
    response = await admin.create_topics([NewTopic(topic, partitions, 1)])
    equal([0], [error[1] for error in response.topic_errors], "error codes")


async def produce(producer, topic, numbers, partitions):
    futures = [await producer.send(topic, partition=i % partitions, **record(i)) for i in numbers]
    return {i: (m.partition, m.offset) for i, m in zip(numbers, [await f for f in futures])}


async def read(consumer, count, seconds=30):
    got, end = [], time.monotonic() + seconds
    while len(got) < count and time.monotonic() < end:
        for batch in (await consumer.getmany(timeout_ms=200, max_records=count - len(got))).values():
            got += batch
    equal(count, len(got), "records read")
    return got


async def codec(admin, name):
    topic = f"{NAME}-{name or 'none'}"
    await create(admin, topic, 3)
    async with AIOKafkaProducer(bootstrap_servers=BOOT, compression_type=name, linger_ms=5, enable_idempotence=True) as producer:
        acks = await produce(producer, topic, range(RECORDS), 3)
    by_place = {place: i for i, place in acks.items()}
    equal(RECORDS, len(by_place), "places acknowledged")
    async with AIOKafkaConsumer(bootstrap_servers=BOOT, auto_offset_reset="earliest") as consumer:
        parts = [TopicPartition(topic, p) for p in range(3)]
        consumer.assign(parts)
        for m in await read(consumer, RECORDS):
            sent = record(by_place[m.partition, m.offset])
            equal((sent["key"], sent["value"], sent["timestamp_ms"], sent["headers"]),
                  (m.key, m.value, m.timestamp, list(m.headers)), f"{m.partition}@{m.offset}")
        equal({p: 100 for p in parts}, await consumer.end_offsets(parts), "ends")
        found = (await consumer.offsets_for_times({parts[1]: BASE + 100}))[parts[1]]
        equal(33, found.offset, "offset of a time")


def member(group, topic):
    return AIOKafkaConsumer(topic, bootstrap_servers=BOOT, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
                            heartbeat_interval_ms=300, session_timeout_ms=10000)


async def rebalance(admin):
    topic, group = NAME + "-group", NAME + "-group"
    await create(admin, topic, 4)
    members, got = [member(group, topic), member(group, topic)], [[], []]

    async def wait(which, truth, what):
        end = time.monotonic() + 40
        while not truth():
            assert time.monotonic() < end, f"{what}: {[m.assignment() for m in members]}, {[len(g) for g in got]}"
            for w in which:
                for batch in (await members[w].getmany(timeout_ms=100)).values():
                    got[w] += [(m.partition, m.offset) for m in batch]
                    last = batch[-1]
                    await members[w].commit({TopicPartition(topic, last.partition): last.offset + 1})

    held = lambda w: {p.partition for p in members[w].assignment()}
    async with AIOKafkaProducer(bootstrap_servers=BOOT) as producer:
        await members[0].start()
        await wait([0], lambda: len(held(0)) == 4, "one member holds all")
        start = asyncio.create_task(members[1].start())
        await wait([0], lambda: start.done(), "the second joins")
        await start
        await wait([0, 1], lambda: len(held(0)) == 2 and len(held(1)) == 2 and not held(0) & held(1), "two members share")
        expected = set((await produce(producer, topic, range(100), 4)).values())
        await wait([0, 1], lambda: len(got[0]) + len(got[1]) >= 100, "both read")
        await members[1].stop()
        await wait([0], lambda: len(held(0)) == 4, "the one that is left holds all")
        expected |= set((await produce(producer, topic, range(100, 200), 4)).values())
        await wait([0], lambda: len(got[0]) + len(got[1]) >= 200, "the one that is left reads all")
        await members[0].stop()
        equal(sorted(expected), sorted(got[0] + got[1]), "each record once")


async def resume():
    topic, group = NAME + "-none", NAME + "-resume"
    consumer = member(group, topic)
    await consumer.start()
    await read(consumer, 50)
    await consumer.commit()
    starts = {p.partition: await consumer.committed(p) or 0 for p in consumer.assignment()}
    equal(50, sum(starts.values()), "committed")
    await consumer.stop()
    consumer = member(group, topic)
    await consumer.start()
    for m in await read(consumer, RECORDS - 50):
        assert m.offset >= starts[m.partition], f"read again: {m.partition}@{m.offset}"
    await consumer.stop()


async def groups(admin):
    assert NAME + "-resume" in [g[0] for g in await admin.list_consumer_groups()], "the group is listed"
    offsets = await admin.list_consumer_group_offsets(NAME + "-resume")
    equal(50, sum(o.offset for o in offsets.values() if o.offset > 0), "committed")


async def delete(admin):
    mine = [t for t in await admin.list_topics() if t.startswith(NAME + "-")]
    await admin.delete_topics(mine)
    end = time.monotonic() + 10
    while set(mine) & set(await admin.list_topics()):
        assert time.monotonic() < end, "deleted topics are gone"
        await asyncio.sleep(0.02)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOT)
    await admin.start()
    for name in CODECS:
        await check(f"produces and consumes with {name or 'none'}", codec(admin, name))
    await check("rebalances a group of two", rebalance(admin))
    await check("commits and resumes", resume())
    await check("sees groups", groups(admin))
    await check("deletes topics", delete(admin))
    await admin.close()


asyncio.run(main())
print(f"{counts[0]} passed, {counts[1]} failed")
sys.exit(counts[1] > 0)
