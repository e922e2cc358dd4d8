import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.KafkaListenerEndpointRegistry;
import org.springframework.kafka.config.ShareKafkaListenerContainerFactory;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.DefaultShareConsumerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.ShareConsumerFactory;
import org.springframework.kafka.listener.ContainerProperties.ShareAckMode;
import org.springframework.kafka.support.ShareAcknowledgment;

/** Share consumers: records are accepted, released or rejected one by one. */
class Parcels implements Part {
    private final Ledger delivered = new Ledger();
    private final Ledger accepted = new Ledger();
    private final Ledger simple = new Ledger();
    private final Set<String> stormy = Suite.values("storm", 400);
    @Autowired private KafkaTemplate<String, String> template;
    @Autowired private KafkaListenerEndpointRegistry registry;

    @Bean
    KafkaAdmin.NewTopics parcelTopics() {
        return new KafkaAdmin.NewTopics(TopicBuilder.name("parcels").partitions(2).build());
    }

    @Bean
    ShareConsumerFactory<String, String> sharing() {
        var config = new TreeMap<>(Application.consuming("read_uncommitted"));
        config.remove("auto.offset.reset");
        config.remove("isolation.level");
        return new DefaultShareConsumerFactory<>(config);
    }

    @Bean
    ShareKafkaListenerContainerFactory<String, String> byHand(ShareConsumerFactory<String, String> sharing) {
        var factory = new ShareKafkaListenerContainerFactory<>(sharing);
        factory.getContainerProperties().setShareAckMode(ShareAckMode.MANUAL);
        factory.setConcurrency(3);
        factory.setAutoStartup(false);
        return factory;
    }

    @Bean
    ShareKafkaListenerContainerFactory<String, String> byOutcome(ShareConsumerFactory<String, String> sharing) {
        var factory = new ShareKafkaListenerContainerFactory<>(sharing);
        factory.setAutoStartup(false);
        return factory;
    }

    /** Numbers that end in 7 are released once, those in 9 rejected. */
    @KafkaListener(id = "couriers", topics = "parcels", containerFactory = "byHand")
    void deliver(ConsumerRecord<String, String> record, ShareAcknowledgment acknowledgment) {
        int time = delivered.note(record.value());
        if (record.value().endsWith("9")) {
            acknowledgment.reject();
        } else if (record.value().endsWith("7") && time == 1) {
            acknowledgment.release();
        } else {
            accepted.note(record.value());
            acknowledgment.acknowledge();
        }
    }

    /** A listener that returns accepts; one that throws rejects. */
    @KafkaListener(id = "neighbours", topics = "parcels", containerFactory = "byOutcome")
    void take(ConsumerRecord<String, String> record) {
        simple.note(record.value());
        if (record.value().endsWith("9")) {
            throw new IllegalStateException("nobody is there for " + record.value());
        }
    }

    private void start(String group) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        var set = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        Suite.admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        registry.getListenerContainer(group).start();
    }

    @Override
    public void calm(ApplicationContext application) throws Exception {
        Set<String> parcels = Suite.values("parcel", 200);
        Suite.send(template, "parcels", parcels, 0);
        start("couriers");
        start("neighbours");
        Suite.check("a share group's records are accepted, released and rejected", () -> {
            Map<String, Integer> wanted = Suite.each(parcels, 1);
            wanted.replaceAll((value, times) -> value.endsWith("7") ? 2 : 1);
            Suite.await(60, "every delivery", () -> delivered.all().equals(wanted));
            Set<String> taken = parcels.stream().filter(value -> !value.endsWith("9")).collect(Collectors.toSet());
            Suite.await(10, "every acceptance", () -> accepted.has(taken));
            Thread.sleep(1000);
            Suite.same(wanted, delivered.all(), "deliveries");
            Suite.same(Suite.each(taken, 1), accepted.all(), "accepted");
        });
        Suite.check("a share group whose listener says nothing by hand", () -> {
            Suite.await(60, "every delivery", () -> simple.has(parcels));
            Thread.sleep(500);
            Suite.same(Suite.each(parcels, 1), simple.all(), "deliveries");
        });
    }

    @Override
    public void work() throws Exception {
        start("couriers");
        start("neighbours");
        Suite.send(template, "parcels", stormy, 30);
    }

    @Override
    public void judge() {
        Suite.check("share groups miss nothing while the node is killed", () -> {
            Set<String> taken = stormy.stream().filter(value -> !value.endsWith("9")).collect(Collectors.toSet());
            Suite.await(90, "every acceptance", () -> accepted.has(taken));
            Suite.await(90, "every delivery", () -> delivered.has(stormy) && simple.has(stormy));
        });
    }
}
