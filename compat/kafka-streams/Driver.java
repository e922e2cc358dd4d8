import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What is beside the application: Driver BOOTSTRAP create PARTITIONS TOPIC..., produce TOPIC LINES, await TOPIC LINES SECONDS, group ID MEMBERS.
 * A line is "the quick brown fox jumps over the lazy dog".
 */
public class Driver {
    static final String LINE = "the quick brown fox jumps over the lazy dog";

    public static void main(String[] args) throws Exception {
        switch (args[1]) {
            case "create" -> create(args[0], Integer.parseInt(args[2]), List.of(args).subList(3, args.length));
            case "produce" -> produce(args[0], args[2], Integer.parseInt(args[3]));
            case "await" -> await(args[0], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
            case "group" -> group(args[0], args[2], Integer.parseInt(args[3]));
            default -> throw new IllegalArgumentException(args[1]);
        }
    }

    static void create(String bootstrap, int partitions, List<String> topics) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(topics.stream().map(topic -> new NewTopic(topic, partitions, (short) 1)).toList()).all().get();
        }
    }

    /** Slowly, so that what happens meanwhile happens in the middle. */
    static void produce(String bootstrap, String topic, int lines) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", 0, "delivery.timeout.ms", 300_000);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int n = 0; n < lines; n++) {
                producer.send(new ProducerRecord<>(topic, "key-" + n, LINE));
                Thread.sleep(20);
            }
        }
    }

    /** Waits until each word was counted in all lines, and then some, for nothing may be counted twice. */
    static void await(String bootstrap, String topic, int lines, int seconds) throws Exception {
        Map<String, Long> expected = List.of(LINE.split(" ")).stream()
            .collect(Collectors.groupingBy(word -> word, Collectors.summingLong(word -> lines)));
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed");
        Map<String, Long> counted = new HashMap<>();
        long deadline = System.currentTimeMillis() + seconds * 1000L;
        long settled = Long.MAX_VALUE;
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer())) {
            var partitions = List.of(0, 1, 2).stream().map(n -> new TopicPartition(topic, n)).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (System.currentTimeMillis() < Math.min(deadline, settled)) {
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
                    Long before = counted.put(record.key(), record.value());
                    if (before != null && record.value() <= before) {
                        throw new AssertionError(record.key() + " went from " + before + " to " + record.value());
                    }
                }
                if (counted.equals(expected) && settled == Long.MAX_VALUE) {
                    settled = System.currentTimeMillis() + 3000;
                }
            }
        }
        if (!counted.equals(expected)) {
            throw new AssertionError("counted " + counted + " of " + expected);
        }
    }

    /** The group is a streams group, with that many members, and at rest. */
    static void group(String bootstrap, String id, int members) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        String last = "";
        try (Admin admin = Admin.create(config)) {
            for (int tries = 0; tries < 120; tries++, Thread.sleep(500)) {
                var group = admin.describeStreamsGroups(List.of(id)).all().get().get(id);
                last = group.groupState() + " with " + group.members().size() + " members, " + group.subtopologies().size() + " subtopologies";
                boolean resting = group.groupState() == org.apache.kafka.common.GroupState.STABLE;
                if (resting && group.members().size() == members && group.subtopologies().size() == 2) {
                    return;
                }
            }
        }
        throw new AssertionError(last);
    }
}
