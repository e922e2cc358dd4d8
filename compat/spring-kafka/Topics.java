import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;

/** Topics as beans: an application creates them, and its next version grows and changes them. */
class Topics {
    @Configuration(proxyBeanMethods = false)
    static class First {
        @Bean
        KafkaAdmin kafkaAdmin() {
            return new Application().kafkaAdmin();
        }

        @Bean
        NewTopic grown() {
            return TopicBuilder.name("topics-grown").partitions(2).config("retention.ms", "60000").build();
        }

        @Bean
        KafkaAdmin.NewTopics others() {
            return new KafkaAdmin.NewTopics(
                TopicBuilder.name("topics-compact").compact().build(),
                TopicBuilder.name("topics-placed").assignReplicas(0, List.of(1)).assignReplicas(1, List.of(1)).build());
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Second {
        @Bean
        KafkaAdmin kafkaAdmin() {
            return new Application().kafkaAdmin();
        }

        @Bean
        NewTopic grown() {
            return TopicBuilder.name("topics-grown").partitions(5).config("retention.ms", "120000").build();
        }
    }

    static void tell() throws Exception {
        try (var first = new AnnotationConfigApplicationContext(First.class)) {
            KafkaAdmin admin = first.getBean(KafkaAdmin.class);
            var found = admin.describeTopics("topics-grown", "topics-compact", "topics-placed");
            Suite.same(2, found.get("topics-grown").partitions().size(), "partitions");
            Suite.same(1, found.get("topics-compact").partitions().size(), "partitions by default");
            Suite.same(2, found.get("topics-placed").partitions().size(), "partitions that were placed");
            Suite.same(Suite.admin.describeCluster().clusterId().get(), admin.clusterId(), "cluster id");
        }
        Suite.same("60000", config("topics-grown", "retention.ms"), "retention.ms");
        Suite.same("compact", config("topics-compact", "cleanup.policy"), "cleanup.policy");
        try (var second = new AnnotationConfigApplicationContext(Second.class)) {
            KafkaAdmin admin = second.getBean(KafkaAdmin.class);
            Suite.same(5, admin.describeTopics("topics-grown").get("topics-grown").partitions().size(), "partitions when grown");
            Suite.same("120000", config("topics-grown", "retention.ms"), "retention.ms when changed");
            admin.deleteTopics("topics-grown", "topics-compact", "topics-placed");
        }
        Set<String> left = Suite.admin.listTopics().names().get();
        Suite.same(false, left.stream().anyMatch(name -> name.startsWith("topics-")), "a topic is left of " + left);
    }

    static String config(String topic, String key) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return Suite.admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key).value();
    }

    /** Whether there are such topics, with so many partitions each. */
    static void exist(Map<String, Integer> wanted) throws Exception {
        for (var topic : wanted.entrySet()) {
            Suite.same(topic.getValue(), Suite.partitions(topic.getKey()).size(), "partitions of " + topic.getKey());
        }
    }
}
