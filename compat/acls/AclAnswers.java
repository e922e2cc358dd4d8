// What a node with an authorizer answers to a user of few rights, a line for each question, so that two nodes can be compared:
// AclAnswers HOST:PORT QUESTIONS
//
// QUESTIONS has one step a line: `acl [-] PERMISSION USER OPERATION RESOURCE NAME` (a name that ends in `…` is a prefix), `acls none`,
// `restore` (topics, offsets and ids are as at the beginning), `question API VERSION {fields}`, `ask`, with which alice asks all the questions,
// `regex GROUP EXPRESSION`, with which she joins a consumer group and is told what she is to read, and `token`, with which she gets a
// delegation token, logs in with it, and ends it.

import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.lang.reflect.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.resource.*;

public class AclAnswers {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, Uuid> IDS = new TreeMap<>();
    static String host;
    static int port;

    final String user;
    Socket socket;
    int correlation;

    AclAnswers(String user) { this.user = user; }

    void connect() throws Exception {
        socket = new Socket(host, port);
        socket.setSoTimeout(60000);
        send(ApiKeys.SASL_HANDSHAKE, (short) 1, new SaslHandshakeRequestData().setMechanism("PLAIN"));
        byte[] token = ("\0" + user + "\0" + user).getBytes(StandardCharsets.UTF_8);
        var answer = (SaslAuthenticateResponseData) send(ApiKeys.SASL_AUTHENTICATE, (short) 2, new SaslAuthenticateRequestData().setAuthBytes(token));
        if (answer.errorCode() != 0) throw new IOException(answer.errorMessage());
    }

    ApiMessage send(ApiKeys api, short version, ApiMessage body) throws Exception {
        var header = new RequestHeader(api, version, "client", ++correlation);
        ByteBuffer bytes = RequestUtils.serialize(header.data(), header.headerVersion(), body, version);
        var out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(bytes.remaining());
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        out.flush();
        var in = new DataInputStream(socket.getInputStream());
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        ByteBuffer buffer = ByteBuffer.wrap(frame);
        ResponseHeader.parse(buffer, api.responseHeaderVersion(version));
        ApiMessage response = api.messageType.newResponse();
        response.read(new ByteBufferAccessor(buffer), version);
        return response;
    }

    ApiMessage ask(ApiKeys api, int version, ApiMessage body) throws Exception {
        if (socket == null) connect();
        try {
            return send(api, (short) version, body);
        } catch (EOFException | java.net.SocketException e) {
            socket.close();
            socket = null;
            return null;
        }
    }

    // --- requests out of JSON

    static Object value(Type type, JsonNode node) throws Exception {
        if (node.isNull()) return null;
        Class<?> raw = (Class<?>) (type instanceof ParameterizedType p ? p.getRawType() : type);
        if (raw == String.class) return node.asText();
        if (raw == boolean.class) return node.asBoolean();
        if (raw == byte.class || raw == Byte.class) return (byte) node.asInt();
        if (raw == short.class || raw == Short.class) return (short) node.asInt();
        if (raw == int.class || raw == Integer.class) return node.asInt();
        if (raw == long.class || raw == Long.class) return node.asLong();
        if (raw == double.class) return node.asDouble();
        if (raw == byte[].class) return node.asText().getBytes(StandardCharsets.UTF_8);
        if (raw == Uuid.class) return IDS.containsKey(node.asText()) ? IDS.get(node.asText()) : new Uuid(5, node.asText().hashCode());
        if (BaseRecords.class.isAssignableFrom(raw)) return records(node.asText());
        if (type instanceof ParameterizedType p && raw == List.class) {
            var list = new ArrayList<Object>();
            for (JsonNode item : node) list.add(value(p.getActualTypeArguments()[0], item));
            return list;
        }
        if (ImplicitCollection(raw)) {
            Type element = ((ParameterizedType) raw.getGenericSuperclass()).getActualTypeArguments()[0];
            var collection = (Collection<Object>) raw.getConstructor().newInstance();
            for (JsonNode item : node) collection.add(value(element, item));
            return collection;
        }
        return fill(raw.getConstructor().newInstance(), node);
    }

    static boolean ImplicitCollection(Class<?> raw) {
        return AbstractCollection.class.isAssignableFrom(raw) && raw.getGenericSuperclass() instanceof ParameterizedType;
    }

    static <T> T fill(T target, JsonNode fields) throws Exception {
        for (var it = fields.fields(); it.hasNext(); ) {
            var entry = it.next();
            Field field = target.getClass().getDeclaredField(entry.getKey());
            field.setAccessible(true);
            field.set(target, value(field.getGenericType(), entry.getValue()));
        }
        return target;
    }

