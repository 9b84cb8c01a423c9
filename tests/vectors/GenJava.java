import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Random;
import java.util.Set;
import org.apache.jute.BinaryOutputArchive;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.common.PathUtils;
import org.apache.zookeeper.server.ZooKeeperServer;

/**
 * What ZooKeeper's own classes make of odd input: names that aren't UTF-8, quota texts, session ids. Writes java_names.txt,
 * java_names_digest.txt, java_stats.txt and java_passwords.txt into a folder; always the same on one version of Java and ZooKeeper.
 *
 * usage: java -cp 'build/deps/zookeeper-3.9.5/*' tests/vectors/GenJava.java tests/vectors
 */
public class GenJava {
    private static final String SOURCE = "# Written by tests/vectors/GenJava.java: what %s of ZooKeeper 3.9.5 make%s of it, on Java 17.\n";

    // ---- names --------------------------------------------------------------------------------------------------------------------

    /** As a server reads a string off the wire and writes it back. */
    private static byte[] throughServer(byte[] b) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryOutputArchive.getArchive(out).writeString(new String(b, StandardCharsets.UTF_8), "name");
        byte[] all = out.toByteArray();
        return Arrays.copyOfRange(all, 4, all.length);
    }

    private static boolean valid(byte[] b) {
        try {
            PathUtils.validatePath("/" + new String(b, StandardCharsets.UTF_8));
            return b.length > 0; // "/" alone is valid, as the root
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static void collect(Set<String> out, byte[] prefix, int depth, int[] alphabet) {
        out.add(hex(prefix));
        for (int b : depth > 0 ? alphabet : new int[0]) {
            byte[] next = Arrays.copyOf(prefix, prefix.length + 1);
            next[prefix.length] = (byte) b;
            collect(out, next, depth - 1, alphabet);
        }
    }

    private static void names(PrintStream out) throws IOException {
        Set<String> all = new LinkedHashSet<>();
        collect(all, new byte[0], 2, new int[] {0, 0x1f, '.', 'a', 0x7f, 0x80, 0x9f, 0xa0, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xf0, 0xf4, 0xff});
        for (String s : new String[] {"name", "...", "..a", ".a", "a.", " ", "with space", "\u007f", "\u0080", "\u009f", "\u00a0", "\u00e9", "\u07ff", "\u0800",
            "\u6587\u5b57", "\ud7ff", "\ue000", "\uf8ff", "\uf900", "\uffef", "\ufff0", "\ufffd", "\uffff", "\ud83d\ude00", "\udbff\udfff", "tab\t", "nl\n",
            "a\0", "\0a", "a\1\0"}) {
            all.add(hex(s.getBytes(StandardCharsets.UTF_8)));
        }
        all.addAll(Arrays.asList("e180", "f09080", "ed80c0", "c3", "61c3", "eda080edb080", "f09f9880"));
        Random random = new Random(1);
        int[] lead = {0xc1, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xf8, 0xff};
        int[] other = {0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
        for (int i = 0; i < 700; i++) {
            byte[] b = new byte[1 + random.nextInt(9)];
            for (int j = 0; j < b.length; j++) {
                b[j] = (byte) (random.nextInt(3) == 0 ? lead[random.nextInt(lead.length)] : other[random.nextInt(other.length)]);
            }
            all.add(hex(b));
        }
        for (String h : all) {
            byte[] b = bytes(h);
            out.printf("%nbytes = %s%nserver = %s%nvalid = %d%n", h, hex(throughServer(b)), valid(b) ? 1 : 0);
        }
    }

    /** Digests over many more: SHA-256 of, for each name, its answer's length (1 byte), the answer, and 1 or 0. */
    private static void nameDigests(PrintStream out) throws Exception {
        int[] edge = {0, 0x1f, 0x20, '.', 'A', 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xa3, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xf8, 0xff};
        int[] every = new int[256];
        for (int i = 0; i < 256; i++) {
            every[i] = i;
        }
        int[][][] shapes = {{every}, {every, every}, {every, every, edge}, {every, edge, edge, edge}, {edge, edge, edge, edge},
            {edge, {0xf0, 0xf4, 0xe1, 0xed}, edge, edge, {0x80, 0xbf, 0x41}, {0xc3, 0x20}}};
        for (int[][] shape : shapes) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            long n = walk(digest, new byte[shape.length], 0, shape);
            StringBuilder sets = new StringBuilder();
            for (int[] set : shape) {
                byte[] b = new byte[set.length];
                for (int i = 0; i < b.length; i++) {
                    b[i] = (byte) set[i];
                }
                sets.append(String.format("set = %s%n", hex(b)));
            }
            out.printf("%ncount = %d%nlength = %d%n%ssha256 = %s%n", n, shape.length, sets, hex(digest.digest()));
        }
    }

    private static long walk(MessageDigest digest, byte[] name, int at, int[][] shape) throws IOException {
        long n = 0;
        if (at == name.length) {
            byte[] answer = throughServer(name);
            digest.update((byte) answer.length);
            digest.update(answer);
            digest.update((byte) (valid(name) ? 1 : 0));
            return 1;
        }
        for (int b : shape[at]) {
            if (b != '/') {
                name[at] = (byte) b;
                n += walk(digest, name, at + 1, shape);
            }
        }
        return n;
    }

    // ---- quota texts --------------------------------------------------------------------------------------------------------------

    private static void stats(PrintStream out) {
        Set<String> all = new LinkedHashSet<>(Arrays.asList("", ",", ";", ",,", "=", "==", "a=", "a==", "a===", "a==5", "a=5=", "a=5=6", "=5", "==5",
            "count", "count=", "count==", "count=1", "count=1,", ",count=1", "count=1,bytes=2", "count=1;bytes=2", "count=1,,bytes=2", "count=1,;,bytes=2",
            "count=-1,bytes=-1", "count=+5,bytes=+7", "count=9223372036854775807,bytes=-9223372036854775808", "count=9223372036854775808", "bytes=-9223372036854775809",
            "count=1,count=2", "count=1,bytes=2,countHardLimit=3,byteHardLimit=4", "count= 1", "count =1", " count=1", "count=1 ", "count=1\n", "count=0x1",
            "count=00000000000000000000000000000001", "count=-", "count=+", "count=--1", "count=1,other=2", "bytes=5;bytes=6", "bytes=,count=3",
            "count=5,bytes=-1=;countHardLimit=7", "count=5,bytes==1", "Count=1", "bytes=10,count=1,bytes="));
        String[] parts = {"count", "bytes", "countHardLimit", "byteHardLimit", "x", "=", "=", "=", ",", ",", ";", "0", "1", "42", "-7", "+9", " ", "-", "="};
        Random random = new Random(2);
        while (all.size() < 700) {
            StringBuilder s = new StringBuilder();
            for (int n = random.nextInt(14); n >= 0; n--) {
                s.append(parts[random.nextInt(parts.length)]);
            }
            all.add(s.toString());
        }
        for (String s : all) {
            out.printf("%ntext = %s%n", hex(s.getBytes(StandardCharsets.UTF_8)));
            try {
                StatsTrack t = new StatsTrack(s);
                out.printf("result = GK_OK%ncount = %d%nbytes = %d%ncount hard = %d%nbytes hard = %d%n", t.getCount(), t.getBytes(), t.getCountHardLimit(),
                    t.getByteHardLimit());
            } catch (RuntimeException e) {
                out.printf("result = GK_ERR_MALFORMED%n");
            }
        }
    }

    // ---- session passwords --------------------------------------------------------------------------------------------------------

    private static void passwords(PrintStream out) throws ReflectiveOperationException {
        Method generate = ZooKeeperServer.class.getDeclaredMethod("generatePasswd", long.class);
        generate.setAccessible(true);
        ZooKeeperServer server = new ZooKeeperServer();
        Random random = new Random(3);
        long[] fixed = {1, 2, 0xb3415c00L, 0x5deece66dL, Long.MAX_VALUE, Long.MIN_VALUE, -1, 0x100000000000000L, 0x10000abcdef0001L, 0x7fffffffL, 0xffffffffL};
        for (int i = 0; i < fixed.length + 50; i++) {
            long id = i < fixed.length ? fixed[i] : random.nextLong();
            out.printf("%nsession = %016x%nstock = %s%n", id, hex((byte[]) generate.invoke(server, id)));
        }
    }

    // ---- files --------------------------------------------------------------------------------------------------------------------

    private static String hex(byte[] b) {
        StringBuilder s = new StringBuilder();
        for (byte x : b) {
            s.append(String.format("%02x", x));
        }
        return s.toString();
    }

    private static byte[] bytes(String hex) {
        byte[] b = new byte[hex.length() / 2];
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return b;
    }

    private interface Writer {
        void write(PrintStream out) throws Exception;
    }

    private static void file(String folder, String name, String classes, String verb, Writer writer) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(bytes, false, "UTF-8")) {
            out.printf(SOURCE, classes, verb);
            writer.write(out);
        }
        Files.write(Path.of(folder, name), bytes.toString("UTF-8").replaceAll("(?m) +$", "").getBytes(StandardCharsets.UTF_8));
    }

    public static void main(String[] args) throws Exception {
        String paths = "String, BinaryOutputArchive and PathUtils";
        file(args[0], "java_names.txt", paths, "", GenJava::names);
        file(args[0], "java_names_digest.txt", paths, "", GenJava::nameDigests);
        file(args[0], "java_stats.txt", "StatsTrack", "s", GenJava::stats);
        file(args[0], "java_passwords.txt", "ZooKeeperServer.generatePasswd", "s", GenJava::passwords);
    }
}
