"""What a Python application does with a broker through confluent-kafka (librdkafka): client_plan.py BOOTSTRAP"""
import sys
import time
import traceback

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

BOOT = sys.argv[1]
NAME = "confluent"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RECORDS = 300
BASE = int(time.time() * 1000) - 3_600_000  # within the default retention
counts = [0, 0]
admin = AdminClient({"bootstrap.servers": BOOT})


def check(what, step):
    try:
        step()
        counts[0] += 1
        print("ok", NAME, what, flush=True)
    except Exception as e:
        counts[1] += 1
        print("FAIL", NAME, what + ":", repr(e), flush=True)
        traceback.print_exc()


def equal(expected, found, what):
    assert expected == found, f"{what}: expected {expected}, found {found}"


def until(truth, what, seconds=30):
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def results(futures):
    return {key: f.result(30) for key, f in futures.items()}


def create(topic, partitions=3, **config):
    results(admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))
    until(lambda: len(admin.list_topics(timeout=10).topics.get(topic, type("", (), {"partitions": {}})).partitions) == partitions, f"{topic} is there")


def record(i):
    headers = [(f"h{h}", None if h == 1 else f"header-{i}".encode()) for h in range(i % 3)]
    return {
        "key": None if i % 7 == 0 else f"key-{i}".encode(),
        "value": f"value-{i}-{'x' * (i % 97)}".encode(),
        "timestamp": BASE + i,
        "headers": headers,
    }


def produce(producer, topic, numbers, partitions=3):
    """(partition, offset) of each record, in order."""
    acks = {}

    def acked(i):
        def report(err, msg):
            assert err is None, err
            acks[i] = (msg.partition(), msg.offset())
        return report

    for i in numbers:
        producer.produce(topic, partition=i % partitions, on_delivery=acked(i), **record(i))
    assert producer.flush(30) == 0
    return acks


def consumer(group, **config):
    return Consumer({"bootstrap.servers": BOOT, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
                     "session.timeout.ms": 10000, "heartbeat.interval.ms": 300, **config})


def read(c, count, seconds=30):
    got, end = [], time.monotonic() + seconds
    while len(got) < count and time.monotonic() < end:
        for m in c.consume(min(100, count - len(got)), 0.2):
            assert m.error() is None, m.error()
            got.append(m)
    equal(count, len(got), "records read")
    return got


def same(i, m):
    sent = record(i)
    at = f"{m.topic()}-{m.partition()}@{m.offset()}"
    equal(sent["key"], m.key(), at + " key")
    equal(sent["value"], m.value(), at + " value")
    equal(sent["headers"], m.headers() or [], at + " headers")
    equal(sent["timestamp"], m.timestamp()[1], at + " timestamp")


def cluster():
    meta = admin.list_topics(timeout=10)
    equal(1, len(meta.brokers), "brokers")
    described = admin.describe_cluster().result(30)
    equal(1, len(described.nodes), "nodes")
    assert described.cluster_id, "a cluster id"


def topics():
    create(NAME + "-plain", 4)
    create(NAME + "-compacted", 2, **{"cleanup.policy": "compact"})
    resource = ConfigResource(ConfigResource.Type.TOPIC, NAME + "-compacted")
    config = results(admin.describe_configs([resource]))[resource]
    equal("compact", config["cleanup.policy"].value, "cleanup.policy")
    results(admin.create_partitions([NewPartitions(NAME + "-compacted", 5)]))
    until(lambda: len(admin.list_topics(timeout=10).topics[NAME + "-compacted"].partitions) == 5, "five partitions")
    try:
        results(admin.create_topics([NewTopic(NAME + "-plain", 1, 1)]))
        raise AssertionError("made twice")
    except KafkaException as e:
        equal(KafkaError.TOPIC_ALREADY_EXISTS, e.args[0].code(), "error")


