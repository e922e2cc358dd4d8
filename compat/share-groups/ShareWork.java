import java.io.FileWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Jobs that a share group shares: ShareWork BOOTSTRAP setup QUEUES, produce JOBS, consume LOG, check FOLDER JOBS QUEUES SECONDS.
 *
 * What becomes of a job follows from its number's last digit: 7 is rejected; 3 is always given back; 5 is given back once; the
 * others are accepted. A log has a line for each job that came (`came`), each word on it that the node confirmed (`said`), and
 * each that it did not (`lost`): the node may have taken it or not.
 */
public class ShareWork {
    static final String TOPIC = "jobs", GROUP = "workers", QUEUE = "dlq.jobs";
    static final int PARTITIONS = 3, LIMIT = 5;
    static final Set<String> REASONS =
        Set.of("Offset rejected by client.", "Offset delivery count exceeded the threshold.");

    public static void main(String[] args) throws Exception {
        switch (args[1]) {
            case "setup" -> setup(args[0], args[2].equals("true"));
            case "produce" -> produce(args[0], Integer.parseInt(args[2]));
            case "consume" -> consume(args[0], args[2]);
            case "check" -> check(args[0], Path.of(args[2]), Integer.parseInt(args[3]), args[4].equals("true"),
                Integer.parseInt(args[5]));
            default -> throw new IllegalArgumentException(args[1]);
        }
    }

