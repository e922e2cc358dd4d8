import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.BatchListenerFailedException;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.util.backoff.FixedBackOff;

/** Records that a listener cannot take: tried three times, then published to a dead-letter topic that says why. */
class Failures implements Part {
    private final Ledger tried = new Ledger();
    private final Ledger batched = new Ledger();
    private final Ledger numbers = new Ledger();
    private final Set<String> stormy = Suite.values("storm", 300);
    @Autowired private KafkaTemplate<String, String> template;

    @Bean
    KafkaAdmin.NewTopics failureTopics() {
        var names = List.of("fragile", "fragile-dlt", "fragile-batch", "fragile-batch-dlt", "numbers", "numbers-dlt");
        return new KafkaAdmin.NewTopics(
            names.stream().map(name -> TopicBuilder.name(name).partitions(3).build()).toArray(NewTopic[]::new));
    }

    @Bean
    ConcurrentKafkaListenerContainerFactory<String, String> deadLettering(
            ConsumerFactory<String, String> consumerFactory, KafkaTemplate<String, String> kafkaTemplate) {
        var factory = new ConcurrentKafkaListenerContainerFactory<String, String>();
        factory.setConsumerFactory(consumerFactory);
        var bytes = new KafkaTemplate<String, byte[]>(
            new DefaultKafkaProducerFactory<>(Application.producing(), new StringSerializer(), new ByteArraySerializer()));
        Map<Class<?>, KafkaTemplate<String, ?>> templates = new LinkedHashMap<>();
        templates.put(String.class, kafkaTemplate);
        templates.put(byte[].class, bytes);
        var handler = new DefaultErrorHandler(new DeadLetterPublishingRecoverer(templates), new FixedBackOff(50, 2));
        handler.addNotRetryableExceptions(UnsupportedOperationException.class);
        factory.setCommonErrorHandler(handler);
        return factory;
    }

    /** Numbers that end in 3 fail always, in 5 once, and in 8 in a way that is not worth another try. */
    private static void fail(String value, int time) {
        if (value.endsWith("3") || value.endsWith("5") && time == 1) {
            throw new IllegalStateException("cannot take " + value);
        }
        if (value.endsWith("8")) {
            throw new UnsupportedOperationException("will not take " + value);
        }
    }

    private static int tries(String value) {
        return value.endsWith("3") ? 3 : value.endsWith("5") ? 2 : 1;
    }

    @KafkaListener(id = "fragile", topics = "fragile", containerFactory = "deadLettering", concurrency = "3")
    void one(ConsumerRecord<String, String> record) {
        fail(record.value(), tried.note(record));
    }

    @KafkaListener(id = "fragile-batch", topics = "fragile-batch", containerFactory = "deadLettering", batch = "true")
    void batch(List<ConsumerRecord<String, String>> records) {
        for (int index = 0; index < records.size(); index++) {
            try {
                fail(records.get(index).value(), batched.note(records.get(index)));
            } catch (IllegalStateException | UnsupportedOperationException failure) {
                throw new BatchListenerFailedException(failure.getMessage(), failure, index);
            }
        }
    }

    @KafkaListener(id = "numbers", topics = "numbers", containerFactory = "deadLettering", properties = {
        "value.deserializer=org.springframework.kafka.support.serializer.ErrorHandlingDeserializer",
        "spring.deserializer.value.delegate.class=org.apache.kafka.common.serialization.IntegerDeserializer"})
    void number(ConsumerRecord<String, Integer> record) {
        numbers.note(record);
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Set<String> values = Suite.values("piece", 100);
        Suite.send(template, "fragile", values, 0);
        Suite.send(template, "fragile-batch", values, 0);
        Suite.check("records that fail are tried again, and at last are dead letters", () -> judgeLetters(tried, values, "fragile"));
        Suite.check("so are records of a batch", () -> judgeLetters(batched, values, "fragile-batch"));
        Suite.check("dead letters say where they come from and why", this::headers);
        Suite.check("what cannot be read is a dead letter at once", this::unreadable);
    }

    private static Set<String> hopeless(Set<String> values) {
        Set<String> hopeless = new TreeSet<>(values);
        hopeless.removeIf(value -> !value.endsWith("3") && !value.endsWith("8"));
        return hopeless;
    }

    private static void judgeLetters(Ledger ledger, Set<String> values, String topic) throws Exception {
        Map<String, Integer> wanted = new TreeMap<>();
        values.forEach(value -> wanted.put(value, tries(value)));
        Suite.awaitSame(60, wanted, ledger::all, "tries");
        Suite.awaitSame(30, Suite.each(hopeless(values), 1), () -> letters(topic), "dead letters");
    }

    private static Map<String, Integer> letters(String topic) {
        try {
            return Suite.counted(Suite.read(topic + "-dlt", "read_uncommitted"));
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        return new String(record.headers().lastHeader(name).value());
    }

    private void headers() throws Exception {
        for (var letter : Suite.read("fragile-dlt", "read_uncommitted")) {
            boolean forgiven = letter.value().endsWith("3");
            Class<?> why = forgiven ? IllegalStateException.class : UnsupportedOperationException.class;
            Suite.same(why.getName(), header(letter, "kafka_dlt-exception-cause-fqcn"), "why");
            Suite.same("fragile", header(letter, "kafka_dlt-original-topic"), "topic");
            Suite.same("fragile", header(letter, "kafka_dlt-original-consumer-group"), "group");
            int partition = ByteBuffer.wrap(letter.headers().lastHeader("kafka_dlt-original-partition").value()).getInt();
            Suite.same(letter.partition(), partition, "partition");
        }
    }

    private void unreadable() throws Exception {
        template.send("numbers", "whole", "\0\0\0\7").get();
        template.send("numbers", "broken", "not four bytes").get();
        Suite.await(30, "the number", () -> numbers.times("7") == 1);
        Suite.awaitSame(30, Map.of("not four bytes", 1), () -> letters("numbers"), "dead letters");
    }

    @Override
    public void work() throws Exception {
        Suite.send(template, "fragile", stormy, 45);
    }

    @Override
    public void judge() {
        Suite.check("no dead letter is missing when the node was killed, and none is there without a reason", () -> {
            Suite.await(60, "every record", () -> tried.has(stormy));
            Suite.awaitSame(60, hopeless(stormy), () -> {
                Set<String> found = new TreeSet<>(letters("fragile").keySet());
                found.removeIf(value -> !value.startsWith("storm"));
                return found;
            }, "dead letters");
        });
    }
}