    static MemoryRecords records(String kind) {
        var record = new SimpleRecord("value".getBytes(StandardCharsets.UTF_8));
        return kind.equals("transactional")
            ? MemoryRecords.withTransactionalRecords(Compression.NONE, 1, (short) 0, 0, record)
            : MemoryRecords.withRecords(Compression.NONE, record);
    }

    // --- answers in words that are the same on every node

    static String shown(ApiKeys api, ApiMessage response, int version) throws Exception {
        if (response == null) return "closed";
        Class<?> converter = Class.forName(response.getClass().getName() + "JsonConverter");
        Method write = converter.getMethod("write", response.getClass(), short.class, boolean.class);
        return same("", (JsonNode) write.invoke(null, response, (short) version, false)).toString();
    }

    static final Set<String> VARIES = Set.of("memberId", "producerId", "throttleTimeMs", "port", "usableBytes", "totalBytes", "logDir", "timestamp",
        "incarnationId", "clusterId", "host", "sessionId", "clientInstanceId", "value", "leaderEpoch", "currentLeaderEpoch", "highWatermark", "logEndOffset",
        "maxTimestampMs", "issueTimestamp", "expiryTimestamp", "maxTimestamp", "tokenId", "hmac",
        "lastFetchTimestamp", "lastCaughtUpTimestamp", "replicaDirectoryId", "offset", "baseOffset", "issueTimestampMs", "expiryTimestampMs",
        "pushIntervalMs", "subscriptionId", "lastStableOffset", "recordsSizeInBytes", "logAppendTimeMs", "lowWatermark", "partitionSize",
        "producerEpoch", "directoryId", "coordinatorId", "requestTimeoutMs", "committedOffset", "lag", "topicConfigs", "finalizedFeaturesEpoch");

    static JsonNode same(String key, JsonNode node) {
        if (node.isObject()) {
            var sorted = new TreeMap<String, JsonNode>();
            node.fields().forEachRemaining(entry -> sorted.put(entry.getKey(), same(entry.getKey(), entry.getValue())));
            var object = JSON.createObjectNode();
            sorted.forEach((name, value) -> {
                // Kafka's order within an object and what is empty are not told apart by clients.
                if (!VARIES.contains(name)) object.set(name, value);
            });
            return object;
        }
        if (node.isArray()) {
            // What a topic's configuration is at its creation is another suite's.
            if (key.equals("configs") && node.size() > 8) return new TextNode("all");
            var items = new TreeMap<String, JsonNode>();
            int at = 0;
            for (JsonNode item : node) {
                JsonNode shown = same(key, item);
                items.put(shown.toString() + at++, shown);
            }
            var array = JSON.createArrayNode();
            items.values().forEach(array::add);
            return array;
        }
        if (node.isTextual() && key.toLowerCase().endsWith("id")) {
            for (var known : IDS.entrySet()) if (known.getValue().toString().equals(node.asText())) return new TextNode("id of " + known.getKey());
            if (key.equals("topicId") && !node.asText().startsWith("AAAAAAAAAA")) return new TextNode("an id");
        }
        if (node.isTextual()) return new TextNode(node.asText().replaceAll("Request Request\\(.*\\) needs", "Request … needs").replaceAll("Request\\(.*\\) is not", "Request … is not"));
        return node;
    }

    // --- what is there at the beginning

    static final AclAnswers ROOT = new AclAnswers("root");

    static ApiMessage asRoot(ApiKeys api, int version, ApiMessage body) throws Exception {
        ApiMessage answer = ROOT.ask(api, version, body);
        if (answer == null) throw new IOException("the node closed the connection of " + api);
        return answer;
    }

    static JsonNode until(ApiKeys api, int version, String fields, String good) throws Exception {
        for (int turn = 0; ; turn++) {
            ApiMessage answer = asRoot(api, version, fill(api.messageType.newRequest(), JSON.readTree(fields)));
            String text = answer.toString();
            if (text.matches("(?s).*" + good + ".*")) return null;
            if (turn == 150) throw new IOException(api + " answers " + text);
            Thread.sleep(200);
        }
    }

    static final List<String> TOPICS = List.of("mine", "other", "gone");

