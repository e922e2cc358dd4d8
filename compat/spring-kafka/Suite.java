import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.kafka.core.KafkaTemplate;

/**
 * The checks: Suite BOOTSTRAP CRASH, where CRASH is a script that kills the node and starts it again. First each part of the
 * application alone, then all of them while the node is killed.
 */
public class Suite {
    static int passed;
    static int failed;
    static Admin admin;
    private static String crashScript;

    interface Story {
        void tell() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        Application.bootstrap = args[0];
        crashScript = args[1];
        admin = Admin.create(Map.of("bootstrap.servers", args[0]));
        String stories = System.getenv().getOrDefault("STORIES", "calm storm");
        if (stories.contains("calm")) {
            check("topics are created, grown, changed and deleted by KafkaAdmin", Topics::tell);
        }
        try (var application = new AnnotationConfigApplicationContext(Application.class)) {
            List<Part> parts = new ArrayList<>(application.getBeansOfType(Part.class).values());
            for (Part part : stories.contains("calm") ? parts : List.<Part>of()) {
                part.calm(application);
            }
            if (stories.contains("storm")) {
                storm(parts);
            }
        }
        admin.close(Duration.ofSeconds(5));
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    /** Every part works at once, and the node is killed three times meanwhile. */
    private static void storm(List<Part> parts) throws Exception {
        List<Thread> working = new ArrayList<>();
        for (Part part : parts) {
            Thread thread = new Thread(() -> {
                try {
                    part.work();
                } catch (Exception error) {
                    error.printStackTrace();
                }
            });
            thread.start();
            working.add(thread);
        }
        for (int kill = 0; kill < 3; kill++) {
            Thread.sleep(4000);
            crash();
        }
        for (Thread thread : working) {
            thread.join();
        }
        for (Part part : parts) {
            part.judge();
        }
    }

    private static void crash() throws Exception {
        Process process = new ProcessBuilder("bash", crashScript).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IllegalStateException("the node did not start again: " + said);
        }
    }

    static void check(String name, Story story) {
        try {
            story.tell();
            passed++;
            System.out.println("ok spring-kafka: " + name);
        } catch (Throwable why) {
            failed++;
            System.out.println("FAIL spring-kafka: " + name + ": " + why);
            why.printStackTrace();
        }
    }

    static void same(Object wanted, Object found, String what) {
        if (!Objects.equals(wanted, found)) {
            throw new AssertionError(what + ": wanted " + brief(wanted) + ", found " + brief(found) + differ(wanted, found));
        }
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() < 300 ? text : text.substring(0, 300) + "…";
    }

    private static String differ(Object wanted, Object found) {
        if (!(wanted instanceof Map<?, ?> left && found instanceof Map<?, ?> right)) {
            return "";
        }
        Map<Object, Object> unlike = new HashMap<>();
        left.forEach((key, value) -> {
            if (!value.equals(right.get(key))) {
                unlike.put(key, value + " is " + right.get(key));
            }
        });
        right.keySet().stream().filter(key -> !left.containsKey(key)).forEach(key -> unlike.put(key, "not wanted"));
        return "; the difference: " + brief(unlike);
    }

    static void await(int seconds, String what, BooleanSupplier done) throws InterruptedException {
        long deadline = System.currentTimeMillis() + seconds * 1000L;
        while (!done.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) {
                throw new AssertionError("in " + seconds + " s not: " + what);
            }
            Thread.sleep(50);
        }
    }

    /** Waits until it is found as wanted. */
    static void awaitSame(int seconds, Object wanted, Supplier<?> found, String what) throws InterruptedException {
        long deadline = System.currentTimeMillis() + seconds * 1000L;
        while (!wanted.equals(found.get()) && System.currentTimeMillis() < deadline) {
            Thread.sleep(50);
        }
        same(wanted, found.get(), what + " after " + seconds + " s");
    }

    /** PREFIX-0 and so on. */
    static Set<String> values(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(n -> prefix + "-" + n).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Each of them so many times. */
    static Map<String, Integer> each(Set<String> values, int times) {
        return values.stream().collect(Collectors.toMap(value -> value, value -> times, (a, b) -> a, TreeMap::new));
    }

    /** Sends each value under itself as key, some milliseconds apart, and waits until all are acknowledged. */
    static void send(KafkaTemplate<String, String> template, String topic, Set<String> values, int apart) throws Exception {
        List<CompletableFuture<?>> sent = new ArrayList<>();
        for (String value : values) {
            sent.add(template.send(topic, value, value));
            if (apart > 0) {
                Thread.sleep(apart);
            }
        }
        CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)).get(200, TimeUnit.SECONDS);
    }

    static List<TopicPartition> partitions(String topic) throws Exception {
        var description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        return description.partitions().stream().map(partition -> new TopicPartition(topic, partition.partition())).toList();
    }

    static Map<TopicPartition, Long> ends(String topic) throws Exception {
        var asked = partitions(topic).stream().collect(Collectors.toMap(partition -> partition, partition -> OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(asked).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
        return ends;
    }

    static Map<TopicPartition, Long> committed(String group, String topic) throws Exception {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) -> {
            if (partition.topic().equals(topic)) {
                offsets.put(partition, offset.offset());
            }
        });
        return offsets;
    }

    /** All that is in a topic now. */
    static List<ConsumerRecord<String, String>> read(String topic, String isolation) throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (var consumer = new KafkaConsumer<String, String>(Application.consuming(isolation))) {
            List<TopicPartition> partitions = partitions(topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.currentTimeMillis() + 30_000;
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                if (System.currentTimeMillis() > deadline) {
                    throw new AssertionError(topic + " cannot be read to its end");
                }
            }
        }
        return records;
    }

    static Map<String, Integer> counted(List<ConsumerRecord<String, String>> records) {
        return records.stream().collect(Collectors.toMap(ConsumerRecord::value, record -> 1, Integer::sum, TreeMap::new));
    }
}
