package org.apache.zookeeper.server;

import org.apache.jute.BinaryInputArchive;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Limits. Ciphertext is up to 13 times as long as plaintext (a one-character component grows from 2 bytes to 24). So clients' frames are
 * measured in plaintext against jute.maxbuffer as the operator set it, and the process's own limits, which hold for its log, its
 * snapshots and its peers, are raised before ZooKeeper reads them.
 */
final class GroupkeeperLimits {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperLimits.class);
    private static final String MAX = "jute.maxbuffer";
    private static final String EXTRA = "zookeeper.jute.maxbuffer.extrasize";
    private static final int GROWTH = 13;
    /** A closeSession lists every ephemeral node of a session: it may be far longer than what a client may send. */
    private static final long MIN_EXTRA = 256L << 20;

    /** What a client may send in one frame. */
    static final int MAX_REQUEST = Integer.getInteger(MAX, 0xfffff);
    /** What the server can read back. */
    static final int MAX_STORED;

    static {
        long stored = Math.min((long) MAX_REQUEST * GROWTH, Integer.MAX_VALUE);
        long extra = Math.min(Math.max((long) Integer.getInteger(EXTRA, MAX_REQUEST) * GROWTH, MIN_EXTRA), Integer.MAX_VALUE);
        String oldMax = System.getProperty(MAX);
        String oldExtra = System.getProperty(EXTRA);
        System.setProperty(MAX, Long.toString(stored));
        System.setProperty(EXTRA, Long.toString(extra));
        MAX_STORED = BinaryInputArchive.maxBuffer; // its initialiser reads both properties, once
        restore(MAX, oldMax);
        restore(EXTRA, oldExtra);
        if (MAX_STORED < stored) {
            LOG.warn("jute.maxbuffer was read before the plugin could raise it (a ZooKeeper client ran in this JVM first): requests whose ciphertext"
                + " exceeds {} bytes are refused (hint: -Djute.maxbuffer={})", MAX_STORED, stored);
        }
    }

    private GroupkeeperLimits() {
    }

    private static void restore(String key, String value) {
        if (value == null) {
            System.clearProperty(key);
        } else {
            System.setProperty(key, value);
        }
    }
}
