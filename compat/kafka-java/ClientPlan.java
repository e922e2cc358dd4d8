// What a Java application does with a broker, asserted step by step: ClientPlan BOOTSTRAP NAME
// Compiled against both the newest and an old kafka-clients, so it uses only what both have.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

public class ClientPlan {
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    static final int RECORDS = 300;
    static final long BASE_TIME = System.currentTimeMillis() - 3_600_000; // within the default retention
    static int passed, failed;

    final String bootstrap, name;
    final Admin admin;

    interface Step { void run() throws Exception; }

    static void check(String what, Step step) {
        try {
            step.run();
            passed++;
            System.out.println("ok " + what);
        } catch (Throwable e) {
            failed++;
            System.out.println("FAIL " + what + ": " + e);
            e.printStackTrace();
        }
    }

    static void equal(Object expected, Object found, String what) {
        if (!Objects.equals(expected, found)) throw new AssertionError(what + ": expected " + expected + ", found " + found);
    }

    static void that(boolean truth, String what) {
        if (!truth) throw new AssertionError(what);
    }

    /** The error class that a future ends with. */
    static Class<?> errorOf(Future<?> future) throws InterruptedException {
        try {
            future.get();
            return null;
        } catch (ExecutionException e) {
            return e.getCause().getClass();
        }
    }

