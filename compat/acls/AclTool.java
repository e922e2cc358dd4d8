// What command lines print, one line for each of them: AclTool BOOTSTRAP CONTROLLER FOLDER PROGRAM FILE...
//
// A file's name is that of the tool which its lines are for. PROGRAM has the tools as `PROGRAM TOOL`; `-` runs Kafka's own, all in
// this JVM. In a command line `@` and `@NAME` stand for --bootstrap-server BOOTSTRAP --command-config FOLDER/root.properties (or
// NAME.properties), `@controller` for --bootstrap-controller CONTROLLER, `@token` for a login with the delegation token made last,
// and `@hmac` for that token's HMAC. Lines are sorted, for Kafka prints sets in the order of their hashes; what differs from run to
// run has a name in its place, and dates are minutes from now.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.*;
import java.util.*;
import java.util.regex.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.utils.Exit;

public class AclTool {
    static class Ended extends RuntimeException {
        final int code;
        Ended(int code) { this.code = code; }
    }

    static final Map<String, String> CLASSES = Map.of("kafka-acls", "org.apache.kafka.tools.AclCommand", "kafka-configs", "kafka.admin.ConfigCommand",
        "kafka-delegation-tokens", "org.apache.kafka.tools.DelegationTokenCommand");
    static final Pattern MADE = Pattern.compile("(?m)^(\\S{22}) (\\S{86}==) ");
    static final Pattern DATE = Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d");
    static String bootstrap, controller, program;
    static Path folder;
    static String id = "none", hmac = "bm9uZQ==";

    record Said(int code, String out, String err) {}

    /** Minutes from now, to the next multiple of 5, so that a minute that passes changes nothing. */
    static String minutes(MatchResult date) {
        long minutes = Duration.between(LocalDateTime.now(), LocalDateTime.parse(date.group())).toMinutes();
        return "(" + Math.round(minutes / 5.0) * 5 + " min)";
    }

    static String named(String text) {
        text = DATE.matcher(text).replaceAll(AclTool::minutes);
        text = text.replaceAll("\\S{86}==", "HMAC").replaceAll("(?m)^\\S{22} HMAC", "ID HMAC");
        return text.replaceAll("(tokenId : )\\S+", "$1ID").replace(hmac, "HMAC");
    }

    static String sorted(String text) {
        return named(text).lines().map(String::strip).filter(line -> !line.isEmpty() && !line.matches("(at |Caused by: |\\.\\.\\. |[a-z]+\\.[A-Za-z.]+Exception).*"))
            .sorted().collect(Collectors.joining("|"));
    }

    static List<String> words(String line) throws IOException {
        var words = new ArrayList<String>();
        for (String word : line.trim().split("\\s+")) {
            switch (word) {
                case "@controller" -> words.addAll(List.of("--bootstrap-controller", controller));
                case "@hmac" -> words.add(hmac);
                default -> {
                    if (!word.startsWith("@")) words.add(word);
                    else words.addAll(List.of("--bootstrap-server", bootstrap, "--command-config", folder.resolve((word.length() == 1 ? "root" : word.substring(1)) + ".properties").toString()));
                }
            }
        }
        return words;
    }

    static Said inThisJvm(String tool, List<String> words) throws Exception {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true));
        System.setErr(new PrintStream(err, true));
        int code = 0;
        try {
            Class.forName(CLASSES.get(tool)).getMethod("main", String[].class).invoke(null, (Object) words.toArray(String[]::new));
        } catch (java.lang.reflect.InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended ended)) throw thrown;
            code = ended.code;
        }
        return new Said(code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    static Said ofProgram(String tool, List<String> words) throws Exception {
        var command = new ArrayList<>(List.of(program, tool));
        command.addAll(words);
        Path err = Files.createTempFile(folder, "err", "");
        var process = new ProcessBuilder(command).redirectError(err.toFile()).start();
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.waitFor();
        String said = Files.readString(err);
        Files.delete(err);
        return new Said(code, out, said);
    }

    static String tokens(Admin admin) throws Exception {
        return admin.describeDelegationToken().delegationTokens().get().stream().map(token -> token.tokenInfo().tokenId() + token.tokenInfo().expiryTimestamp()).sorted().toList().toString();
    }

    /** Runs a line; where it changed tokens, waits until the broker has heard of that. */
    static Said run(String tool, String line, Admin admin) throws Exception {
        boolean changes = tool.equals("kafka-delegation-tokens") && !line.contains("--describe");
        String before = changes ? tokens(admin) : "";
        Said said = program.equals("-") ? inThisJvm(tool, words(line)) : ofProgram(tool, words(line));
        var made = MADE.matcher(said.out);
        if (line.contains("--create") && made.find()) {
            id = made.group(1);
            hmac = made.group(2);
            String login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + id + "\" password=\"" + hmac + "\" tokenauth=true;";
            Files.writeString(folder.resolve("token.properties"), "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=" + login + "\n");
        }
        for (int tries = 0; changes && said.code == 0 && tries < 100 && tokens(admin).equals(before); tries++) Thread.sleep(100);
        return said;
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        controller = args[1];
        folder = Path.of(args[2]);
        program = args[3];
        PrintStream real = System.out;
        Exit.setExitProcedure((code, message) -> {
            // The tool catches all that is thrown and tells of it.
            System.setOut(new PrintStream(OutputStream.nullOutputStream()));
            System.setErr(new PrintStream(OutputStream.nullOutputStream()));
            throw new Ended(code);
        });
        var config = new Properties();
        try (var reader = Files.newBufferedReader(folder.resolve("root.properties"))) {
            config.load(reader);
        }
        config.put("bootstrap.servers", bootstrap);
        Admin admin = Admin.create(config);
        for (String file : List.of(args).subList(4, args.length)) {
            String tool = Path.of(file).getFileName().toString().replace(".txt", "");
            for (String line : Files.readAllLines(Path.of(file))) {
                if (line.isBlank() || line.startsWith("#")) continue;
                Said said = run(tool, line, admin);
                String reason = said.code == 0 ? "" : named(said.err).lines().filter(text -> !text.isBlank()).findFirst().orElse("");
                real.println(tool + " " + line.trim() + " -> " + said.code + " " + sorted(said.out) + " " + reason);
            }
        }
        real.flush();
        Runtime.getRuntime().halt(0);
    }
}
