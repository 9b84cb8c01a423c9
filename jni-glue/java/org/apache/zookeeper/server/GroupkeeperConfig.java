package org.apache.zookeeper.server;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * The plugin's options, system properties {@code zookeeper.groupkeeper.*}. ZooKeeper makes a property {@code zookeeper.KEY} of an unknown KEY
 * in zoo.cfg, but takes every key that begins with "group" for a part of a hierarchical quorum, and stops. So in zoo.cfg an option is
 * written with its property's name, {@code zookeeper.groupkeeper.*}, and arrives with the prefix twice.
 */
final class GroupkeeperConfig {

    private static final String PREFIX = "zookeeper.groupkeeper.";
    private static final String FROM_FILE = "zookeeper." + PREFIX;
    private static final List<String> KNOWN = Arrays.asList("keyring", "native", "plaintext-prefixes", "undecryptable-child", "insecure-quorum",
        "require-tls", "path-cache-bytes", "payload-cache-bytes", "lock-memory", "keyring.wait", "refuse-opcodes", "allow-untested",
        "flush-consolidation", "throttler-thread", "agreement", "agreement.max-age", "agreement.max-derivations");

    final String keyring = get("keyring", null);
    final String nativeLibrary = get("native", null);
    final String plaintextPrefixes = get("plaintext-prefixes", null);
    final String refuseOpcodes = get("refuse-opcodes", null);
    final boolean undecryptableFails = choice("undecryptable-child", "omit", "fail").equals("fail");
    final String requireTls = choice("require-tls", "keys", "all", "off");
    final String lockMemory = choice("lock-memory", "try", "require", "off");
    final boolean insecureQuorum = flag("insecure-quorum", false);
    final boolean allowUntested = flag("allow-untested", false);
    final boolean flushConsolidation = flag("flush-consolidation", true);
    final boolean throttlerThread = flag("throttler-thread", false);
    final long pathCacheBytes = number("path-cache-bytes", 64L << 20, " of bytes");
    final long payloadCacheBytes = number("payload-cache-bytes", 64L << 20, " of bytes");
    final long keyringWaitMs = duration("keyring.wait", "0s");
    final boolean agreement = flag("agreement", false);
    final long agreementMaxAgeMs = duration("agreement.max-age", "24h");
    final long agreementMaxDerivations = number("agreement.max-derivations", 0, "; 0: no limit");

    GroupkeeperConfig() throws IOException {
        for (String name : System.getProperties().stringPropertyNames()) {
            String key = name.startsWith(PREFIX) ? name.substring(PREFIX.length())
                : name.startsWith(FROM_FILE) ? name.substring(FROM_FILE.length()) : null;
            if (key != null && !KNOWN.contains(key)) {
                throw new IOException("unknown option groupkeeper." + key + " (hint: did you mean groupkeeper." + nearest(key) + "?)");
            }
        }
        if (keyring == null) {
            throw new IOException("groupkeeper.keyring is not set (hint: make one by `gk-admin keyring init FILE`, and add"
                + " zookeeper.groupkeeper.keyring=FILE to zoo.cfg)");
        }
    }

    private static String get(String key, String otherwise) {
        String v = System.getProperty(PREFIX + key, System.getProperty(FROM_FILE + key));
        return v == null || v.trim().isEmpty() ? otherwise : v.trim();
    }

    private static String choice(String key, String... values) throws IOException {
        String v = get(key, values[0]);
        if (!Arrays.asList(values).contains(v)) {
            throw new IOException("groupkeeper." + key + "=" + v + " (hint: one of " + String.join(", ", values) + ")");
        }
        return v;
    }

    /** Also for a factory without encryption, which has no other options. */
    static boolean flag(String key, boolean otherwise) throws IOException {
        String v = get(key, Boolean.toString(otherwise)).toLowerCase(java.util.Locale.ENGLISH);
        if (Arrays.asList("true", "on", "yes").contains(v)) {
            return true;
        }
        if (Arrays.asList("false", "off", "no").contains(v)) {
            return false;
        }
        throw new IOException("groupkeeper." + key + "=" + v + " (hint: true or false)");
    }

    private static long number(String key, long otherwise, String unit) throws IOException {
        String v = get(key, Long.toString(otherwise));
        try {
            long n = Long.parseLong(v);
            if (n >= 0) {
                return n;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IOException("groupkeeper." + key + "=" + v + " (hint: a number" + unit + ")");
    }

    /** 500ms, 30s, 5m, 1h; a bare number is seconds. */
    private static long duration(String key, String otherwise) throws IOException {
        String v = get(key, otherwise);
        java.util.regex.Matcher m = java.util.regex.Pattern.compile("([0-9]{1,9})(ms|s|m|h)?").matcher(v);
        if (!m.matches()) {
            throw new IOException("groupkeeper." + key + "=" + v + " (hint: like 30s, 5m)");
        }
        String unit = m.group(2) == null ? "s" : m.group(2);
        long scale = unit.equals("ms") ? 1 : unit.equals("s") ? 1000 : unit.equals("m") ? 60_000 : 3_600_000;
        return Long.parseLong(m.group(1)) * scale;
    }

    private static String nearest(String key) {
        return KNOWN.stream().min(java.util.Comparator.comparingInt(k -> k.startsWith(key) ? 0 : distance(k, key))).get();
    }

    /** Levenshtein's edit distance. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int cost = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(cost, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    /** Two configurations that say the same share one codec. */
    String codecKey() {
        return keyring + "|" + plaintextPrefixes + "|" + refuseOpcodes + "|"
            + undecryptableFails + "|" + pathCacheBytes + "|" + payloadCacheBytes + "|" + agreement;
    }
}
