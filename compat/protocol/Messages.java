// Kafka's own message classes as the judge of the codec.
//
//   Messages write FILE SEED COUNT JAR…   values made at random, COUNT for every message and version, encoded by Kafka's classes
//   Messages read FILE JAR…               every entry of FILE read by Kafka's classes and written back: the same bytes
//
// An entry: length of the name (2 bytes), name, version (2), length (4), bytes. What is counted is pairs of message and version.

import java.io.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import java.util.jar.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.*;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class Messages {
    final Random random;
    final Map<String, Class<?>> classes = new TreeMap<>();
    final Set<String> passed = new TreeSet<>();
    final Map<String, String> failed = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        boolean write = args[0].equals("write");
        Messages messages = new Messages(write ? Long.parseLong(args[2]) : 0, Arrays.asList(args).subList(write ? 4 : 2, args.length));
        if (write) {
            messages.write(Path.of(args[1]), Integer.parseInt(args[3]));
        } else {
            messages.read(Path.of(args[1]));
        }
        messages.failed.forEach((what, why) -> System.out.println("FAIL " + what + ": " + why));
        messages.passed.removeAll(messages.failed.keySet());
        System.out.println(messages.passed.size() + " passed, " + messages.failed.size() + " failed");
        System.exit(messages.failed.isEmpty() ? 0 : 1);
    }

    Messages(long seed, List<String> jars) throws Exception {
        random = new Random(seed);
        for (String jar : jars) {
            try (JarFile file = new JarFile(jar)) {
                for (JarEntry entry : Collections.list(file.entries())) add(entry.getName());
            }
        }
    }

    /** Keeps a class of the jar when it is a generated message; its name is the schema's. */
    void add(String path) throws Exception {
        if (!path.matches("org/apache/kafka/.*(message|metadata|generated)/[A-Za-z]+\\.class")) return;
        Class<?> c = Class.forName(path.substring(0, path.length() - 6).replace('/', '.'), false, getClass().getClassLoader());
        if (!ApiMessage.class.isAssignableFrom(c) && !(Message.class.isAssignableFrom(c) && hasSchemas(c))) return;
        if (c.isInterface() || !hasSchemas(c)) return;
        classes.put(c.getSimpleName().replaceAll("(Request|Response|Header)Data$", "$1"), c);
    }

    static boolean hasSchemas(Class<?> c) {
        return Arrays.stream(c.getFields()).anyMatch(f -> f.getName().equals("SCHEMAS"));
    }

    void write(Path path, int count) throws Exception {
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path)))) {
            for (var entry : classes.entrySet()) {
                Schema[] schemas = (Schema[]) entry.getValue().getField("SCHEMAS").get(null);
                for (short version = 0; version < schemas.length; version++) {
                    if (schemas[version] == null) continue;
                    String what = entry.getKey() + " v" + version;
                    for (int i = 0; i < count; i++) {
                        try {
                            put(out, entry.getKey(), version, random(entry.getValue(), schemas[version], version, i));
                            passed.add(what);
                        } catch (Exception e) {
                            failed.put(what, e.toString());
                        }
                    }
                }
            }
        }
    }

    static void put(DataOutputStream out, String name, short version, byte[] bytes) throws IOException {
        out.writeShort(name.length());
        out.writeBytes(name);
        out.writeShort(version);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    /** A random value, made by the schema, taken in by the message class and written by it. */
    byte[] random(Class<?> c, Schema schema, short version, int round) throws Exception {
        int depth = round == 0 ? 0 : 3; // the first of each has empty arrays only
        schema = corrected(schema);
        Struct struct = (Struct) value(schema, depth);
        ByteBuffer bytes = ByteBuffer.allocate(schema.sizeOf(struct));
        schema.write(bytes, struct);
        bytes.flip();
        return encode(decode(c, bytes, version), version);
    }

    /** A nullable struct behind a tag: the classes tell null from not by a varint, the SCHEMAS (never used to read or write) by a byte. */
    static final class NullableBehindTag extends Schema {
        NullableBehindTag(Schema schema) {
            super(Arrays.stream(schema.fields()).map(f -> f.def).toArray(Field[]::new));
        }
        @Override public boolean isNullable() { return true; }
        @Override public Struct validate(Object value) { return value == null ? null : super.validate(value); }
        @Override public int sizeOf(Object value) { return value == null ? 1 : 1 + super.sizeOf(value); }
        @Override public void write(ByteBuffer out, Object value) {
            out.put((byte) (value == null ? 0 : 1));
            if (value != null) super.write(out, value);
        }
    }

    static Schema corrected(Schema schema) {
        Field[] fields = Arrays.stream(schema.fields()).map(f -> f.def).toArray(Field[]::new);
        for (int i = 0; i < fields.length; i++) {
            if (!(fields[i].type instanceof TaggedFields tagged)) continue;
            Map<Integer, Field> map = new TreeMap<>(tagged.fields());
            map.replaceAll((tag, f) -> f.type instanceof NullableSchema s ? new Field(f.name, new NullableBehindTag(s)) : f);
            fields[i] = new Field(fields[i].name, new TaggedFields(map));
        }
        return new Schema(fields);
    }

    static Message decode(Class<?> c, ByteBuffer bytes, short version) throws Exception {
        Message message = (Message) c.getConstructor().newInstance();
        message.read(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) throw new IllegalStateException(bytes.remaining() + " bytes are left");
        return message;
    }

    static byte[] encode(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = message.size(cache, version);
        ByteBufferAccessor out = new ByteBufferAccessor(ByteBuffer.allocate(size));
        message.write(out, cache, version);
        if (out.buffer().position() != size) throw new IllegalStateException("the size was told wrongly");
        return out.buffer().array();
    }

    Object value(Type type, int depth) {
        if (type.isNullable() && random.nextInt(5) == 0) return null;
        if (type.isArray()) {
            Object[] items = new Object[depth == 0 ? 0 : random.nextInt(depth + 1)];
            for (int i = 0; i < items.length; i++) items[i] = value(type.arrayElementType().get(), depth - 1);
            return items;
        }
        if (type instanceof Schema schema) return struct(schema, depth);
        if (type instanceof TaggedFields tagged) return tagged(tagged, depth);
        if (type == Type.BOOLEAN) return random.nextBoolean();
        if (type == Type.INT8) return (byte) number();
        if (type == Type.INT16) return (short) number();
        if (type == Type.UINT16) return (int) number() & 0xffff;
        if (type == Type.INT32) return (int) number();
        if (type == Type.UNSIGNED_INT32) return number() & 0xffff_ffffL;
        if (type == Type.INT64) return number();
        if (type == Type.FLOAT64) return random.nextInt(4) == 0 ? 0.0 : random.nextGaussian() * 1e9;
        if (type == Type.UUID) return random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
        String name = type.toString();
        if (name.endsWith("STRING")) return string();
        if (name.endsWith("BYTES")) return ByteBuffer.wrap(bytes());
        if (name.endsWith("RECORDS")) return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
        throw new IllegalArgumentException("no value for type " + name);
    }

    Struct struct(Schema schema, int depth) {
        Struct struct = new Struct(schema);
        for (BoundField field : schema.fields()) struct.set(field, value(field.def.type, depth));
        return struct;
    }

    /** Some of the known tagged fields, and now and then one that nobody knows. */
    NavigableMap<Integer, Object> tagged(TaggedFields type, int depth) {
        NavigableMap<Integer, Object> map = new TreeMap<>();
        type.fields().forEach((tag, field) -> {
            if (random.nextInt(3) > 0) map.put(tag, value(field.type, depth));
        });
        if (random.nextInt(4) == 0) {
            int tag = 50 + random.nextInt(1 << random.nextInt(20));
            if (!type.fields().containsKey(tag)) map.put(tag, new RawTaggedField(tag, bytes()));
        }
        return map;
    }

    /** Small numbers, the ends of every width, and any. */
    long number() {
        switch (random.nextInt(4)) {
            case 0: return random.nextInt(7) - 3;
            case 1: {
                long[] ends = {Byte.MIN_VALUE, Byte.MAX_VALUE, Short.MIN_VALUE, Short.MAX_VALUE, Integer.MIN_VALUE, Integer.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE};
                return ends[random.nextInt(ends.length)];
            }
            default: return random.nextLong();
        }
    }

    String string() {
        int length = random.nextInt(20) == 0 ? 100 + random.nextInt(200) : random.nextInt(12);
        StringBuilder text = new StringBuilder();
        int[] ranges = {'a', 'ä', '中', 0x1F600};
        for (int i = 0; i < length; i++) text.appendCodePoint(ranges[random.nextInt(8) < 5 ? 0 : random.nextInt(4)] + random.nextInt(20));
        return text.toString();
    }

    byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(30) == 0 ? 500 : random.nextInt(20)];
        random.nextBytes(bytes);
        return bytes;
    }

    void read(Path path) throws Exception {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(path)))) {
            while (true) {
                int length;
                try {
                    length = in.readUnsignedShort();
                } catch (EOFException e) {
                    return;
                }
                String name = new String(in.readNBytes(length));
                short version = in.readShort();
                byte[] bytes = in.readNBytes(in.readInt());
                String what = name + " v" + version;
                try {
                    byte[] back = encode(decode(classes.get(name), ByteBuffer.wrap(bytes), version), version);
                    if (Arrays.equals(bytes, back)) passed.add(what);
                    else failed.put(what, HexFormat.of().formatHex(bytes) + " came back as " + HexFormat.of().formatHex(back));
                } catch (Exception e) {
                    failed.put(what, e + " on " + HexFormat.of().formatHex(bytes));
                }
            }
        }
    }
}
