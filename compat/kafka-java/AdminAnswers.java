// What a node answers to Java's Admin about quotas, credentials, loggers, subscriptions, groups, ACLs, tokens and its own
// configuration, a line each, so that two nodes can be compared: AdminAnswers BOOTSTRAP

import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;

public class AdminAnswers {
    final Admin admin;
    final String node;

    interface Ask { Object ask() throws Exception; }

    AdminAnswers(String bootstrap) throws Exception {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", "20000", "default.api.timeout.ms", "30000"));
        node = admin.describeCluster().nodes().get().iterator().next().idString();
    }

    static void say(String what, Ask ask) {
        String answer;
        try {
            answer = String.valueOf(ask.ask());
        } catch (ExecutionException e) {
            answer = e.getCause().getClass().getSimpleName() + ": " + e.getCause().getMessage();
        } catch (Exception e) {
            answer = e.getClass().getSimpleName() + ": " + e.getMessage();
        }
        System.out.println(what + " -> " + answer.replace('\n', ' '));
    }

    static ClientQuotaEntity entity(String... parts) {
        Map<String, String> entries = new TreeMap<>();
        for (int at = 0; at < parts.length; at += 2) entries.put(parts[at], parts[at + 1]);
        return new ClientQuotaEntity(entries);
    }

    void quota(ClientQuotaEntity entity, String key, Double value) {
        var alteration = new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op(key, value)));
        say("quota " + new TreeMap<>(entity.entries()) + " " + key + "=" + value,
            () -> admin.alterClientQuotas(List.of(alteration)).all().get());
    }

    void quotas(String what, ClientQuotaFilter filter) {
        say("quotas " + what, () -> {
            var lines = new TreeSet<String>();
            admin.describeClientQuotas(filter).entities().get().forEach((entity, values) ->
                lines.add(new TreeMap<>(entity.entries()) + "=" + new TreeMap<>(values)));
            return lines;
        });
    }

    void scram(String what, UserScramCredentialAlteration... alterations) {
        say("scram " + what, () -> admin.alterUserScramCredentials(List.of(alterations)).all().get());
    }

    void scrams(String... users) {
        say("scrams " + Arrays.toString(users), () -> {
            var lines = new TreeMap<String, Object>();
            var described = admin.describeUserScramCredentials(List.of(users));
            for (String user : described.users().get()) {
                var infos = new TreeSet<String>();
                described.description(user).get().credentialInfos().forEach(info -> infos.add(info.toString()));
                lines.put(user, infos);
            }
            return lines;
        });
    }

    void alter(ConfigResource.Type type, String name, String key, String value, AlterConfigOp.OpType how) {
        var op = new AlterConfigOp(new ConfigEntry(key, value), how);
        var resource = new ConfigResource(type, name);
        say("alter " + type + " " + name.replace(node, "NODE") + " " + how + " " + key + "=" + value,
            () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get());
    }

    void describe(ConfigResource.Type type, String name, Set<String> keys) {
        var resource = new ConfigResource(type, name);
        say("describe " + type + " " + name.replace(node, "NODE"), () -> {
            var lines = new TreeSet<String>();
            for (ConfigEntry entry : admin.describeConfigs(Set.of(resource)).all().get().get(resource).entries()) {
                if ((keys.isEmpty() && !isNewer(entry)) || keys.contains(entry.name()))
                    lines.add(entry.name() + "=" + entry.value() + " " + entry.source() + " " + entry.type()
                        + " readOnly=" + entry.isReadOnly());
            }
            return lines;
        });
    }

    /** What Apache Kafka 4.3 does not have: a bound on what a batch may become when it is decompressed, and dead-letter queues. */
    static boolean isNewer(ConfigEntry entry) {
        return entry.name().equals("max.decompressed.message.bytes") || entry.name().startsWith("errors.deadletterqueue.");
    }

    static UserScramCredentialUpsertion upsert(String user, ScramMechanism mechanism, int iterations) {
        return new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, iterations), "secret");
    }

    void quotas() {
        quota(entity("user", "alice"), "producer_byte_rate", 1048576.0);
        quota(entity("user", "alice", "client-id", "app"), "request_percentage", 12.5);
        quota(entity("user", null), "consumer_byte_rate", 2048.0);
        quota(entity("client-id", null), "controller_mutation_rate", 3.25);
        quota(entity("ip", "10.0.0.1"), "connection_creation_rate", 7.0);
        quota(entity("ip", null), "connection_creation_rate", 1000.0);
        quota(entity("ip", "10.0.0.1"), "producer_byte_rate", 7.0);
        quota(entity("user", "alice"), "nope", 1.0);
        quota(entity("user", "alice"), "producer_byte_rate", 0.0);
        quota(entity("user", "alice"), "producer_byte_rate", 1.5);
        quota(entity("ip", null), "connection_creation_rate", 3e9);
        quota(entity("user", "alice", "ip", "10.0.0.1"), "connection_creation_rate", 1.0);
        quotas("all", ClientQuotaFilter.all());
        quotas("users", ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntityType("user"))));
        quotas("users only", ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntityType("user"))));
        quotas("default user", ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofDefaultEntity("user"))));
        quotas("alice", ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", "alice"))));
        quotas("user and ip", ClientQuotaFilter.contains(List.of(
            ClientQuotaFilterComponent.ofEntityType("user"), ClientQuotaFilterComponent.ofEntityType("ip"))));
        quotas("of an unknown type", ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntityType("group"))));
        quota(entity("user", "alice"), "producer_byte_rate", null);
        quota(entity("user", "alice", "client-id", "app"), "request_percentage", null);
        quota(entity("user", null), "consumer_byte_rate", null);
        quota(entity("client-id", null), "controller_mutation_rate", null);
        quota(entity("ip", "10.0.0.1"), "connection_creation_rate", null);
        quota(entity("ip", null), "connection_creation_rate", null);
        quotas("all", ClientQuotaFilter.all());
    }

    void credentials() {
        var sha256 = ScramMechanism.SCRAM_SHA_256;
        var sha512 = ScramMechanism.SCRAM_SHA_512;
        scram("alice", upsert("alice", sha256, 4096));
        scram("alice again", upsert("alice", sha512, 8192));
        scram("bob", upsert("bob", sha256, 16384));
        scram("too few", upsert("carol", sha256, 4095));
        scram("too many", upsert("carol", sha256, 16385));
        scram("nobody", upsert("", sha256, 4096));
        scram("twice", upsert("carol", sha256, 4096), upsert("carol", sha512, 4096));
        scram("unknown", new UserScramCredentialDeletion("carol", sha256));
        scrams();
        scrams("alice", "carol");
        scrams("bob", "bob");
        scram("delete alice", new UserScramCredentialDeletion("alice", sha256), new UserScramCredentialDeletion("bob", sha256));
        scrams();
        scram("delete alice", new UserScramCredentialDeletion("alice", sha512));
    }

    void loggers() {
        var type = ConfigResource.Type.BROKER_LOGGER;
        var set = AlterConfigOp.OpType.SET;
        for (String level : List.of("FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "LOUD", "info"))
            alter(type, node, "kafka.server.KafkaApis", level, set);
        describe(type, node, Set.of("kafka.server.KafkaApis"));
        alter(type, node, "kafka.server.KafkaApis", "", AlterConfigOp.OpType.DELETE);
        alter(type, node, "kafka.server.KafkaApis", "INFO", AlterConfigOp.OpType.APPEND);
        alter(type, node, "kafka.server.KafkaApis", "INFO", AlterConfigOp.OpType.SUBTRACT);
        alter(type, node, "no.such.logger", "INFO", set);
        alter(type, node, "root", "", AlterConfigOp.OpType.DELETE);
        alter(type, node, "root", "WARN", set);
        describe(type, node, Set.of("root"));
    }

    void subscriptions() {
        var type = ConfigResource.Type.CLIENT_METRICS;
        var set = AlterConfigOp.OpType.SET;
        for (String interval : List.of("100", "99", "3600000", "3600001", "x"))
            alter(type, "s", "interval.ms", interval, set);
        alter(type, "s", "metrics", "org.apache.kafka.producer,org.apache.kafka.consumer", set);
        alter(type, "s", "match", "client_id=app.*,client_software_name=apache-kafka-java", set);
        for (String match : List.of("who=a", "client_id", "client_id=(", "client_id="))
            alter(type, "s", "match", match, set);
        alter(type, "s", "nope", "1", set);
        describe(type, "s", Set.of());
        describe(type, "none", Set.of());
        say("subscriptions", () -> admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all().get());
        for (String key : List.of("interval.ms", "metrics", "match"))
            alter(type, "s", key, "", AlterConfigOp.OpType.DELETE);
        say("subscriptions", () -> admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all().get());
    }

    void groups() {
        var type = ConfigResource.Type.GROUP;
        var set = AlterConfigOp.OpType.SET;
        describe(type, "g", Set.of());
        String[][] changes = {
            {"consumer.session.timeout.ms", "50000"}, {"consumer.session.timeout.ms", "1"},
            {"consumer.session.timeout.ms", "70000"}, {"consumer.heartbeat.interval.ms", "6000"},
            {"consumer.heartbeat.interval.ms", "0"}, {"consumer.heartbeat.interval.ms", "16000"},
            {"consumer.assignment.interval.ms", "-1"}, {"consumer.assignment.interval.ms", "20000"},
            {"share.session.timeout.ms", "44000"}, {"share.session.timeout.ms", "100"}, {"share.session.timeout.ms", "70000"},
            {"share.heartbeat.interval.ms", "16000"}, {"share.heartbeat.interval.ms", "100"},
            {"share.record.lock.duration.ms", "999"}, {"share.record.lock.duration.ms", "10000"},
            {"share.record.lock.duration.ms", "70000"}, {"share.delivery.count.limit", "1"},
            {"share.delivery.count.limit", "11"}, {"share.partition.max.record.locks", "99"},
            {"share.partition.max.record.locks", "100000"}, {"share.auto.offset.reset", "earliest"},
            {"share.auto.offset.reset", "by_duration:PT1H"}, {"share.auto.offset.reset", "by_duration:-PT1H"},
            {"share.auto.offset.reset", "never"}, {"share.isolation.level", "read_committed"},
            {"share.isolation.level", "serializable"}, {"share.renew.acknowledge.enable", "maybe"},
            {"share.assignment.interval.ms", "20000"}, {"streams.session.timeout.ms", "100"},
            {"streams.session.timeout.ms", "70000"}, {"streams.heartbeat.interval.ms", "100"},
            {"streams.num.standby.replicas", "3"}, {"streams.num.standby.replicas", "-1"},
            {"streams.num.standby.replicas", "2"}, {"streams.initial.rebalance.delay.ms", "-1"},
            {"streams.assignment.interval.ms", "20000"}, {"streams.num.warmup.replicas", "1"}, {"nope", "1"}};
        for (String[] change : changes) alter(type, "g", change[0], change[1], set);
        alter(type, "", "consumer.session.timeout.ms", "50000", set);
        describe(type, "g", Set.of());
        say("groups", () -> admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all().get());
    }

    void security() {
        var pattern = new ResourcePattern(ResourceType.TOPIC, "t", PatternType.LITERAL);
        var entry = new AccessControlEntry("User:a", "*", AclOperation.READ, AclPermissionType.ALLOW);
        say("acls", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
        say("create acl", () -> admin.createAcls(List.of(new AclBinding(pattern, entry))).all().get());
        say("delete acls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get());
        say("create token", () -> admin.createDelegationToken().delegationToken().get());
        say("renew token", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp().get());
        say("expire token", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp().get());
        say("tokens", () -> admin.describeDelegationToken().delegationTokens().get());
    }

    /** The keys of the broker: all but those that the node's own file sets, whose values are its own. */
    void brokerKeys() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.BROKER, node);
        var options = new DescribeConfigsOptions().includeSynonyms(true);
        var lines = new TreeSet<String>();
        for (ConfigEntry entry : admin.describeConfigs(Set.of(resource), options).all().get().get(resource).entries()) {
            if (entry.name().startsWith("monedula.") || isNewer(entry)) continue;
            boolean own = entry.source() == ConfigEntry.ConfigSource.STATIC_BROKER_CONFIG;
            var synonyms = entry.synonyms().stream().map(synonym -> synonym.name() + ":" + synonym.source()).toList();
            lines.add("key " + entry.name() + " " + entry.type() + " readOnly=" + entry.isReadOnly() + " sensitive="
                + entry.isSensitive() + (own ? " set" : " " + entry.value() + " " + entry.source() + " " + synonyms));
        }
        lines.forEach(System.out::println);
    }

    public static void main(String[] args) throws Exception {
        AdminAnswers answers = new AdminAnswers(args[0]);
        answers.quotas();
        answers.credentials();
        answers.loggers();
        answers.subscriptions();
        answers.groups();
        answers.security();
        answers.brokerKeys();
        answers.admin.close();
    }
}