    static void setup(String bootstrap, boolean queues) throws Exception {
        var configs = new HashMap<>(Map.of("share.auto.offset.reset", "earliest", "share.delivery.count.limit", "" + LIMIT,
            "share.record.lock.duration.ms", "15000"));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all().get();
            if (queues) {
                var update = new FeatureUpdate((short) 2, FeatureUpdate.UpgradeType.UPGRADE);
                admin.updateFeatures(Map.of("share.version", update), new UpdateFeaturesOptions()).all().get();
                configs.put("errors.deadletterqueue.topic.name", QUEUE);
                configs.put("errors.deadletterqueue.copy.record.enable", "true");
            }
            Collection<AlterConfigOp> changes = new ArrayList<>();
            configs.forEach((key, value) -> changes.add(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
            admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, GROUP), changes)).all().get();
        }
    }

    /** Slowly, so that what happens meanwhile happens in the middle. */
    static void produce(String bootstrap, int jobs) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "linger.ms", 0, "delivery.timeout.ms", 300_000,
            "reconnect.backoff.max.ms", 500);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int n = 0; n < jobs; n++) {
                producer.send(new ProducerRecord<>(TOPIC, n % PARTITIONS, "key-" + n, "" + n));
                Thread.sleep(12);
            }
        }
    }

    static AcknowledgeType decide(int n, int deliveries) {
        return switch (n % 10) {
            case 3 -> AcknowledgeType.RELEASE;
            case 5 -> deliveries == 1 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT;
            case 7 -> AcknowledgeType.REJECT;
            default -> AcknowledgeType.ACCEPT;
        };
    }

    /** Works until it is killed. */
    static void consume(String bootstrap, String file) throws IOException {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", GROUP, "max.poll.records", 40,
            "share.acknowledgement.mode", "explicit", "reconnect.backoff.max.ms", 500, "request.timeout.ms", 10_000);
        try (var log = new PrintWriter(new FileWriter(file, true), true);
             var consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            while (true) {
                Map<Integer, List<String>> words = new HashMap<>();
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    int n = Integer.parseInt(record.value()), deliveries = record.deliveryCount().orElse((short) 0);
                    AcknowledgeType word = decide(n, deliveries);
                    log.println(System.currentTimeMillis() + " came " + n + " " + deliveries);
                    consumer.acknowledge(record, word);
                    words.computeIfAbsent(record.partition(), key -> new ArrayList<>()).add(n + " " + word.name());
                }
                if (words.isEmpty()) continue;
                Set<Integer> confirmed = new HashSet<>();
                try {
                    consumer.commitSync(Duration.ofSeconds(20)).forEach((partition, error) -> {
                        if (error.isEmpty()) confirmed.add(partition.partition());
                    });
                } catch (RuntimeException error) {
                    log.println(System.currentTimeMillis() + " error " + error);
                }
                long now = System.currentTimeMillis();
                words.forEach((partition, said) -> said.forEach(
                    word -> log.println(now + (confirmed.contains(partition) ? " said " : " lost ") + word)));
            }
        }
    }

    record Event(long at, String kind, int job, String what) {}

    static List<Event> events(Path folder) throws IOException {
        List<Event> events = new ArrayList<>();
        try (var files = Files.list(folder)) {
            for (Path file : files.filter(file -> file.toString().endsWith(".log")).toList()) {
                for (String line : Files.readAllLines(file)) {
                    String[] words = line.split(" ");
                    // A consumer that was killed may not have ended its last line.
                    if (words.length == 4 && !words[1].equals("error"))
                        events.add(new Event(Long.parseLong(words[0]), words[1], Integer.parseInt(words[2]), words[3]));
                }
            }
        }
        events.sort((one, other) -> Long.compare(one.at, other.at));
        return events;
    }

    static void check(String bootstrap, Path folder, int jobs, boolean queues, int seconds) throws Exception {
        awaitEnd(bootstrap, jobs, seconds);
        var events = events(folder);
        Map<Integer, Long> over = new HashMap<>();
        Set<Integer> seen = new HashSet<>(), accepted = new HashSet<>(), doubted = new HashSet<>();
        int deliveries = 0;
        for (Event event : events) {
            switch (event.kind) {
                case "came" -> {
                    deliveries++;
                    seen.add(event.job);
                    if (Integer.parseInt(event.what) > LIMIT) fail(event + " is beyond the limit");
                    if (over.containsKey(event.job)) fail(event + ", though it was over at " + over.get(event.job));
                }
                case "said" -> {
                    if (event.what.equals("ACCEPT")) accepted.add(event.job);
                    if (!event.what.equals("RELEASE")) over.put(event.job, event.at);
                }
                default -> doubted.add(event.job);
            }
        }
        Map<Integer, Integer> dead = queues ? deadLetters(bootstrap) : Map.of();
        for (int n = 0; n < jobs; n++) {
            boolean isBad = n % 10 == 3 || n % 10 == 7;
            if (!seen.contains(n)) fail(n + " never came");
            if (queues && isBad && !dead.containsKey(n)) fail(n + " is not in the dead-letter queue");
            if (!isBad && dead.containsKey(n)) fail(n + " is in the dead-letter queue");
            if (!isBad && !accepted.contains(n) && !doubted.contains(n)) fail(n + " was never accepted");
        }
        int letters = dead.values().stream().mapToInt(Integer::intValue).sum();
        System.out.println(jobs + " jobs, " + deliveries + " deliveries, " + accepted.size() + " accepted, "
            + doubted.size() + " with a word in doubt, " + dead.size() + " in the dead-letter queue, "
            + (letters - dead.size()) + " of them again");
    }

    static void fail(String why) {
        throw new AssertionError(why);
    }

    /** Waits until the group is done with every record. */
    static void awaitEnd(String bootstrap, int jobs, int seconds) throws Exception {
        Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
        for (int n = 0; n < PARTITIONS; n++) latest.put(new TopicPartition(TOPIC, n), OffsetSpec.latest());
        long deadline = System.currentTimeMillis() + seconds * 1000L;
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            long ends = admin.listOffsets(latest).all().get().values().stream().mapToLong(end -> end.offset()).sum();
            if (ends != jobs) fail("there are " + ends + " records");
            while (true) {
                var spec = Map.of(GROUP, new ListShareGroupOffsetsSpec());
                var offsets = admin.listShareGroupOffsets(spec).partitionsToOffsetInfo(GROUP).get();
                long done = offsets.values().stream().filter(info -> info != null && info.lag().orElse(-1L) == 0).count();
                if (done == PARTITIONS) return;
                if (System.currentTimeMillis() > deadline) fail("the group is not done: " + offsets);
                Thread.sleep(500);
            }
        }
    }

    /** Reads the dead-letter queue; tells how often each job is in it. */
    static Map<Integer, Integer> deadLetters(String bootstrap) throws Exception {
        Map<Integer, Integer> found = new HashMap<>();
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            var partitions = consumer.partitionsFor(QUEUE).stream().map(info -> new TopicPartition(QUEUE, info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    int n = Integer.parseInt(record.value());
                    checkLetter(record, n);
                    found.merge(n, 1, Integer::sum);
                }
            }
        }
        return found;
    }

    static void checkLetter(ConsumerRecord<String, String> record, int n) {
        Map<String, String> headers = new HashMap<>();
        for (Header header : record.headers()) headers.put(header.key(), new String(header.value(), StandardCharsets.UTF_8));
        var expected = new HashMap<>(Map.of("__dlq.errors.topic", TOPIC, "__dlq.errors.group", GROUP,
            "__dlq.errors.partition", "" + n % PARTITIONS, "__dlq.errors.offset", "" + n / PARTITIONS));
        String message = headers.remove("__dlq.errors.message"), count = headers.remove("__dlq.errors.delivery.count");
        if (!headers.equals(expected)) fail(n + " has headers " + headers);
        if (!REASONS.contains(message)) fail(n + " is dead because " + message);
        if (n % 10 == 3 && !count.equals("" + LIMIT)) fail(n + " was delivered " + count + " times");
        if (!("key-" + n).equals(record.key())) fail(n + " has the key " + record.key());
    }
}
