// Fills a node with everything that a data directory holds, and tells all of it as sorted lines.
//   Swap fill BOOTSTRAP TURN    adds topics, records, configs, commits
//   Swap dump BOOTSTRAP FILE    one line for each fact, to be compared

import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

public class Swap {
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    static final int RECORDS = 200;

    final String bootstrap;
    final Admin admin;

    public static void main(String[] args) throws Exception {
        int code = 1;
        try {
            Swap swap = new Swap(args[1]);
            if (args[0].equals("fill")) {
                swap.fill(Integer.parseInt(args[2]));
            } else {
                Files.write(Path.of(args[2]), swap.dump());
            }
            code = 0;
        } catch (Throwable e) {
            e.printStackTrace();
        } finally {
            System.exit(code); // clients' threads need no farewell
        }
    }

    Swap(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        try {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) throw e;
        }
        long end = System.nanoTime() + 20_000_000_000L;
        while (true) { // metadata follows the controller's answer
            try {
                admin.describeTopics(List.of(topic)).allTopicNames().get();
                return;
            } catch (ExecutionException e) {
                if (System.nanoTime() > end) throw e;
                Thread.sleep(20);
            }
        }
    }

    void fill(int turn) throws Exception {
        for (String codec : CODECS) {
            create("swap-" + codec, 3, Map.of());
            produce("swap-" + codec, 3, codec, turn, RECORDS, true);
        }
        create("swap-compacted", 2, Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.9"));
        produce("swap-compacted", 2, "zstd", turn, RECORDS, true);
        create("swap-append-time", 1, Map.of("message.timestamp.type", "LogAppendTime", "retention.ms", "-1"));
        produce("swap-append-time", 1, "none", turn, RECORDS, false);
        create("swap-recompressed", 1, Map.of("compression.type", "lz4", "compression.lz4.level", "12"));
        produce("swap-recompressed", 1, "gzip", turn, RECORDS, true);
        create("swap-rolled", 1, Map.of("segment.bytes", "1048576", "index.interval.bytes", "100"));
        produce("swap-rolled", 1, "none", turn, 20 * RECORDS, true);
        create("swap-cut", 1, Map.of());
        produce("swap-cut", 1, "none", turn, RECORDS, true);
        admin.deleteRecords(Map.of(new TopicPartition("swap-cut", 0), RecordsToDelete.beforeOffset(turn * RECORDS - 50))).all().get();
        create("swap-turn-" + turn, turn, Map.of("max.message.bytes", String.valueOf(1_000_000 + turn)));
        create("swap-gone-" + turn, 2, Map.of());
        produce("swap-gone-" + turn, 2, "none", turn, 10, true);
        admin.deleteTopics(List.of("swap-gone-" + turn)).all().get();
        admin.createPartitions(Map.of("swap-turn-" + turn, NewPartitions.increaseTo(turn + 2))).all().get();
        configs(turn);
        groups(turn);
        consumerGroup(turn);
        transactions(turn);
        compacted(turn);
        new Groups(this).fill(turn);
    }

    /** A group of KIP-848 resumes where the other product's broker left it. */
    void consumerGroup(int turn) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "swap-new-group", "group.protocol", "consumer",
            "enable.auto.commit", false, "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("swap-gzip", "swap-snappy"));
            int got = 0;
            long end = System.nanoTime() + 30_000_000_000L;
            while (got < 2 * RECORDS && System.nanoTime() < end) got += consumer.poll(Duration.ofMillis(200)).count();
            if (got != 2 * RECORDS) throw new AssertionError("the new group resumed wrongly: read " + got);
            consumer.commitSync();
        }
    }

    /** Commits, aborts, and leaves one transaction open with records and offsets in it; ends the one that was left open before. */
    void transactions(int turn) throws Exception {
        create("swap-transactional", 2, Map.of());
        if (turn > 1) {
            try (var left = transactional("swap-open-" + (turn - 1))) {
                left.initTransactions(); // which aborts what it had open
            }
        }
        try (var producer = transactional("swap-transactions")) {
            producer.initTransactions();
            for (int t = 0; t < 10; t++) {
                producer.beginTransaction();
                write(producer, turn, "transaction " + t);
                producer.sendOffsetsToTransaction(Map.of(new TopicPartition("swap-none", t % 3), new OffsetAndMetadata(100L * turn + t)), new ConsumerGroupMetadata("swap-transactional-group"));
                if (t % 3 == 2) producer.abortTransaction(); else producer.commitTransaction();
            }
        }
        var open = transactional("swap-open-" + turn);
        open.initTransactions();
        open.beginTransaction();
        write(open, turn, "left open");
        open.sendOffsetsToTransaction(Map.of(new TopicPartition("swap-zstd", 0), new OffsetAndMetadata(7)), new ConsumerGroupMetadata("swap-open-group-" + turn));
        open.flush(); // and is never closed: the process ends
    }

    KafkaProducer<String, String> transactional(String id) {
        return new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "transactional.id", id, "transaction.timeout.ms", 900_000), new StringSerializer(), new StringSerializer());
    }

    static void write(KafkaProducer<String, String> producer, int turn, String what) throws Exception {
        for (int i = 0; i < 6; i++) producer.send(new ProducerRecord<>("swap-transactional", i % 2, "key-" + i, "turn " + turn + " " + what + " " + i)).get();
    }

    /** Waits until the broker has compacted what it may, so that nothing moves between telling and comparing. */
    void compacted(int turn) throws Exception {
        create("swap-cleaned", 1, Map.of("cleanup.policy", "compact", "segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "1000000000"));
        produce("swap-cleaned", 1, "none", turn, 30 * RECORDS, true);
        produce("swap-cleaned", 1, "none", turn, 30 * RECORDS, true);
        TopicPartition p = new TopicPartition("swap-cleaned", 0);
        long deadline = System.nanoTime() + 60_000_000_000L, end = admin.listOffsets(Map.of(p, OffsetSpec.latest())).partitionResult(p).get().offset();
        int before = -1, calm = 0;
        while (calm < 4) {
            if (System.nanoTime() > deadline) throw new AssertionError("the log is not compacted: " + before + " records of " + end);
            List<String> lines = new ArrayList<>();
            records(List.of("swap-cleaned"), lines);
            calm = lines.size() == before && lines.size() < end * 8 / 10 ? calm + 1 : 0;
            before = lines.size();
            Thread.sleep(500);
        }
    }

    void configs(int turn) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "swap-none");
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1"), all = new ConfigResource(ConfigResource.Type.BROKER, "");
        admin.incrementalAlterConfigs(Map.of(
            topic, List.of(set("retention.ms", String.valueOf(800_000_000L + turn)), set("delete.retention.ms", "7000" + turn)),
            broker, List.of(set("log.cleaner.backoff.ms", String.valueOf(300 + turn))),
            all, List.of(set("message.max.bytes", String.valueOf(2_000_000 + turn))))).all().get();
    }

    static AlterConfigOp set(String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    }

    void groups(int turn) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "swap-group", "enable.auto.commit", false, "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("swap-none", "swap-zstd"));
            int got = 0;
            long end = System.nanoTime() + 30_000_000_000L;
            while (got < 2 * RECORDS && System.nanoTime() < end) got += consumer.poll(Duration.ofMillis(200)).count();
            if (got < 2 * RECORDS) throw new AssertionError("the group resumed wrongly: read " + got);
            consumer.commitSync();
        }
        Map<TopicPartition, OffsetAndMetadata> commits = new HashMap<>();
        for (int p = 0; p < 3; p++) commits.put(new TopicPartition("swap-lz4", p), new OffsetAndMetadata(10L * turn + p, Optional.of(0), "turn " + turn));
        admin.alterConsumerGroupOffsets("swap-manual", commits).all().get();
        admin.alterConsumerGroupOffsets("swap-gone", commits).all().get();
        admin.deleteConsumerGroups(List.of("swap-gone")).all().get();
    }

    void produce(String topic, int partitions, String codec, int turn, int count, boolean keys) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "acks", "all", "compression.type", codec, "linger.ms", 2, "batch.size", 4000,
            "max.in.flight.requests.per.connection", 1);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            List<Future<RecordMetadata>> acks = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                var record = new ProducerRecord<>(topic, i % partitions, System.currentTimeMillis() - 1000 + i, keys ? "key-" + i % 37 : null,
                    i % 41 == 40 && keys ? null : "turn " + turn + " value " + i + " " + "x".repeat(i % 113));
                if (i % 3 == 0) record.headers().add("turn", new byte[] {(byte) turn}).add("null", null);
                acks.add(producer.send(record));
            }
            for (var ack : acks) ack.get();
        }
    }

    List<String> dump() throws Exception {
        List<String> lines = new ArrayList<>();
        lines.add("cluster " + admin.describeCluster().clusterId().get());
        admin.describeFeatures().featureMetadata().get().finalizedFeatures().forEach((name, level) -> lines.add("feature " + name + " " + level.maxVersionLevel()));
        Set<String> topics = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        for (TopicDescription t : admin.describeTopics(topics).allTopicNames().get().values()) {
            lines.add("topic " + t.name() + " " + t.topicId() + " internal=" + t.isInternal() + " partitions=" + t.partitions().size());
        }
        List<ConfigResource> resources = topics.stream().map(t -> new ConfigResource(ConfigResource.Type.TOPIC, t)).collect(Collectors.toList());
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        admin.describeConfigs(resources).all().get().forEach((resource, config) -> {
            for (ConfigEntry e : config.entries()) {
                if (e.source().name().startsWith("DYNAMIC")) lines.add("config " + resource + " " + e.name() + "=" + e.value() + " " + e.source());
            }
        });
        records(topics.stream().filter(t -> t.startsWith("swap-")).sorted().collect(Collectors.toList()), lines);
        groupFacts(lines);
        transactionFacts(lines);
        lines.addAll(new Groups(this).said());
        Collections.sort(lines);
        return lines;
    }

    void groupFacts(List<String> lines) throws Exception {
        for (GroupListing g : admin.listGroups().all().get()) {
            lines.add("group " + g.groupId() + " " + g.type().map(Object::toString).orElse("none") + " " + g.protocol() + " " + g.groupState().map(Object::toString).orElse("none"));
            if (g.type().filter(type -> type == GroupType.SHARE || type == GroupType.STREAMS).isPresent()) {
                resourceFacts(new ConfigResource(ConfigResource.Type.GROUP, g.groupId()), lines);
                continue;
            }
            admin.listConsumerGroupOffsets(g.groupId()).partitionsToOffsetAndMetadata().get().forEach((p, o) ->
                lines.add("group " + g.groupId() + " " + p + " " + o.offset() + " epoch=" + o.leaderEpoch() + " '" + o.metadata() + "'"));
        }
    }

    void resourceFacts(ConfigResource resource, List<String> lines) throws Exception {
        for (ConfigEntry e : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (e.source().name().startsWith("DYNAMIC")) lines.add("config " + resource + " " + e.name() + "=" + e.value() + " " + e.source());
        }
    }

    void transactionFacts(List<String> lines) throws Exception {
        Set<String> ids = admin.listTransactions().all().get().stream().map(TransactionListing::transactionalId).collect(Collectors.toSet());
        admin.describeTransactions(ids).all().get().forEach((id, t) -> lines.add("transaction " + id + " " + t.state() + " producer=" + t.producerId() + " epoch="
            + t.producerEpoch() + " timeout=" + t.transactionTimeoutMs() + " since=" + t.transactionStartTimeMs() + " in " + new TreeSet<>(names(t.topicPartitions()))));
        for (int p = 0; p < 2; p++) {
            TopicPartition partition = new TopicPartition("swap-transactional", p);
            for (ProducerState s : admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers()) {
                lines.add("producer " + partition + " " + s.producerId() + " epoch=" + s.producerEpoch() + " sequence=" + s.lastSequence() + " last=" + s.lastTimestamp()
                    + " coordinator=" + s.coordinatorEpoch() + " open=" + s.currentTransactionStartOffset());
            }
        }
        List<String> all = new ArrayList<>();
        records(List.of("swap-transactional"), all, "read_uncommitted");
        all.forEach(line -> lines.add("uncommitted " + line));
    }

    static List<String> names(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::toString).collect(Collectors.toList());
    }

    void records(List<String> topics, List<String> lines) throws Exception {
        records(topics, lines, "read_committed");
    }

    void records(List<String> topics, List<String> lines, String isolation) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none", "isolation.level", isolation);
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> all = new ArrayList<>();
            for (String t : topics) consumer.partitionsFor(t).forEach(p -> all.add(new TopicPartition(t, p.partition())));
            Map<TopicPartition, Long> begins = consumer.beginningOffsets(all), ends = consumer.endOffsets(all);
            for (TopicPartition p : all) {
                lines.add("log " + p + " from " + begins.get(p) + " to " + ends.get(p));
                // Apache Kafka takes an empty segment, which compaction leaves, for one that was written when its file was, and finds nothing in it.
                if (p.topic().equals("swap-cleaned")) continue;
                OffsetAndTimestamp half = consumer.offsetsForTimes(Map.of(p, 0L)).get(p);
                lines.add("log " + p + " first time " + half);
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long end = System.nanoTime() + 60_000_000_000L;
            while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                if (System.nanoTime() > end) throw new AssertionError("not everything can be read");
                for (var r : consumer.poll(Duration.ofMillis(200))) lines.add(line(r));
            }
        }
    }

    static String line(ConsumerRecord<String, String> r) {
        StringBuilder headers = new StringBuilder();
        for (Header h : r.headers()) headers.append(h.key()).append('=').append(Arrays.toString(h.value())).append(';');
        return "record " + r.topic() + "-" + r.partition() + "@" + r.offset() + " " + r.timestampType() + "=" + r.timestamp() + " epoch=" + r.leaderEpoch()
            + " " + r.key() + " " + headers + " " + r.value();
    }
}
