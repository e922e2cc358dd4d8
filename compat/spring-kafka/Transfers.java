import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultAfterRollbackProcessor;
import org.springframework.kafka.transaction.KafkaTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;
import org.springframework.util.backoff.FixedBackOff;

/** Transactions: records that are read, changed and written exactly once, and what is rolled back is never seen. */
class Transfers implements Part {
    private final Ledger tried = new Ledger();
    private final Set<String> values = Suite.values("sum", 200);
    private final Set<String> stormy = Suite.values("storm", 500);
    @Autowired private KafkaTemplate<String, String> template;
    @Autowired @Qualifier("transactional") private KafkaTemplate<String, String> transactional;

    /** Not a bean by type, for all other templates are to have the other factory. */
    private static DefaultKafkaProducerFactory<String, String> factory() {
        Map<String, Object> config = new HashMap<>(Application.producing());
        config.put("transaction.timeout.ms", 30_000);
        var factory = new DefaultKafkaProducerFactory<String, String>(config);
        factory.setTransactionIdPrefix("transfers-");
        return factory;
    }

    @Bean
    KafkaAdmin.NewTopics transferTopics() {
        return new KafkaAdmin.NewTopics(
            TopicBuilder.name("deposits").partitions(3).build(), TopicBuilder.name("deposits-dlt").partitions(3).build(),
            TopicBuilder.name("payments").partitions(3).build(), TopicBuilder.name("bulk").partitions(2).build(),
            TopicBuilder.name("booked").partitions(3).build(), TopicBuilder.name("aside").partitions(1).build());
    }

    @Bean
    KafkaTemplate<String, String> transactional() {
        return new KafkaTemplate<>(factory());
    }

    @Bean
    KafkaTransactionManager<String, String> manager(@Qualifier("transactional") KafkaTemplate<String, String> transactional) {
        return new KafkaTransactionManager<>(transactional.getProducerFactory());
    }

    @Bean
    ConcurrentKafkaListenerContainerFactory<String, String> exactlyOnce(
            KafkaTransactionManager<String, String> manager, @Qualifier("transactional") KafkaTemplate<String, String> transactional) {
        var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
        factory.setConsumerFactory(new DefaultKafkaConsumerFactory<>(Application.consuming("read_committed")));
        factory.getContainerProperties().setKafkaAwareTransactionManager(manager);
        factory.setAfterRollbackProcessor(new DefaultAfterRollbackProcessor<>(
            new DeadLetterPublishingRecoverer(transactional), new FixedBackOff(50, 3), transactional, true));
        return factory;
    }

    /** Numbers that end in 7 fail after they were written once, those in 99 always. */
    @KafkaListener(id = "deposits", topics = "deposits", containerFactory = "exactlyOnce", concurrency = "3")
    void deposit(ConsumerRecord<String, String> record) {
        transactional.send("payments", record.key(), "paid " + record.value());
        transactional.send("booked", record.key(), "booked " + record.value());
        int time = tried.note(record);
        if (record.value().endsWith("99") || record.value().endsWith("7") && time == 1) {
            transactional.flush();
            throw new IllegalStateException("try " + time + " of " + record.value());
        }
    }

    @KafkaListener(id = "payments", topics = "payments", containerFactory = "exactlyOnce", batch = "true")
    void payments(List<ConsumerRecord<String, String>> records) {
        records.forEach(record -> transactional.send("bulk", record.key(), "bulk " + record.value()));
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Suite.send(template, "deposits", values, 0);
        Suite.check("read, changed, written: exactly once, what failed was rolled back", () -> {
            awaitAndJudge(values);
            Suite.same(true, Suite.counted(Suite.read("payments", "read_uncommitted")).get("paid sum-7") > 1, "it was written twice");
            Suite.same(4, tried.times("sum-99"), "tries of what is hopeless");
        });
        Suite.check("transactions of a template and of a manager", () -> alone(application));
    }

    private void awaitAndJudge(Set<String> sums) throws Exception {
        Map<String, Integer> wanted = new TreeMap<>();
        Set<String> hopeless = new TreeSet<>();
        for (String value : sums) {
            if (value.endsWith("99")) {
                hopeless.add(value);
            } else {
                wanted.put(value, 1);
            }
        }
        String prefix = sums.iterator().next().replaceAll("-.*", "-");
        judge("booked", "booked ", prefix, wanted);
        judge("payments", "paid ", prefix, wanted);
        judge("bulk", "bulk paid ", prefix, wanted);
        judge("deposits-dlt", "", prefix, Suite.each(hopeless, 1));
        Suite.await(60, "all offsets committed", () -> {
            try {
                var ends = Suite.ends("deposits");
                var committed = Suite.committed("deposits", "deposits");
                return ends.entrySet().stream().allMatch(end -> end.getValue().equals(committed.get(end.getKey())));
            } catch (Exception error) {
                return false;
            }
        });
    }

    private static void judge(String topic, String before, String prefix, Map<String, Integer> wanted) throws Exception {
        Suite.await(90, "all of " + topic, () -> found(topic, before + prefix).size() >= wanted.size());
        Thread.sleep(500);
        Map<String, Integer> named = new TreeMap<>();
        wanted.forEach((value, times) -> named.put(before + value, times));
        Suite.same(named, found(topic, before + prefix), topic);
    }

    private static Map<String, Integer> found(String topic, String prefix) {
        try {
            Map<String, Integer> counted = Suite.counted(Suite.read(topic, "read_committed"));
            counted.keySet().removeIf(value -> !value.startsWith(prefix));
            return counted;
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private void alone(ApplicationContext application) throws Exception {
        transactional.executeInTransaction(operations -> operations.send("aside", "kept 1"));
        try {
            transactional.executeInTransaction(operations -> {
                operations.send("aside", "dropped 1");
                operations.flush();
                throw new IllegalStateException("on purpose");
            });
        } catch (IllegalStateException wanted) {
            // That is how it is rolled back.
        }
        var inTransaction = new TransactionTemplate(application.getBean(KafkaTransactionManager.class));
        inTransaction.executeWithoutResult(status -> transactional.send("aside", "kept 2"));
        inTransaction.executeWithoutResult(status -> {
            transactional.send("aside", "dropped 2");
            transactional.flush();
            status.setRollbackOnly();
        });
        Suite.same(Map.of("kept 1", 1, "kept 2", 1), Suite.counted(Suite.read("aside", "read_committed")), "committed");
        Suite.same(Map.of("kept 1", 1, "dropped 1", 1, "kept 2", 1, "dropped 2", 1),
            Suite.counted(Suite.read("aside", "read_uncommitted")), "all");
    }

    @Override
    public void work() throws Exception {
        Suite.send(template, "deposits", stormy, 30);
    }

    @Override
    public void judge() {
        Suite.check("exactly once, also when the node is killed", () -> awaitAndJudge(stormy));
    }
}
