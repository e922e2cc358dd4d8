import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.GroupState;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.config.KafkaListenerEndpointRegistry;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.AbstractConsumerSeekAware;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.MessageListener;

/** Listeners of three threads on six partitions, in a classic group and in a consumer group. */
class Orders implements Part {
    private static final String TOPIC = "orders";
    private static final int MANY = 900;
    private static final List<String> PROTOCOLS = List.of("classic", "consumer");
    private static final Map<String, Ledger> SEEN = Map.of("classic", new Ledger(), "consumer", new Ledger());
    private final Ledger matched = new Ledger();
    private final Set<String> stormy = Suite.values("storm", MANY);
    @Autowired private KafkaTemplate<String, String> template;
    @Autowired private KafkaListenerEndpointRegistry registry;
    @Autowired private ConcurrentKafkaListenerContainerFactory<String, String> kafkaListenerContainerFactory;

    @Bean
    KafkaAdmin.NewTopics orderTopics() {
        return new KafkaAdmin.NewTopics(TopicBuilder.name(TOPIC).partitions(6).build(), TopicBuilder.name("events-a").build());
    }

    /** A listener of its own class, for Spring keeps the callbacks for seeks by partition alone. */
    static class Classic extends AbstractConsumerSeekAware {
        @KafkaListener(id = "orders-classic", topics = TOPIC, concurrency = "3", properties = "group.protocol=classic")
        void order(ConsumerRecord<String, String> record) {
            SEEN.get("classic").note(record);
        }
    }

    static class Consumer extends AbstractConsumerSeekAware {
        @KafkaListener(id = "orders-consumer", topics = TOPIC, concurrency = "3", properties = "group.protocol=consumer")
        void order(ConsumerRecord<String, String> record) {
            SEEN.get("consumer").note(record);
        }
    }

    @Bean
    Classic classic() {
        return new Classic();
    }

    @Bean
    Consumer consumer() {
        return new Consumer();
    }

    @KafkaListener(id = "events", topicPattern = "events-.*")
    void matching(ConsumerRecord<String, String> record) {
        matched.note(record);
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Set<String> orders = Suite.values("order", MANY);
        Suite.check("threads of a listener share the partitions, with both protocols", () -> {
            for (String protocol : PROTOCOLS) {
                Suite.await(30, "two partitions for each thread", () -> shares(container(protocol)).equals(List.of(2, 2, 2)));
            }
        });
        Suite.send(template, TOPIC, orders, 0);
        for (String protocol : PROTOCOLS) {
            Suite.check(protocol + ": each record comes once and in order", () -> once(protocol, orders));
        }
        for (String protocol : PROTOCOLS) {
            Suite.check(protocol + ": a listener that stops has committed all, and goes on from there", () -> stopAndStart(protocol));
            Suite.check(protocol + ": nothing comes while a listener is paused, all when it goes on", () -> pause(protocol));
            Suite.check(protocol + ": another application takes its share and gives it back", () -> another(protocol));
        }
        Suite.check("listeners go back to the beginning", () -> {
            SEEN.values().forEach(Ledger::clear);
            application.getBeansOfType(AbstractConsumerSeekAware.class).values().forEach(AbstractConsumerSeekAware::seekToBeginning);
            for (Ledger ledger : SEEN.values()) {
                Suite.awaitSame(30, orders.size() + 40, () -> ledger.all().size(), "records again");
            }
        });
        Suite.check("a listener of a pattern finds topics that come later", () -> {
            application.getBean(KafkaAdmin.class).createOrModifyTopics(TopicBuilder.name("events-b").partitions(2).build());
            Suite.send(template, "events-a", Suite.values("a", 10), 0);
            Suite.send(template, "events-b", Suite.values("b", 10), 0);
            Set<String> all = new TreeSet<>(Suite.values("a", 10));
            all.addAll(Suite.values("b", 10));
            Suite.await(30, "records of both topics", () -> matched.has(all));
            Suite.same(Suite.each(all, 1), matched.all(), "times");
        });
    }

