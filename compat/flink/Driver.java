import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What is beside the job: Driver BOOTSTRAP create, produce PER_KEY, counts PER_KEY, windows PER_KEY, settled, group PER_PARTITION. */
public class Driver {
    static final int PARTITIONS = 4;
    static final int KEYS = 20;
    static final int APART = 10;

    public static void main(String[] args) throws Exception {
        int number = args.length > 2 ? Integer.parseInt(args[2]) : 0;
        switch (args[1]) {
            case "create" -> create(args[0]);
            case "produce" -> produce(args[0], number);
            case "counts" -> counts(args[0], number);
            case "windows" -> windows(args[0], number);
            case "settled" -> settled(args[0]);
            case "group" -> group(args[0], number);
            default -> throw new IllegalArgumentException(args[1]);
        }
    }

    static void create(String bootstrap) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            // What the job writes bears the times of events, which are of 1970.
            var forever = Map.of("retention.ms", "-1");
            admin.createTopics(List.of(new NewTopic("events", PARTITIONS, (short) 1),
                new NewTopic("counts", 3, (short) 1).configs(forever), new NewTopic("windows", 3, (short) 1).configs(forever))).all().get();
        }
    }

    /** Slowly, so that what happens meanwhile happens in the middle: an event of each key, and so on. */
    static void produce(String bootstrap, int perKey) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "delivery.timeout.ms", 300_000);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int n = 0; n < perKey; n++) {
                for (int key = 0; key < KEYS; key++) {
                    producer.send(new ProducerRecord<>("events", key % PARTITIONS, "k" + key, "k" + key + "," + n + "," + n * APART));
                }
                Thread.sleep(50);
            }
        }
    }

    static KafkaConsumer<String, String> consumer(String bootstrap) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed");
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static List<TopicPartition> assign(KafkaConsumer<?, ?> consumer, String topic) {
        var partitions = consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
        consumer.assign(partitions);
        return partitions;
    }

    static List<ConsumerRecord<String, String>> read(String bootstrap, String topic) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (var consumer = consumer(bootstrap)) {
            var partitions = assign(consumer, topic);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            long deadline = System.currentTimeMillis() + 60_000;
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
                if (System.currentTimeMillis() > deadline) {
                    throw new AssertionError("the end of " + topic + " is not reached");
                }
            }
        }
        return records;
    }

    /** Waits until so many counts are committed, or the job has ended. */
    static void awaitCounts(String bootstrap, int wanted, BooleanSupplier ended) {
        try (var consumer = consumer(bootstrap)) {
            consumer.seekToBeginning(assign(consumer, "counts"));
            for (int found = 0; found < wanted; found += consumer.poll(Duration.ofMillis(200)).count()) {
                if (ended.getAsBoolean()) {
                    throw new IllegalStateException("the job has ended");
                }
            }
        }
    }

    /** Each key is counted from one on, without a gap, and nothing is counted twice. */
    static void counts(String bootstrap, int perKey) {
        Map<String, Long> last = new TreeMap<>();
        for (var record : read(bootstrap, "counts")) {
            long count = Long.parseLong(record.value().substring(record.value().indexOf('=') + 1));
            long before = last.getOrDefault(record.key(), 0L);
            if (count != before + 1) {
                throw new AssertionError(record.key() + " went from " + before + " to " + count + " at " + record.partition() + "/" + record.offset());
            }
            last.put(record.key(), count);
        }
        Map<String, Long> wanted = new TreeMap<>();
        for (int key = 0; key < KEYS; key++) {
            wanted.put("k" + key, (long) perKey);
        }
        if (!last.equals(wanted)) {
            throw new AssertionError("counted " + last);
        }
    }

    static void windows(String bootstrap, int perKey) {
        Map<String, Integer> wanted = new HashMap<>();
        for (int n = 0; n < perKey; n++) {
            for (int key = 0; key < KEYS; key++) {
                wanted.merge("k" + key + "@" + n * APART / 1000 * 1000, 1, Integer::sum);
            }
        }
        Map<String, Integer> found = new HashMap<>();
        for (var record : read(bootstrap, "windows")) {
            String[] parts = record.value().split("=");
            if (found.put(parts[0], Integer.parseInt(parts[1])) != null) {
                throw new AssertionError(parts[0] + " is there twice");
            }
        }
        if (!found.equals(wanted)) {
            throw new AssertionError(found.size() + " windows of " + wanted.size());
        }
    }

    /** No transaction is open, and readers of committed records see the end of each log. */
    static void settled(String bootstrap) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap)); var consumer = consumer(bootstrap)) {
            var open = new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING, TransactionState.PREPARE_COMMIT));
            var listed = admin.listTransactions(open).all().get();
            if (!listed.isEmpty()) {
                throw new AssertionError("open: " + listed);
            }
            for (String topic : List.of("counts", "windows")) {
                var partitions = assign(consumer, topic);
                Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
                partitions.forEach(partition -> latest.put(partition, OffsetSpec.latest()));
                var stable = consumer.endOffsets(partitions);
                admin.listOffsets(latest).all().get().forEach((partition, end) -> {
                    if (end.offset() != stable.get(partition)) {
                        throw new AssertionError(partition + " ends at " + end.offset() + ", is stable up to " + stable.get(partition));
                    }
                });
            }
        }
    }

    /** The source told its group how far it came. */
    static void group(String bootstrap, int perPartition) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var offsets = admin.listConsumerGroupOffsets("counting").partitionsToOffsetAndMetadata().get();
            boolean right = offsets.size() == PARTITIONS
                && offsets.values().stream().allMatch(offset -> offset.offset() > 0 && offset.offset() <= perPartition);
            if (!right) {
                throw new AssertionError(offsets.toString());
            }
        }
    }
}
