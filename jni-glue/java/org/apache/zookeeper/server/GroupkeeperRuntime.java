package org.apache.zookeeper.server;

import io.netty.util.concurrent.FastThreadLocal;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.zookeeper.metrics.MetricsContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all connections of a process share: options, the native codec, a native worker for each event loop, metrics. One for each
 * configuration, kept for the life of the process (a second factory, for secureClientPort, finds the same one).
 */
final class GroupkeeperRuntime {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperRuntime.class);
    private static final Map<String, GroupkeeperRuntime> RUNTIMES = new HashMap<>();
    private static final List<String> COUNTERS = Arrays.asList("gk_requests", "gk_replies", "gk_refused", "gk_decrypt_failures",
        "gk_path_cache_hits", "gk_path_cache_misses", "gk_payload_cache_hits", "gk_foreign_writes", "gk_wrong_session_passwords", "gk_derivations",
        "gk_key_reads_refused", "gk_key_reads_later", "gk_native_ns");

    final GroupkeeperConfig config;
    final long codec;
    final GroupkeeperServers servers = new GroupkeeperServers(this);
    private volatile boolean keyringConfirmed;
    private static final long WARN_EVERY_NS = 10_000_000_000L;
    /** So many names that aren't ours, and none that is, prove another keyring; fewer may be what somebody planted. */
    private static final int FOREIGN_ENOUGH = 16;
    private final AtomicLong lastWarning = new AtomicLong();
    private final AtomicLong lastRefusal = new AtomicLong();
    private final AtomicLong lastAgreementWarning = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    /** The native worker of an event loop; native contexts belong to one thread. */
    final FastThreadLocal<Long> worker = new FastThreadLocal<Long>() {
        @Override
        protected Long initialValue() {
            return newWorker();
        }

        @Override
        protected void onRemoval(Long handle) {
            GroupkeeperNative.workerFree(handle);
        }
    };

    private GroupkeeperRuntime(GroupkeeperConfig config) throws IOException {
        this.config = config;
        this.codec = open(config);
        checkLocked();
        LOG.info("Groupkeeper: names and payloads are encrypted under keyring {} (fingerprint {}); requests up to {} bytes, stored up to {}",
            config.keyring, GroupkeeperNative.fingerprint(codec), GroupkeeperLimits.MAX_REQUEST, GroupkeeperLimits.MAX_STORED);
    }

    static synchronized GroupkeeperRuntime get() throws IOException {
        GroupkeeperConfig config = new GroupkeeperConfig();
        GroupkeeperSelfCheck.run(config.allowUntested);
        GroupkeeperNative.load(config.nativeLibrary, !config.lockMemory.equals("off"));
        GroupkeeperRuntime r = RUNTIMES.get(config.codecKey());
        if (r == null) {
            r = new GroupkeeperRuntime(config);
            RUNTIMES.put(config.codecKey(), r);
        }
        r.registerMetrics();
        return r;
    }

    private static long open(GroupkeeperConfig config) throws IOException {
        long[] codec = new long[1];
        long deadline = System.nanoTime() + config.keyringWaitMs * 1_000_000;
        for (boolean said = false;; said = true) {
            String error = GroupkeeperNative.codecNew(config.keyring, config.pathCacheBytes, config.payloadCacheBytes / GroupkeeperTuning.eventLoops(),
                GroupkeeperLimits.MAX_REQUEST, GroupkeeperLimits.MAX_STORED, config.undecryptableFails, config.plaintextPrefixes,
                config.refuseOpcodes, config.agreement, codec);
            if (error == null) {
                return codec[0];
            }
            boolean mayCome = error.startsWith("wait: ");
            String text = mayCome ? error.substring(6) : error;
            if (!mayCome || System.nanoTime() >= deadline) {
                throw new IOException(text);
            }
            if (!said) {
                LOG.warn("Groupkeeper: {}; waiting up to {} ms for it (groupkeeper.keyring.wait)", text, config.keyringWaitMs);
            }
            try {
                Thread.sleep(200);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while waiting for " + config.keyring, e);
            }
        }
    }

    /** Keys lie in memory of their own, which should never reach a swap device. */
    private void checkLocked() throws IOException {
        GroupkeeperNative.workerFree(newWorker()); // so that what a connection needs is in the figures
        long[] bytes = new long[2];
        GroupkeeperNative.arenaStats(bytes);
        if (config.lockMemory.equals("off") || bytes[1] == bytes[0]) {
            return;
        }
        String text = (bytes[0] - bytes[1]) + " of " + bytes[0] + " bytes of key memory can't be locked in RAM (hint: LimitMEMLOCK=infinity in the"
            + " systemd unit, or ulimit -l; encrypted swap, or none; groupkeeper.lock-memory=off says that it doesn't matter)";
        if (config.lockMemory.equals("require")) {
            throw new IOException(text);
        }
        LOG.warn("Groupkeeper: {}", text);
    }

    /** A worker for the calling thread's own use; free it by {@link GroupkeeperNative#workerFree}. */
    long newWorker() {
        long handle = GroupkeeperNative.workerNew(codec);
        if (handle == 0) {
            throw new OutOfMemoryError("Groupkeeper: no memory for a native worker");
        }
        return handle;
    }

    /**
     * Whether the tree that this server holds was written under this keyring. Looked at, with each packet, until a first name of the tree
     * tells; an empty tree says nothing, and a leader with another keyring refuses what this server forwards meanwhile.
     */
    boolean keyringFits(ZooKeeperServer zks) {
        if (keyringConfirmed || zks == null || !zks.isRunning()) {
            return true;
        }
        DataNode root = zks.getZKDatabase().getDataTree().getNode("/");
        String[] names;
        synchronized (root) {
            Set<String> children = root.getChildren();
            if (children.size() == 1) {
                return true;
            }
            names = children.toArray(new String[0]);
        }
        int foreign = 0;
        for (String name : names) { // one that is ours will do: others may be damaged, and are left out of listings
            int judgement = GroupkeeperNative.judgeChild(worker.get(), name.getBytes(java.nio.charset.StandardCharsets.UTF_8));
            if (judgement > 0) {
                keyringConfirmed = true;
                return true;
            }
            if (judgement < 0 && ++foreign == FOREIGN_ENOUGH) {
                return false;
            }
        }
        return foreign == 0;
    }

    /** Says at most every ten seconds that connections were refused, and how many. */
    void warnOfRefusal(java.net.SocketAddress client, String reason) {
        refused.incrementAndGet();
        if (due(lastRefusal)) {
            LOG.error("Groupkeeper: closed {} connection(s), the last to {}: {}", refused.getAndSet(0), client, reason);
        }
    }

    /** Says, at most every ten seconds, what hinders the servers' agreement. */
    void warnOfAgreement(String text) {
        if (due(lastAgreementWarning)) {
            LOG.error("Groupkeeper: the servers' agreement: {}", text);
        }
    }

    private static boolean due(AtomicLong last) {
        long now = System.nanoTime();
        long before = last.get();
        return (before == 0 || now - before > WARN_EVERY_NS) && last.compareAndSet(before, now);
    }

    /** Says, at most every ten seconds, that something stored couldn't be decrypted. */
    void warnOfDecryptFailures(java.net.SocketAddress client) {
        if (due(lastWarning)) {
            LOG.warn("Groupkeeper: stored names or payloads can't be decrypted, {} so far, the last in a reply to {} (hint: somebody changed the data on"
                + " disk, or another keyring wrote it; what was asked for got DATAINCONSISTENCY or was left out)",
                counter(COUNTERS.indexOf("gk_decrypt_failures")), client);
        }
    }

    private void registerMetrics() {
        MetricsContext context = ServerMetrics.getMetrics().getMetricsProvider().getRootContext();
        for (int i = 0; i < COUNTERS.size(); i++) {
            int index = i;
            context.registerGauge(COUNTERS.get(i), () -> counter(index));
        }
        context.registerGauge("gk_agreement_runs", () -> GroupkeeperNative.serversRuns(codec));
    }

    private long counter(int index) {
        long[] values = new long[COUNTERS.size()];
        GroupkeeperNative.counters(codec, values);
        return values[index];
    }
}