    private ConcurrentMessageListenerContainer<?, ?> container(String protocol) {
        return (ConcurrentMessageListenerContainer<?, ?>) registry.getListenerContainer("orders-" + protocol);
    }

    private static List<Integer> shares(ConcurrentMessageListenerContainer<?, ?> container) {
        return container.getContainers().stream().map(child -> child.getAssignedPartitions())
            .map(assigned -> assigned == null ? 0 : assigned.size()).toList();
    }

    private void once(String protocol, Set<String> orders) throws Exception {
        Ledger ledger = SEEN.get(protocol);
        Suite.await(30, "all orders", () -> ledger.has(orders));
        Suite.same(Suite.each(orders, 1), ledger.all(), "times");
        Suite.same(List.of(), ledger.outOfOrder(), "out of order");
        Suite.same(3, ledger.threads(), "threads");
    }

    private void stopAndStart(String protocol) throws Exception {
        String group = "orders-" + protocol;
        container(protocol).stop();
        Suite.same(Suite.ends(TOPIC), Suite.committed(group, TOPIC), "committed");
        var listing = Suite.admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        Suite.same(GroupState.EMPTY, listing.groupState(), "state of the group");
        Set<String> more = Suite.values("more-" + protocol, 10);
        Suite.send(template, TOPIC, more, 0);
        container(protocol).start();
        Suite.await(30, "what came meanwhile", () -> SEEN.get(protocol).has(more));
        Suite.same(Suite.each(SEEN.get(protocol).all().keySet(), 1), SEEN.get(protocol).all(), "times");
    }

    private void pause(String protocol) throws Exception {
        var container = container(protocol);
        Suite.await(30, "partitions are back", () -> shares(container).equals(List.of(2, 2, 2)));
        container.pause();
        Suite.await(30, "the pause", container::isContainerPaused);
        int before = SEEN.get(protocol).all().size();
        Set<String> later = Suite.values("paused-" + protocol, 10);
        Suite.send(template, TOPIC, later, 0);
        Thread.sleep(1500);
        Suite.same(before, SEEN.get(protocol).all().size(), "records in a pause");
        container.resume();
        Suite.await(30, "what came meanwhile", () -> SEEN.get(protocol).has(later));
        Suite.same(Suite.each(SEEN.get(protocol).all().keySet(), 1), SEEN.get(protocol).all(), "times");
    }

    private void another(String protocol) throws Exception {
        var second = kafkaListenerContainerFactory.createContainer(TOPIC);
        second.getContainerProperties().setGroupId("orders-" + protocol);
        second.getContainerProperties().getKafkaConsumerProperties().setProperty("group.protocol", protocol);
        second.getContainerProperties().setMessageListener((MessageListener<String, String>) record -> { });
        second.setConcurrency(3);
        second.start();
        Suite.await(60, "one partition for each thread",
            () -> shares(second).equals(List.of(1, 1, 1)) && shares(container(protocol)).equals(List.of(1, 1, 1)));
        second.stop();
        Suite.await(60, "two partitions for each thread", () -> shares(container(protocol)).equals(List.of(2, 2, 2)));
    }

    @Override
    public void work() throws Exception {
        Suite.send(template, TOPIC, stormy, 16);
    }

    @Override
    public void judge() {
        for (String protocol : PROTOCOLS) {
            Suite.check(protocol + ": no record is missed while the node is killed, and all are committed", () -> {
                Suite.await(60, "all orders", () -> SEEN.get(protocol).has(stormy));
                Suite.await(60, "all committed", () -> {
                    try {
                        return Suite.ends(TOPIC).equals(Suite.committed("orders-" + protocol, TOPIC));
                    } catch (Exception error) {
                        return false;
                    }
                });
            });
        }
        Suite.check("a producer's records are in the log once", () -> {
            Map<String, Integer> counted = Suite.counted(Suite.read(TOPIC, "read_uncommitted"));
            counted.keySet().retainAll(stormy);
            Suite.same(Suite.each(stormy, 1), counted, "times in the log");
        });
    }
}
