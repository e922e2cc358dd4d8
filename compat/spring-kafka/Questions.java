import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.requestreply.KafkaReplyTimeoutException;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;
import org.springframework.kafka.requestreply.RequestReplyFuture;
import org.springframework.messaging.handler.annotation.SendTo;

/** Requests, each with the reply that belongs to it. */
class Questions implements Part {
    private final Map<String, String> stormy = new TreeMap<>();
    @Autowired private ReplyingKafkaTemplate<String, String, String> asking;

    @Bean
    KafkaAdmin.NewTopics questionTopics() {
        return new KafkaAdmin.NewTopics(
            TopicBuilder.name("questions").partitions(3).build(), TopicBuilder.name("answers").partitions(3).build(),
            TopicBuilder.name("unheard").partitions(1).build());
    }

    @Bean
    ReplyingKafkaTemplate<String, String, String> asking(ProducerFactory<String, String> producerFactory,
            ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory) {
        var replies = kafkaListenerContainerFactory.createContainer("answers");
        replies.getContainerProperties().setGroupId("askers");
        var asking = new ReplyingKafkaTemplate<String, String, String>(producerFactory, replies);
        asking.setDefaultReplyTimeout(Duration.ofSeconds(120));
        return asking;
    }

    @KafkaListener(id = "answering", topics = "questions", concurrency = "3")
    @SendTo
    String answer(String question) {
        return "answer to " + question;
    }

    @Override
    public void calm(ApplicationContext application) {
        Suite.check("each request gets its reply", () -> {
            Suite.same(true, asking.waitForAssignment(Duration.ofSeconds(30)), "replies can come");
            var asked = new ArrayList<>(List.of(ask("question 0")));
            for (int n = 1; n < 200; n++) {
                asked.add(ask("question " + n));
            }
            for (int n = 0; n < 200; n++) {
                Suite.same("answer to question " + n, asked.get(n).get(30, TimeUnit.SECONDS).value(), "reply");
            }
        });
        Suite.check("a request that nobody hears times out", () -> {
            var unheard = asking.sendAndReceive(new ProducerRecord<>("unheard", "hello"), Duration.ofMillis(800));
            try {
                unheard.get(10, TimeUnit.SECONDS);
                throw new AssertionError("somebody replied");
            } catch (ExecutionException late) {
                Suite.same(KafkaReplyTimeoutException.class, late.getCause().getClass(), "why");
            }
        });
    }

    private RequestReplyFuture<String, String, String> ask(String question) {
        return asking.sendAndReceive(new ProducerRecord<>("questions", question, question));
    }

    @Override
    public void work() throws Exception {
        for (int n = 0; n < 150; n++) {
            String question = "storm " + n;
            stormy.put(question, ask(question).get(120, TimeUnit.SECONDS).value());
            Thread.sleep(80);
        }
    }

    @Override
    public void judge() {
        Suite.check("requests get their replies while the node is killed", () -> {
            Suite.same(150, stormy.size(), "replies");
            stormy.forEach((question, reply) -> Suite.same("answer to " + question, reply, "reply"));
        });
    }
}
