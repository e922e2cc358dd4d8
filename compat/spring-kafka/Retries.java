import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.DltHandler;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;

/** Records that fail go through topics that hold them back, each longer than the one before, while others pass. */
class Retries implements Part {
    private final Ledger tried = new Ledger();
    private final Ledger given = new Ledger();
    private final Map<String, Long> lastTry = new ConcurrentHashMap<>();
    private final Set<String> tooSoon = ConcurrentHashMap.newKeySet();
    private final Set<String> stormy = jobs("storm", 120);
    @Autowired private KafkaTemplate<String, String> template;

    @Bean
    KafkaAdmin.NewTopics jobTopics() {
        return new KafkaAdmin.NewTopics(TopicBuilder.name("jobs").partitions(2).build());
    }

    /** Its value tells how often a job fails: "name-7/2" twice. */
    @RetryableTopic(attempts = "4", backOff = @BackOff(delay = 300, multiplier = 2), numPartitions = "2", replicationFactor = "1")
    @KafkaListener(id = "jobs", topics = "jobs")
    void job(ConsumerRecord<String, String> record) {
        int time = tried.note(record.value());
        long now = System.currentTimeMillis();
        Long before = lastTry.put(record.value(), now);
        if (before != null && now - before < 300 << (time - 2)) {
            tooSoon.add(record.value() + " after " + (now - before) + " ms at try " + time);
        }
        if (time <= fails(record.value())) {
            throw new IllegalStateException("try " + time);
        }
    }

    @DltHandler
    void dead(ConsumerRecord<String, String> record) {
        given.note(record.value());
    }

    private static int fails(String job) {
        return Integer.parseInt(job.substring(job.indexOf('/') + 1));
    }

    /** Every other job fails, up to five times. */
    private static Set<String> jobs(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(n -> prefix + "-" + n + "/" + (n % 2 == 0 ? 0 : n % 6))
            .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<String> hopeless(Set<String> jobs) {
        return jobs.stream().filter(job -> fails(job) >= 4).collect(Collectors.toCollection(TreeSet::new));
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Suite.check("retry topics are there", () ->
            Topics.exist(Map.of("jobs-retry-300", 2, "jobs-retry-600", 2, "jobs-retry-1200", 2, "jobs-dlt", 2)));
        Set<String> jobs = jobs("job", 60);
        Suite.send(template, "jobs", jobs, 0);
        Suite.check("each job is tried as often as it should be, not too soon, and then given up", () -> {
            Map<String, Integer> wanted = new TreeMap<>();
            jobs.forEach(job -> wanted.put(job, Math.min(fails(job) + 1, 4)));
            Suite.awaitSame(60, wanted, tried::all, "tries");
            Suite.await(30, "all given up", () -> given.has(hopeless(jobs)));
            Suite.same(Suite.each(hopeless(jobs), 1), given.all(), "given up");
            Suite.same(Set.of(), tooSoon, "too soon");
        });
    }

    @Override
    public void work() throws Exception {
        Suite.send(template, "jobs", stormy, 120);
    }

    @Override
    public void judge() {
        Suite.check("jobs in retry topics are not lost when the node is killed", () -> {
            Set<String> failing = stormy.stream().filter(job -> fails(job) > 0 && fails(job) < 4).collect(Collectors.toSet());
            Suite.await(60, "every job", () -> tried.has(stormy));
            Suite.await(60, "every try", () -> failing.stream().allMatch(job -> tried.times(job) > fails(job)));
            Suite.await(60, "all that is hopeless was tried four times",
                () -> hopeless(stormy).stream().allMatch(job -> tried.times(job) >= 4));
            Suite.await(60, "what was given up", () -> given.has(hopeless(stormy)));
        });
    }
}