    static void restore() throws Exception {
        for (String topic : TOPICS) {
            until(ApiKeys.CREATE_TOPICS, 7, "{\"timeoutMs\":30000,\"topics\":[{\"name\":\"" + topic + "\",\"numPartitions\":2,\"replicationFactor\":1}]}",
                "errorCode=(0|36)\\D");
        }
        for (String topic : TOPICS) {
            until(ApiKeys.METADATA, 12, "{\"topics\":[{\"name\":\"" + topic + "\"}]}", "errorCode=0.*partitionIndex=1, leaderId=1");
            var answer = (MetadataResponseData) asRoot(ApiKeys.METADATA, 12, fill(new MetadataRequestData(), JSON.readTree("{\"topics\":[{\"name\":\"" + topic + "\"}]}")));
            IDS.put(topic, answer.topics().iterator().next().topicId());
        }
        for (String id : List.of("mine", "other")) {
            until(ApiKeys.FIND_COORDINATOR, 4, "{\"keyType\":0,\"coordinatorKeys\":[\"" + id + "\"]}", "errorCode=0");
            until(ApiKeys.FIND_COORDINATOR, 4, "{\"keyType\":1,\"coordinatorKeys\":[\"" + id + "\"]}", "errorCode=0");
            until(ApiKeys.OFFSET_COMMIT, 8, "{\"groupId\":\"" + id + "\",\"topics\":[{\"name\":\"mine\",\"partitions\":[{\"partitionIndex\":0,\"committedOffset\":1}]},"
                + "{\"name\":\"other\",\"partitions\":[{\"partitionIndex\":0,\"committedOffset\":1}]}]}", "errorCode=0.*errorCode=0");
            until(ApiKeys.INIT_PRODUCER_ID, 4, "{\"transactionalId\":\"" + id + "\",\"transactionTimeoutMs\":60000}", "errorCode=0");
        }
    }

    static void acl(String[] words) throws Exception {
        boolean prefix = words[5].endsWith("…");
        String name = prefix ? words[5].substring(0, words[5].length() - 1) : words[5];
        var creation = new CreateAclsRequestData.AclCreation()
            .setResourceType(ResourceType.fromString(words[4]).code()).setResourceName(name)
            .setResourcePatternType((prefix ? PatternType.PREFIXED : PatternType.LITERAL).code())
            .setPrincipal("User:" + words[2]).setHost("*").setOperation(AclOperation.fromString(words[3]).code())
            .setPermissionType(AclPermissionType.fromString(words[1]).code());
        var answer = (CreateAclsResponseData) asRoot(ApiKeys.CREATE_ACLS, 3, new CreateAclsRequestData().setCreations(List.of(creation)));
        if (answer.results().get(0).errorCode() != 0) throw new IOException(answer.toString());
        expected++;
    }

    static int expected = 0;

    static DescribeAclsRequestData everything() {
        return new DescribeAclsRequestData().setResourceTypeFilter((byte) 1).setPatternTypeFilter((byte) 1).setOperation((byte) 1).setPermissionType((byte) 1)
            .setPrincipalFilter(null).setHostFilter(null).setResourceNameFilter(null);
    }

    static void noAcls() throws Exception {
        var filter = new DeleteAclsRequestData.DeleteAclsFilter().setResourceTypeFilter((byte) 1).setPatternTypeFilter((byte) 1).setOperation((byte) 1)
            .setPermissionType((byte) 1).setPrincipalFilter(null).setHostFilter(null).setResourceNameFilter(null);
        asRoot(ApiKeys.DELETE_ACLS, 3, new DeleteAclsRequestData().setFilters(List.of(filter)));
        expected = 0;
    }

    /** Waits until the broker heeds the entries that the controller has. */
    static void settle() throws Exception {
        for (int turn = 0; turn < 100; turn++) {
            var answer = (DescribeAclsResponseData) asRoot(ApiKeys.DESCRIBE_ACLS, 3, everything());
            if (answer.resources().stream().mapToInt(resource -> resource.acls().size()).sum() == expected) break;
            Thread.sleep(50);
        }
        Thread.sleep(300);
    }

