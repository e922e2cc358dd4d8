// Groups of every kind, as the swap leaves them and finds them: share groups with records released, streams groups with
// state, groups with members that never said goodbye, and what Apache Kafka's own tools say of all of them.

import java.io.*;
import java.nio.file.Files;
import java.time.Duration;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.tools.GroupsCommand;
import org.apache.kafka.tools.TransactionsCommand;
import org.apache.kafka.tools.consumer.group.*;
import org.apache.kafka.tools.streams.StreamsGroupCommand;

class Groups {
    static final int SHARED = 40, WORDS = 10, TIMES = 20;
    static final String SHARE = "swap-share", STREAMS = "swap-streams", LEFT = "swap-left-";

    final Swap swap;
    final Admin admin;
    final String bootstrap;

    Groups(Swap swap) {
        this.swap = swap;
        this.admin = swap.admin;
        this.bootstrap = swap.bootstrap;
    }

    void fill(int turn) throws Exception {
        if (turn > 1) awaitGone(turn - 1);
        share(turn);
        streams(turn);
        leave(turn);
    }

    /**
     * Of what a share group is given, half is accepted and a quarter each rejected and released. What was released comes back
     * from whoever serves next, with the count of its deliveries one higher; the counts are kept in a topic of their own.
     */
    void share(int turn) throws Exception {
        swap.create("swap-shared", 1, Map.of());
        swap.create("swap-shared-released", 1, Map.of());
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, SHARE);
        admin.incrementalAlterConfigs(Map.of(group, List.of(Swap.set("share.auto.offset.reset", "earliest"), Swap.set("share.isolation.level", "read_committed")))).all().get();
        swap.produce("swap-shared", 1, "none", turn, SHARED, false);
        Map<Long, Integer> before = new HashMap<>(), released = new TreeMap<>();
        if (turn > 1) read("swap-shared-released", turn - 1).forEach((offset, count) -> before.put(Long.valueOf(offset), Integer.valueOf(count)));
        Set<Long> missing = LongStream.range((turn - 1L) * SHARED, (long) turn * SHARED).boxed().collect(Collectors.toCollection(TreeSet::new));
        missing.addAll(before.keySet());
        try (var consumer = new KafkaShareConsumer<>(consumer(SHARE, Map.of("share.acknowledgement.mode", "explicit")), new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("swap-shared"));
            long end = System.nanoTime() + 60_000_000_000L;
            while (!missing.isEmpty()) {
                if (System.nanoTime() > end) throw new AssertionError("the share group was not given " + missing);
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    int count = record.deliveryCount().orElseThrow();
                    Integer last = before.get(record.offset());
                    // What was acquired for a member and did not reach it before it went counts as a delivery too.
                    int least = last == null ? 1 : last + 1;
                    if (missing.remove(record.offset()) && (count < least || count > least + 2)) {
                        throw new AssertionError("offset " + record.offset() + " comes for the time " + count + ", after " + last);
                    }
                    boolean release = last == null && record.offset() % 4 == 0;
                    if (release) released.put(record.offset(), count);
                    consumer.acknowledge(record, release ? AcknowledgeType.RELEASE : record.offset() % 4 == 1 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
                }
                consumer.commitSync().forEach((partition, error) -> error.ifPresent(e -> { throw e; }));
            }
        }
        write("swap-shared-released", released.entrySet().stream().map(e -> new ProducerRecord<>("swap-shared-released", 0, e.getKey() + "/" + turn, e.getValue().toString())));
    }

    void write(String topic, Stream<ProducerRecord<String, String>> records) throws Exception {
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (var record : records.toList()) producer.send(record).get();
        }
    }

    /** What was written in a turn, under keys KEY/TURN. */
    Map<String, String> read(String topic, int turn) throws Exception {
        Map<String, String> found = new HashMap<>();
        TopicPartition p = new TopicPartition(topic, 0);
        try (var consumer = new KafkaConsumer<>(Map.<String, Object>of("bootstrap.servers", bootstrap), new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(p));
            consumer.seekToBeginning(List.of(p));
            long end = consumer.endOffsets(List.of(p)).get(p);
            while (consumer.position(p) < end) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    String[] key = record.key().split("/");
                    if (key[1].equals("" + turn)) found.put(key[0], record.value());
                }
            }
        }
        return found;
    }

    Map<String, Object> consumer(String group, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group));
        config.putAll(more);
        return config;
    }

    /** Words are counted exactly once, on from what was counted under the product before. */
    void streams(int turn) throws Exception {
        swap.create("swap-words", 2, Map.of());
        swap.create("swap-counted", 2, Map.of());
        write("swap-words", IntStream.range(0, WORDS * TIMES).mapToObj(i -> new ProducerRecord<>("swap-words", i % 2, "key-" + i, "word-" + i % WORDS)));
        var app = counter(STREAMS, "swap-words", "swap-counted");
        app.start();
        Map<String, Long> counted = new TreeMap<>(), expected = new TreeMap<>();
        for (int i = 0; i < WORDS; i++) expected.put("word-" + i, (long) TIMES * turn);
        try (var consumer = new KafkaConsumer<>(Map.<String, Object>of("bootstrap.servers", bootstrap, "isolation.level", "read_committed"), new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> all = List.of(new TopicPartition("swap-counted", 0), new TopicPartition("swap-counted", 1));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long end = System.nanoTime() + 120_000_000_000L;
            while (!counted.equals(expected)) {
                if (System.nanoTime() > end) throw new AssertionError("counted " + counted + ", not " + expected);
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    long now = Long.parseLong(record.value());
                    Long before = counted.put(record.key(), now);
                    if (now != (before == null ? 1 : before + 1)) throw new AssertionError(record.key() + " went from " + before + " to " + now);
                }
            }
        }
        app.close(Duration.ofSeconds(30));
    }

    /** An application of a streams group that counts each word. */
    KafkaStreams counter(String id, String from, String to) throws IOException {
        Properties config = new Properties();
        config.putAll(Map.of("bootstrap.servers", bootstrap, "application.id", id, "group.protocol", "streams", "processing.guarantee", "exactly_once_v2",
            "auto.offset.reset", "earliest", "commit.interval.ms", 200, "statestore.cache.max.bytes", 0, "state.dir", Files.createTempDirectory("swap").toString()));
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(from, Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((key, word) -> word, Grouped.with("by-word", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")).withKeySerde(Serdes.String()))
            .toStream().mapValues(String::valueOf)
            .to(to, Produced.with(Serdes.String(), Serdes.String()));
        return new KafkaStreams(builder.build(), config);
    }

    /** One group of each kind has a member when the node stops: the process ends, and nobody leaves. */
    void leave(int turn) throws Exception {
        swap.create("swap-idle", 2, Map.of());
        for (String protocol : List.of("classic", "consumer")) {
            Map<String, Object> more = new HashMap<>(Map.of("group.protocol", protocol, "client.id", "left", "enable.auto.commit", false));
            if (protocol.equals("classic")) more.put("session.timeout.ms", 60_000);
            var consumer = new KafkaConsumer<>(consumer(LEFT + protocol + "-" + turn, more), new StringDeserializer(), new StringDeserializer());
            consumer.subscribe(List.of("swap-idle"));
            long end = System.nanoTime() + 60_000_000_000L;
            while (consumer.assignment().size() < 2) {
                if (System.nanoTime() > end) throw new AssertionError(protocol + " assigns nothing");
                consumer.poll(Duration.ofMillis(200));
            }
            consumer.commitSync(Map.of(new TopicPartition("swap-idle", 1), new OffsetAndMetadata(0, "left in turn " + turn)));
        }
        var share = new KafkaShareConsumer<>(consumer(LEFT + "share-" + turn, Map.of("client.id", "left")), new StringDeserializer(), new StringDeserializer());
        share.subscribe(List.of("swap-idle"));
        var streams = counter(LEFT + "streams-" + turn, "swap-idle", "swap-idle-counted");
        streams.start();
        long end = System.nanoTime() + 60_000_000_000L;
        do {
            if (System.nanoTime() > end) throw new AssertionError("the groups that are left do not rest: " + said());
            share.poll(Duration.ofMillis(200));
        } while (!resting(turn));
    }

    boolean resting(int turn) throws Exception {
        String id = LEFT + "share-" + turn;
        if (admin.listGroups().all().get().stream().map(GroupListing::groupId).filter(Set.of(id, LEFT + "streams-" + turn)::contains).count() < 2) return false;
        var share = admin.describeShareGroups(List.of(id)).all().get().get(id);
        boolean shared = share.groupState() == GroupState.STABLE && share.members().stream().anyMatch(member -> member.assignment().topicPartitions().size() == 2);
        id = LEFT + "streams-" + turn;
        var streams = admin.describeStreamsGroups(List.of(id)).all().get().get(id);
        var tasks = streams.members().stream().flatMap(member -> member.assignment().activeTasks().stream()).flatMap(task -> task.partitions().stream()).count();
        return shared && streams.groupState() == GroupState.STABLE && tasks == 4;
    }

    /** Whoever serves now must find out by itself that the members it was left with are gone. */
    void awaitGone(int turn) throws Exception {
        long end = System.nanoTime() + 120_000_000_000L;
        while (true) {
            var left = admin.listGroups().all().get().stream()
                .filter(group -> group.groupId().startsWith(LEFT) && group.groupState().orElseThrow() != GroupState.EMPTY).toList();
            if (left.isEmpty()) return;
            if (System.nanoTime() > end) throw new AssertionError("members of turn " + turn + " stay for ever: " + left);
            Thread.sleep(500);
        }
    }

    /** What Apache Kafka's tools print, a fact a line. */
    List<String> said() throws Exception {
        List<String> lines = new ArrayList<>();
        say(lines, "groups", () -> GroupsCommand.main(with("--list")));
        for (String[] what : new String[][] {{"--offsets"}, {"--members", "--verbose"}, {"--state", "--verbose"}}) {
            String[] all = Stream.concat(Stream.of("--describe", "--all-groups"), Stream.of(what)).toArray(String[]::new);
            say(lines, "consumer-groups " + what[0], () -> ConsumerGroupCommand.main(with(all)));
            say(lines, "share-groups " + what[0], () -> ShareGroupCommand.main(with(all)));
            say(lines, "streams-groups " + what[0], () -> StreamsGroupCommand.main(with(all)));
        }
        say(lines, "transactions", () -> TransactionsCommand.main(with("list")));
        return lines;
    }

    String[] with(String... args) {
        return Stream.concat(Stream.of("--bootstrap-server", bootstrap), Stream.of(args)).toArray(String[]::new);
    }

    interface Tool {
        void run() throws Exception;
    }

    /** A tool ends its process. */
    static class Ended extends RuntimeException {}

    static void say(List<String> lines, String name, Tool tool) throws Exception {
        PrintStream out = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        System.setOut(new PrintStream(said, true));
        List<Integer> codes = new ArrayList<>(); // the first counts: a tool may take the end of its process for an error
        Exit.setExitProcedure((code, message) -> {
            codes.add(code);
            throw new Ended();
        });
        try {
            tool.run();
        } catch (Ended e) {
            if (codes.get(0) != 0) throw new AssertionError(name + " ends with " + codes + ": " + said);
        } finally {
            System.setOut(out);
        }
        said.toString().lines().filter(line -> !line.isBlank()).forEach(line -> lines.add("kafka-" + name + ": " + line.strip().replaceAll("\\s+", " ")));
    }
}