def codec(name):
    topic = f"{NAME}-{name}"
    create(topic)
    producer = Producer({"bootstrap.servers": BOOT, "compression.codec": name, "linger.ms": 5, "enable.idempotence": True})
    acks = produce(producer, topic, range(RECORDS))
    for p in range(3):
        equal(list(range(RECORDS // 3)), [acks[i][1] for i in range(p, RECORDS, 3)], "offsets of the acknowledgements")
    by_place = {place: i for i, place in acks.items()}
    c = consumer("unused")
    c.assign([TopicPartition(topic, p, 0) for p in range(3)])
    for m in read(c, RECORDS):
        same(by_place[m.partition(), m.offset()], m)
    equal((0, RECORDS // 3), c.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), "watermarks")
    found = c.offsets_for_times([TopicPartition(topic, 1, BASE + 100)], timeout=10)[0]
    equal(33, found.offset, "offset of a time")
    c.close()


def rebalance(strategy):
    topic, group = f"{NAME}-{strategy}", f"{NAME}-{strategy}-group"
    create(topic, 4)
    producer = Producer({"bootstrap.servers": BOOT})
    members = [consumer(group, **{"partition.assignment.strategy": strategy}) for _ in range(2)]
    got = [[], []]

    def poll(which):
        for m in members[which].consume(100, 0.1):
            assert m.error() is None, m.error()
            got[which].append((m.partition(), m.offset()))
            members[which].commit(m, asynchronous=False)

    def held(which):
        return {p.partition for p in members[which].assignment()}

    def wait(which, truth, what):
        end = time.monotonic() + 40
        while not truth():
            assert time.monotonic() < end, f"{what}: {[sorted(held(w)) for w in which]}, {[len(g) for g in got]}"
            for w in which:
                poll(w)

    members[0].subscribe([topic])
    wait([0], lambda: len(held(0)) == 4, "one member holds all")
    members[1].subscribe([topic])
    wait([0, 1], lambda: len(held(0)) == 2 and len(held(1)) == 2 and not held(0) & held(1), "two members share")
    expected = set(produce(producer, topic, range(100), 4).values())
    wait([0, 1], lambda: len(got[0]) + len(got[1]) >= 100, "both read")
    members[1].close()
    wait([0], lambda: len(held(0)) == 4, "the one that is left holds all")
    expected |= set(produce(producer, topic, range(100, 200), 4).values())
    wait([0], lambda: len(got[0]) + len(got[1]) >= 200, "the one that is left reads all")
    equal(expected, set(got[0] + got[1]), "records read")
    equal(200, len(got[0] + got[1]), "each once")
    members[0].close()


def resume():
    topic, group = NAME + "-none", NAME + "-resume"
    c = consumer(group)
    c.subscribe([topic])
    read(c, 50)
    c.commit(asynchronous=False)
    c.close()
    committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30).topic_partitions
    starts = {p.partition: p.offset for p in committed if p.offset >= 0}
    equal(50, sum(starts.values()), "committed")
    c = consumer(group)
    c.subscribe([topic])
    for m in read(c, RECORDS - 50):
        assert m.offset() >= starts.get(m.partition(), 0), f"read again: {m.partition()}@{m.offset()}"
    c.close()


def groups():
    listed = admin.list_consumer_groups().result(30)
    assert NAME + "-resume" in [g.group_id for g in listed.valid], "the group is listed"
    described = results(admin.describe_consumer_groups([NAME + "-resume"]))[NAME + "-resume"]
    equal("EMPTY", described.state.name, "state")
    results(admin.delete_consumer_groups([NAME + "-resume"]))


def delete():
    mine = [t for t in admin.list_topics(timeout=10).topics if t.startswith(NAME + "-")]
    results(admin.delete_topics(mine))
    until(lambda: not set(mine) & set(admin.list_topics(timeout=10).topics), "deleted topics are gone")


check("describes the cluster", cluster)
check("makes topics", topics)
for name in CODECS:
    check("produces and consumes with " + name, lambda: codec(name))
check("rebalances an eager group", lambda: rebalance("range"))
check("rebalances a cooperative group", lambda: rebalance("cooperative-sticky"))
check("commits and resumes", resume)
check("sees groups and deletes them", groups)
check("deletes topics", delete)
print(f"{counts[0]} passed, {counts[1]} failed")
sys.exit(counts[1] > 0)