    public static void main(String[] args) throws Exception {
        host = args[0].substring(0, args[0].lastIndexOf(':'));
        port = Integer.parseInt(args[0].substring(args[0].lastIndexOf(':') + 1));
        var alice = new AclAnswers("alice");
        var block = new ArrayList<String>();
        String state = "";
        boolean settled = true;
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            String[] words = line.trim().split("\\s+", 4);
            switch (words[0]) {
                case "", "#" -> { }
                case "state" -> state = line.substring(6);
                case "restore" -> restore();
                case "acls" -> { noAcls(); settled = false; }
                case "acl" -> { acl(line.trim().split("\\s+")); settled = false; }
                case "question" -> block.add(line.substring(9));
                case "ask" -> {
                    if (!settled) settle();
                    settled = true;
                    for (String question : block) ask(alice, state, question);
                }
                case "token" -> System.out.println(state + ": token -> " + token(alice));
                case "regex" -> {
                    if (!settled) settle();
                    settled = true;
                    System.out.println(state + ": " + line.trim() + " -> " + regex(alice, words[1], words[2]));
                }
                default -> throw new IOException("what is " + line);
            }
        }
        System.exit(0);
    }

    static String token(AclAnswers alice) throws Exception {
        var made = (CreateDelegationTokenResponseData) alice.ask(ApiKeys.CREATE_DELEGATION_TOKEN, 3, new CreateDelegationTokenRequestData().setMaxLifetimeMs(60000));
        if (made.errorCode() != 0) return made.toString();
        String said = "lives " + (made.maxTimestampMs() - made.issueTimestampMs()) + ", to renew after " + (made.expiryTimestampMs() - made.issueTimestampMs());
        said += "; " + logIn(made) + "; " + change(alice, made, 60000, 0) + " " + change(alice, made, 0, 30000) + " " + change(alice, made, 0, -1);
        Thread.sleep(500);
        return said + " " + change(alice, made, 60000, 0) + "; " + logIn(made);
    }

    /** Renews a token, or without a period for that expires it; tells the error. */
    static short change(AclAnswers alice, CreateDelegationTokenResponseData made, long renew, long expire) throws Exception {
        return renew > 0
            ? ((RenewDelegationTokenResponseData) alice.ask(ApiKeys.RENEW_DELEGATION_TOKEN, 2,
                new RenewDelegationTokenRequestData().setHmac(made.hmac()).setRenewPeriodMs(renew))).errorCode()
            : ((ExpireDelegationTokenResponseData) alice.ask(ApiKeys.EXPIRE_DELEGATION_TOKEN, 2,
                new ExpireDelegationTokenRequestData().setHmac(made.hmac()).setExpiryTimePeriodMs(expire))).errorCode();
    }

    static String logIn(CreateDelegationTokenResponseData made) throws Exception {
        var config = new HashMap<String, Object>(Map.of("bootstrap.servers", host + ":" + port, "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "SCRAM-SHA-256"));
        config.put("sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required tokenauth=\"true\" username=\"" + made.tokenId()
            + "\" password=\"" + Base64.getEncoder().encodeToString(made.hmac()) + "\";");
        String said = "";
        try (var admin = org.apache.kafka.clients.admin.Admin.create(config)) {
            said += "nodes " + admin.describeCluster().nodes().get().size() + ", a token by the token: ";
            admin.createDelegationToken().delegationToken().get();
            return said + "made";
        } catch (java.util.concurrent.ExecutionException e) {
            return said + e.getCause();
        }
    }

    /** Joins a group by a regular expression, waits for the assignment of the second epoch, and leaves. */
    static String regex(AclAnswers alice, String group, String expression) throws Exception {
        until(ApiKeys.FIND_COORDINATOR, 4, "{\"keyType\":0,\"coordinatorKeys\":[\"" + group + "\"]}", "errorCode=0");
        var beat = new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId("alice").setRebalanceTimeoutMs(9000)
            .setTopicPartitions(List.of()).setSubscribedTopicRegex(expression);
        var names = new TreeSet<String>();
        for (int turn = 0; turn < 100; turn++) {
            var answer = (ConsumerGroupHeartbeatResponseData) alice.ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 1, beat);
            if (answer.errorCode() != 0 && answer.errorCode() != Errors.COORDINATOR_LOAD_IN_PROGRESS.code()) return answer.toString();
            beat.setMemberEpoch(answer.memberEpoch());
            if (answer.memberEpoch() > 1 && answer.assignment() != null) {
                for (var topic : answer.assignment().topicPartitions())
                    names.add(IDS.entrySet().stream().filter(known -> known.getValue().equals(topic.topicId())).map(Map.Entry::getKey).findFirst().orElse("?"));
                break;
            }
            Thread.sleep(50);
        }
        alice.ask(ApiKeys.CONSUMER_GROUP_HEARTBEAT, 1, beat.setMemberEpoch(-1));
        return names.toString();
    }

    static void ask(AclAnswers alice, String state, String question) {
        String[] words = question.split("\\s+", 3);
        String answer;
        try {
            ApiKeys api = Arrays.stream(ApiKeys.values()).filter(key -> key.name.equals(words[0])).findFirst().orElseThrow();
            int version = Integer.parseInt(words[1]);
            var body = fill(api.messageType.newRequest(), JSON.readTree(words[2]));
            answer = shown(api, alice.ask(api, version, body), version);
            // Apache Kafka's brokers hear of a token after it was answered for.
            if (api == ApiKeys.CREATE_DELEGATION_TOKEN) Thread.sleep(500);
        } catch (Exception e) {
            answer = e + " " + (e.getCause() == null ? "" : e.getCause());
        }
        System.out.println(state + ": " + question + " -> " + answer);
    }
}