    public static void main(String[] args) {
        ClientPlan plan = new ClientPlan(args[0], args[1]);
        plan.run();
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    ClientPlan(String bootstrap, String name) {
        this.bootstrap = bootstrap;
        this.name = name;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    void run() {
        check(name + " describes the cluster", this::cluster);
        check(name + " makes topics", this::topics);
        for (String codec : CODECS) check(name + " produces and consumes with " + codec, () -> produceAndConsume(codec));
        check(name + " changes a topic's config while it runs", this::configs);
        check(name + " seeks by offset and by time", this::seeks);
        check(name + " sends tombstones, empty and long values", this::oddValues);
        check(name + " keeps an idempotent producer's order", this::idempotent);
        check(name + " rebalances a group of two", this::rebalance);
        check(name + " commits and resumes", this::resume);
        check(name + " keeps a static member's partitions", this::staticMember);
        check(name + " deletes records", this::deleteRecords);
        check(name + " adds partitions", this::addPartitions);
        check(name + " sees groups and deletes them", this::groups);
        check(name + " gets Kafka's errors", this::errors);
        check(name + " deletes topics", this::deleteTopics);
    }

    String topic(String suffix) {
        return name + "-" + suffix;
    }

    void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        long end = System.nanoTime() + 20_000_000_000L;
        while (true) { // metadata follows the controller's answer
            try {
                describe(topic);
                return;
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException) || System.nanoTime() > end) throw e;
                Thread.sleep(20);
            }
        }
    }

    /** One topic's description; the newest release renamed the method that gives it. */
    @SuppressWarnings("unchecked")
    TopicDescription describe(String topic) throws Exception {
        DescribeTopicsResult result = admin.describeTopics(List.of(topic));
        String method = Stream.of(result.getClass().getMethods()).map(m -> m.getName()).filter("topicNameValues"::equals).findAny().orElse("values");
        Object futures = result.getClass().getMethod(method).invoke(result);
        return ((Map<String, KafkaFuture<TopicDescription>>) futures).get(topic).get();
    }

    KafkaProducer<String, byte[]> producer(Object... configs) {
        Map<String, Object> map = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "acks", "all", "linger.ms", 5));
        for (int i = 0; i < configs.length; i += 2) map.put((String) configs[i], configs[i + 1]);
        return new KafkaProducer<>(map, new StringSerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<String, byte[]> consumer(String group, Object... configs) {
        Map<String, Object> map = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false,
            "auto.offset.reset", "earliest", "heartbeat.interval.ms", 300, "session.timeout.ms", 10_000));
        if (group != null) map.put("group.id", group);
        for (int i = 0; i < configs.length; i += 2) map.put((String) configs[i], configs[i + 1]);
        return new KafkaConsumer<>(map, new StringDeserializer(), new ByteArrayDeserializer());
    }

    static byte[] value(int i) {
        return ("value-" + i + "-" + "x".repeat(i % 97)).getBytes(StandardCharsets.UTF_8);
    }

    static ProducerRecord<String, byte[]> record(String topic, Integer partition, int i) {
        ProducerRecord<String, byte[]> r = new ProducerRecord<>(topic, partition, BASE_TIME + i, i % 7 == 0 ? null : "key-" + i, value(i));
        for (int h = 0; h < i % 3; h++) r.headers().add("h" + h, h == 1 ? null : ("header-" + i).getBytes(StandardCharsets.UTF_8));
        return r;
    }

    static void same(ProducerRecord<String, byte[]> sent, ConsumerRecord<String, byte[]> got) {
        String at = got.topic() + "-" + got.partition() + "@" + got.offset();
        equal(sent.key(), got.key(), at + " key");
        that(Arrays.equals(sent.value(), got.value()), at + " value differs");
        equal(sent.timestamp(), got.timestamp(), at + " timestamp");
        List<String> a = headers(sent.headers()), b = headers(got.headers());
        equal(a, b, at + " headers");
    }

    static List<String> headers(Iterable<Header> headers) {
        List<String> list = new ArrayList<>();
        for (Header h : headers) list.add(h.key() + "=" + (h.value() == null ? "null" : new String(h.value(), StandardCharsets.UTF_8)));
        return list;
    }

    /** Reads until so many records have come, or half a minute has passed. */
    static List<ConsumerRecord<String, byte[]>> read(Consumer<String, byte[]> consumer, int count) {
        List<ConsumerRecord<String, byte[]>> all = new ArrayList<>();
        long end = System.nanoTime() + 30_000_000_000L;
        while (all.size() < count && System.nanoTime() < end) consumer.poll(Duration.ofMillis(200)).forEach(all::add);
        equal(count, all.size(), "records read");
        return all;
    }

    void cluster() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        equal(1, cluster.nodes().get().size(), "nodes");
        that(!cluster.clusterId().get().isEmpty(), "a cluster id");
        that(cluster.controller().get() != null, "a controller");
    }

    void topics() throws Exception {
        create(topic("plain"), 3, Map.of());
        create(topic("compacted"), 2, Map.of("cleanup.policy", "compact", "segment.bytes", "1048576"));
        TopicDescription d = describe(topic("plain"));
        equal(3, d.partitions().size(), "partitions");
        for (var p : d.partitions()) equal(List.of(p.leader()), p.isr(), "in-sync replicas");
        Set<String> names = admin.listTopics().names().get();
        that(names.containsAll(List.of(topic("plain"), topic("compacted"))), "topics are listed: " + names);
        Config config = config(topic("compacted"));
        equal("compact", config.get("cleanup.policy").value(), "cleanup.policy");
        equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, config.get("segment.bytes").source(), "source");
        equal("604800000", config.get("retention.ms").value(), "default retention.ms");
    }

    Config config(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    void produceAndConsume(String codec) throws Exception {
        String topic = topic(codec);
        create(topic, 3, Map.of());
        Map<TopicPartition, List<ProducerRecord<String, byte[]>>> sent = new HashMap<>();
        List<Future<RecordMetadata>> acks = new ArrayList<>();
        List<ProducerRecord<String, byte[]>> order = new ArrayList<>();
        try (var producer = producer("compression.type", codec)) {
            for (int i = 0; i < RECORDS; i++) {
                ProducerRecord<String, byte[]> r = record(topic, i % 3, i);
                order.add(r);
                acks.add(producer.send(r));
            }
            producer.flush();
        }
        for (int i = 0; i < RECORDS; i++) {
            RecordMetadata ack = acks.get(i).get();
            List<ProducerRecord<String, byte[]>> list = sent.computeIfAbsent(new TopicPartition(topic, ack.partition()), p -> new ArrayList<>());
            equal((long) list.size(), ack.offset(), "offset of the acknowledgement");
            list.add(order.get(i));
        }
        try (var consumer = consumer(null)) {
            consumer.assign(sent.keySet());
            consumer.seekToBeginning(sent.keySet());
            for (ConsumerRecord<String, byte[]> r : read(consumer, RECORDS)) {
                List<ProducerRecord<String, byte[]>> list = sent.get(new TopicPartition(topic, r.partition()));
                same(list.get((int) r.offset()), r);
            }
            for (var end : consumer.endOffsets(sent.keySet()).entrySet())
                equal((long) sent.get(end.getKey()).size(), end.getValue(), "end of " + end.getKey());
        }
    }

    void configs() throws Exception {
        String topic = topic("plain");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "123456789"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("message.timestamp.type", "LogAppendTime"), AlterConfigOp.OpType.SET)))).all().get();
        long end = System.nanoTime() + 10_000_000_000L;
        while (!config(topic).get("retention.ms").value().equals("123456789")) {
            that(System.nanoTime() < end, "the new config is described");
            Thread.sleep(20);
        }
        long before = System.currentTimeMillis();
        try (var producer = producer()) {
            RecordMetadata ack = producer.send(record(topic, 0, 1)).get();
            that(ack.timestamp() >= before - 1000, "the broker's time is answered: " + ack.timestamp());
        }
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        while (!config(topic).get("retention.ms").value().equals("604800000")) {
            that(System.nanoTime() < end, "the default is back");
            Thread.sleep(20);
        }
    }

    void seeks() throws Exception {
        TopicPartition p = new TopicPartition(topic("none"), 1);
        try (var consumer = consumer(null)) {
            consumer.assign(List.of(p));
            consumer.seek(p, 40);
            equal(40L, read(consumer, RECORDS / 3 - 40).get(0).offset(), "first offset after a seek");
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(p, BASE_TIME + 100)).get(p);
            equal(33L, found.offset(), "offset of a time"); // records 1, 4, 7 … lie in partition 1
            equal(BASE_TIME + 100, found.timestamp(), "time of that offset");
            equal(null, consumer.offsetsForTimes(Map.of(p, BASE_TIME + 100_000)).get(p), "offset of a time to come");
        }
    }

    void oddValues() throws Exception {
        TopicPartition p = new TopicPartition(topic("compacted"), 0);
        byte[] big = new byte[900_000];
        new Random(1).nextBytes(big);
        List<byte[]> values = Arrays.asList(null, new byte[0], big);
        try (var producer = producer(); var consumer = consumer(null)) {
            for (byte[] v : values) producer.send(new ProducerRecord<>(p.topic(), 0, "k", v)).get();
            consumer.assign(List.of(p));
            List<ConsumerRecord<String, byte[]>> got = read(consumer, 3);
            for (int i = 0; i < 3; i++) that(Arrays.equals(values.get(i), got.get(i).value()), "value " + i);
        }
    }

    void idempotent() throws Exception {
        create(topic("idempotent"), 1, Map.of());
        try (var producer = producer("enable.idempotence", true, "batch.size", 200, "max.in.flight.requests.per.connection", 5)) {
            List<Future<RecordMetadata>> acks = new ArrayList<>();
            for (int i = 0; i < 2000; i++) acks.add(producer.send(record(topic("idempotent"), 0, i)));
            for (int i = 0; i < 2000; i++) equal((long) i, acks.get(i).get().offset(), "offset of record " + i);
        }
    }

    /** A member that polls in its own thread and notes what it holds and what it read. */
    final class Member implements AutoCloseable {
        final KafkaConsumer<String, byte[]> consumer;
        final Set<TopicPartition> held = ConcurrentHashMap.newKeySet();
        final Queue<ConsumerRecord<String, byte[]>> got = new ConcurrentLinkedQueue<>();
        final Thread thread;
        volatile boolean stop;
        volatile Throwable error;

        Member(String group, String topic, Object... configs) {
            consumer = consumer(group, configs);
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                public void onPartitionsAssigned(Collection<TopicPartition> p) { held.addAll(p); }
                public void onPartitionsRevoked(Collection<TopicPartition> p) { consumer.commitSync(); held.removeAll(p); }
                public void onPartitionsLost(Collection<TopicPartition> p) { held.removeAll(p); }
            });
            thread = new Thread(() -> {
                try {
                    while (!stop) {
                        consumer.poll(Duration.ofMillis(100)).forEach(got::add);
                        try {
                            consumer.commitSync();
                        } catch (RebalanceInProgressException e) {
                            // the next poll ends it, and the next commit says the same
                        }
                    }
                } catch (Throwable e) {
                    error = e;
                } finally {
                    consumer.close();
                }
            });
            thread.start();
        }

        void holds(int count) throws Exception {
            long end = System.nanoTime() + 30_000_000_000L;
            while (held.size() != count) {
                if (error != null) throw new AssertionError("member failed", error);
                that(System.nanoTime() < end, "holds " + held + ", not " + count + " partitions");
                Thread.sleep(20);
            }
        }

        public void close() throws Exception {
            stop = true;
            thread.join();
            if (error != null) throw new AssertionError("member failed", error);
        }
    }

    void rebalance() throws Exception {
        for (String assignor : new String[] {"org.apache.kafka.clients.consumer.RangeAssignor", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}) {
            boolean cooperative = assignor.contains("Cooperative");
            String topic = topic(cooperative ? "cooperative" : "eager"), group = topic + "-group";
            create(topic, 4, Map.of());
            Set<String> expected = new HashSet<>(), found = new HashSet<>();
            try (var producer = producer(); var first = new Member(group, topic, "partition.assignment.strategy", assignor)) {
                first.holds(4);
                Member second = new Member(group, topic, "partition.assignment.strategy", assignor);
                second.holds(2);
                first.holds(2);
                Set<TopicPartition> both = new HashSet<>(first.held);
                both.addAll(second.held);
                equal(4, both.size(), "partitions of both");
                send(producer, topic, 0, 100, expected);
                awaitRead(expected.size(), first, second);
                second.close();
                second.got.forEach(r -> found.add(id(r)));
                first.holds(4);
                send(producer, topic, 100, 100, expected);
                awaitRead(expected.size() - second.got.size(), first);
                first.got.forEach(r -> found.add(id(r)));
                equal(expected, found, "records read by both");
                equal(expected.size(), first.got.size() + second.got.size(), "each record once");
            }
        }
    }

    void send(KafkaProducer<String, byte[]> producer, String topic, int from, int count, Set<String> ids) throws Exception {
        List<Future<RecordMetadata>> acks = new ArrayList<>();
        for (int i = from; i < from + count; i++) acks.add(producer.send(record(topic, i % 4, i)));
        for (Future<RecordMetadata> ack : acks) ids.add(ack.get().partition() + "@" + ack.get().offset());
    }

    static String id(ConsumerRecord<?, ?> r) {
        return r.partition() + "@" + r.offset();
    }

    void awaitRead(int count, Member... members) throws Exception {
        long end = System.nanoTime() + 30_000_000_000L;
        while (Stream.of(members).mapToInt(m -> m.got.size()).sum() < count) {
            that(System.nanoTime() < end, "only " + Stream.of(members).map(m -> m.got.size()).collect(Collectors.toList()) + " of " + count);
            Thread.sleep(20);
        }
    }

    void resume() throws Exception {
        String topic = topic("none"), group = topic("resume");
        try (var consumer = consumer(group, "max.poll.records", 50)) {
            consumer.subscribe(List.of(topic));
            read(consumer, 50);
            consumer.commitSync();
        }
        Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        equal(50L, committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum(), "committed");
        try (var consumer = consumer(group)) {
            consumer.subscribe(List.of(topic));
            List<ConsumerRecord<String, byte[]>> rest = read(consumer, RECORDS - 50);
            for (var r : rest) {
                OffsetAndMetadata from = committed.get(new TopicPartition(topic, r.partition()));
                that(from == null || r.offset() >= from.offset(), "read again: " + id(r));
            }
            consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(7, Optional.empty(), "a note")));
            OffsetAndMetadata back = consumer.committed(Set.of(new TopicPartition(topic, 0))).get(new TopicPartition(topic, 0));
            equal("a note", back.metadata(), "metadata of a commit");
            equal(7L, back.offset(), "offset of a commit");
        }
    }

    void staticMember() throws Exception {
        String group = topic("static");
        String topic = topic("none");
        Set<TopicPartition> held;
        String memberId;
        try (var consumer = consumer(group, "group.instance.id", "one")) {
            consumer.subscribe(List.of(topic));
            read(consumer, RECORDS);
            held = consumer.assignment();
            consumer.commitSync();
            memberId = consumer.groupMetadata().memberId();
        }
        // a static member does not leave: it is still there after its close
        ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        equal(1, d.members().size(), "members after the close");
        equal(Optional.of("one"), d.members().iterator().next().groupInstanceId(), "its instance id");
        try (var consumer = consumer(group, "group.instance.id", "one")) {
            consumer.subscribe(List.of(topic));
            long end = System.nanoTime() + 30_000_000_000L;
            while (consumer.assignment().isEmpty() && System.nanoTime() < end) consumer.poll(Duration.ofMillis(100));
            equal(held, consumer.assignment(), "the same partitions");
            that(!memberId.equals(consumer.groupMetadata().memberId()), "a new member id");
        }
        admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")))).all().get();
        equal(0, admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), "members after removal");
    }

    void deleteRecords() throws Exception {
        TopicPartition p = new TopicPartition(topic("gzip"), 0);
        equal(30L, admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(p).get().lowWatermark(), "low watermark");
        try (var consumer = consumer(null)) {
            consumer.assign(List.of(p));
            equal(30L, consumer.beginningOffsets(List.of(p)).get(p), "beginning");
            equal(30L, read(consumer, RECORDS / 3 - 30).get(0).offset(), "first offset read");
        }
    }

    void addPartitions() throws Exception {
        String topic = topic("lz4");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        long end = System.nanoTime() + 10_000_000_000L;
        while (describe(topic).partitions().size() != 5) {
            that(System.nanoTime() < end, "five partitions");
            Thread.sleep(20);
        }
        try (var producer = producer()) {
            equal(0L, producer.send(record(topic, 4, 1)).get().offset(), "first offset of the new partition");
        }
    }

    void groups() throws Exception {
        String group = topic("resume");
        Set<String> ids = admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).collect(Collectors.toSet());
        that(ids.contains(group), "the group is listed: " + ids);
        ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        equal("EMPTY", d.state().name(), "state"); // by name: the enum moved
        admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic("none"), 0), new OffsetAndMetadata(3))).all().get();
        equal(3L, admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(new TopicPartition(topic("none"), 0)).offset(), "reset");
        admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic("none"), 0))).all().get();
        that(!admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().containsKey(new TopicPartition(topic("none"), 0)), "offset deleted");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        equal(GroupIdNotFoundException.class, errorOf(admin.deleteConsumerGroups(List.of(group)).all()), "deleted twice");
    }

    void errors() throws Exception {
        equal(TopicExistsException.class, errorOf(admin.createTopics(List.of(new NewTopic(topic("plain"), 1, (short) 1))).all()), "exists");
        equal(InvalidTopicException.class, errorOf(admin.createTopics(List.of(new NewTopic("a b", 1, (short) 1))).all()), "bad name");
        equal(InvalidPartitionsException.class, errorOf(admin.createTopics(List.of(new NewTopic(topic("x"), 0, (short) 1))).all()), "no partitions");
        equal(InvalidReplicationFactorException.class, errorOf(admin.createTopics(List.of(new NewTopic(topic("x"), 1, (short) 3))).all()), "three replicas");
        equal(InvalidConfigurationException.class,
            errorOf(admin.createTopics(List.of(new NewTopic(topic("x"), 1, (short) 1).configs(Map.of("retention.ms", "soon")))).all()), "bad config");
        equal(UnknownTopicOrPartitionException.class, errorOf(admin.deleteTopics(List.of(topic("none-such"))).all()), "unknown topic");
        equal(InvalidPartitionsException.class, errorOf(admin.createPartitions(Map.of(topic("plain"), NewPartitions.increaseTo(2))).all()), "fewer partitions");
        try (var producer = producer("max.request.size", 3_000_000)) {
            equal(RecordTooLargeException.class, errorOf(producer.send(new ProducerRecord<>(topic("plain"), 0, "k", new byte[2_000_000]))), "too large");
        }
        try (var producer = producer("enable.idempotence", false)) {
            long ahead = System.currentTimeMillis() + 86_400_000L * 400;
            equal(InvalidTimestampException.class, errorOf(producer.send(new ProducerRecord<>(topic("zstd"), 0, ahead, "k", new byte[1]))), "far ahead");
            equal(InvalidRecordException.class, errorOf(producer.send(new ProducerRecord<>(topic("compacted"), 1, null, new byte[1]))), "no key, compacted");
        }
    }

    void deleteTopics() throws Exception {
        Set<String> mine = admin.listTopics().names().get().stream().filter(t -> t.startsWith(name + "-")).collect(Collectors.toSet());
        admin.deleteTopics(mine).all().get();
        long end = System.nanoTime() + 10_000_000_000L;
        while (admin.listTopics().names().get().stream().anyMatch(mine::contains)) {
            that(System.nanoTime() < end, "deleted topics are gone");
            Thread.sleep(20);
        }
    }
}
