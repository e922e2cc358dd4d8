import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.KafkaListenerEndpointRegistry;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.support.Acknowledgment;

/** Batches, and acknowledgments by hand: some of a batch, and records that are given back. */
class Batches implements Part {
    private static final int MANY = 400;
    private final Ledger batched = new Ledger();
    private final Ledger single = new Ledger();
    private final AtomicInteger largest = new AtomicInteger();
    private final Set<String> stormy = Suite.values("storm", MANY);
    @Autowired private KafkaTemplate<String, String> template;
    @Autowired private KafkaListenerEndpointRegistry registry;

    @Bean
    KafkaAdmin.NewTopics batchTopics() {
        return new KafkaAdmin.NewTopics(
            TopicBuilder.name("batched").partitions(3).build(), TopicBuilder.name("single").partitions(3).build());
    }

    /** A record whose number ends in 7 is given back once, with all that come after it. */
    @KafkaListener(id = "batched", topics = "batched", batch = "true", ackMode = "MANUAL", properties = "max.poll.records=50")
    void batch(List<ConsumerRecord<String, String>> records, Acknowledgment acknowledgment) {
        largest.accumulateAndGet(records.size(), Math::max);
        for (int index = 0; index < records.size(); index++) {
            if (batched.note(records.get(index)) == 1 && records.get(index).value().endsWith("7")) {
                acknowledgment.nack(index, Duration.ofMillis(20));
                return;
            }
        }
        acknowledgment.acknowledge();
    }

    /** Likewise, one record after the other. */
    @KafkaListener(id = "single", topics = "single", ackMode = "MANUAL_IMMEDIATE")
    void one(ConsumerRecord<String, String> record, Acknowledgment acknowledgment) {
        if (single.note(record) == 1 && record.value().endsWith("7")) {
            acknowledgment.nack(Duration.ofMillis(20));
        } else {
            acknowledgment.acknowledge();
        }
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Set<String> values = Suite.values("item", MANY);
        registry.getListenerContainer("batched").stop();
        Suite.send(template, "batched", values, 0);
        Suite.send(template, "single", values, 0);
        registry.getListenerContainer("batched").start();
        Suite.check("batches: what is given back comes again, nothing else", () -> {
            judge(batched, values, "batched");
            Suite.same(true, largest.get() > 10, "a batch is a batch: the largest had " + largest);
        });
        Suite.check("acknowledged one by one: what is given back comes again, nothing else", () -> judge(single, values, "single"));
    }

    private void judge(Ledger ledger, Set<String> values, String name) throws Exception {
        var wanted = Suite.each(values, 1);
        wanted.replaceAll((value, times) -> value.endsWith("7") ? 2 : 1);
        Suite.awaitSame(60, wanted, ledger::all, "times");
        awaitCommits(name);
    }

    private static void awaitCommits(String name) throws Exception {
        Suite.await(30, "all committed", () -> {
            try {
                return Suite.ends(name).equals(Suite.committed(name, name));
            } catch (Exception error) {
                return false;
            }
        });
    }

    @Override
    public void work() throws Exception {
        for (String value : stormy) {
            Suite.send(template, "batched", Set.of(value), 0);
            Suite.send(template, "single", Set.of(value), 0);
            Thread.sleep(10);
        }
    }

    @Override
    public void judge() {
        Suite.check("batches and acknowledgments by hand miss nothing while the node is killed", () -> {
            Suite.await(60, "all batched", () -> batched.has(stormy));
            Suite.await(60, "all single", () -> single.has(stormy));
            awaitCommits("batched");
            awaitCommits("single");
        });
    }
}
