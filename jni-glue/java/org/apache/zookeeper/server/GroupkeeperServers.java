package org.apache.zookeeper.server;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.server.GroupkeeperOwnNodes.Node;
import org.apache.zookeeper.server.quorum.LeaderZooKeeperServer;
import org.apache.zookeeper.server.quorum.LearnerHandler;
import org.apache.zookeeper.server.quorum.ReadOnlyZooKeeperServer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Drives the servers' agreement: keeps this server's own session, reads the own nodes, lets native code decide (gk_servers_step) and carries out
 * what it says. No secret passes through here. One thread for the process, on leader, follower, observer and standalone server alike;
 * after an election it renews its session on the new server object.
 */
final class GroupkeeperServers implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperServers.class);

    private static final long POLL_MS = 20;
    private static final long IDLE_MS = 250;
    private static final long RETRY_MS = 100;
    private static final long STEP_AT_LEAST_EVERY_MS = 1000;
    /** Longer than an election's pauses; who is gone sooner than this, the leader sees. */
    private static final int SESSION_MS = 4000;
    /** How long a server that lost its connection to the leader keeps its record. */
    private static final long LOST_MS = 250;
    /** The same for a voter that hasn't been connected to this leader yet. */
    private static final long ABSENT_MS = 800;
    private static final long ABSENT_POLL_MS = 50;
    /** gk_agreement_event in gk_agreement.h. */
    private static final int STARTED = 1;
    private static final int ACTIVATED = 4;
    private static final int LOST = 8;
    private static final int REFUSED = 16;

    private final GroupkeeperRuntime runtime;
    private final Object lock = new Object();
    private final Map<Long, Long> absentSince = new HashMap<>();
    private final Set<Long> learners = new HashSet<>(); // that have been connected to this leader
    private volatile ZooKeeperServer latest;
    private boolean started; // under lock
    private boolean dirty = true; // under lock
    private long worker;
    private long session;
    private GroupkeeperServersCnxn cnxn;
    private GroupkeeperOwnNodes own;
    private boolean serving; // under lock
    private byte[] snapshot;
    private List<Node> nodes = Collections.emptyList();
    private long wakeAt;
    private long touchAt;

    GroupkeeperServers(GroupkeeperRuntime runtime) {
        this.runtime = runtime;
    }

    /** A server has been set up. With the agreement switched off only the nodes that an earlier life left are looked for, to be hidden. */
    void serverStarted(ZooKeeperServer zks) {
        GroupkeeperOwnNodes.look(zks, runtime.codec);
        if (!runtime.config.agreement) {
            return;
        }
        synchronized (lock) {
            latest = zks;
            serve(false); // it may be a read-only one: its tree is an old one, and no client's connection has it as yet
            if (!started) {
                started = true;
                Thread t = new Thread(this, "groupkeeper-servers");
                t.setDaemon(true);
                t.start();
            }
        }
        markDirty();
    }

    private void markDirty() {
        synchronized (lock) {
            dirty = true;
            lock.notifyAll();
        }
    }

    private void changed(WatchedEvent event) {
        ZooKeeperServer zks = latest;
        if (zks != null) {
            GroupkeeperOwnNodes.look(zks, runtime.codec); // on the thread that changed the tree, before it shows the change to clients
        }
        markDirty();
    }

    // ---- the loop -------------------------------------------------------------------------------------------------------------------

    @Override
    public void run() {
        worker = runtime.newWorker();
        try {
            while (true) {
                try {
                    pause(ready() ? turn() : POLL_MS);
                } catch (IOException | RuntimeException e) { // an election, mostly: begin anew on the next server object
                    LOG.debug("Groupkeeper: the servers' agreement waits", e);
                    disconnect();
                    pause(POLL_MS);
                }
            }
        } catch (InterruptedException e) {
            disconnect();
        }
    }

    /** Waits until something changed, for ms at most. */
    private void pause(long ms) throws InterruptedException {
        synchronized (lock) {
            if (!dirty || cnxn == null) {
                lock.wait(ms);
            }
        }
    }

    /** Whether key reads get keys: only as long as the server that the last step was about is the one that clients are connected to. */
    private void serve(boolean on) {
        synchronized (lock) {
            boolean now = on && cnxn != null && cnxn.server() == latest;
            if (serving != now) {
                serving = now;
                GroupkeeperNative.serversServe(runtime.codec, now);
            }
        }
    }

    private void disconnect() {
        serve(false);
        if (cnxn != null) {
            cnxn.leave();
            cnxn = null;
        }
    }

    /** Whether there is a session on a server that serves; makes one. */
    private boolean ready() throws IOException {
        ZooKeeperServer zks = latest;
        if (cnxn != null && cnxn.server() == zks && cnxn.usable()) {
            return true;
        }
        disconnect();
        if (zks == null || !zks.isRunning() || zks instanceof ReadOnlyZooKeeperServer || !GroupkeeperHook.ready(zks)) {
            return false;
        }
        GroupkeeperServersCnxn fresh = new GroupkeeperServersCnxn(zks, this::changed);
        session = fresh.connect(session, Math.max(SESSION_MS, zks.getMinSessionTimeout()));
        if (session == 0) { // it has expired: begin a new one at the next turn
            return false;
        }
        cnxn = fresh;
        own = new GroupkeeperOwnNodes(cnxn, worker);
        snapshot = null;
        absentSince.clear();
        learners.clear();
        start(zks);
        own.make();
        return true;
    }

    private void start(ZooKeeperServer zks) throws IOException {
        String error = GroupkeeperNative.serversStart(runtime.codec, Math.max(zks.getServerId(), 1), runtime.config.agreementMaxAgeMs,
            runtime.config.agreementMaxDerivations);
        if (error != null) {
            runtime.warnOfAgreement(error);
            throw new IOException(error);
        }
    }

    // ---- one turn -------------------------------------------------------------------------------------------------------------------

    private static long nowMs() {
        return System.nanoTime() / 1_000_000;
    }

    /** How long to wait for the next one. */
    private long turn() throws IOException {
        boolean reread;
        synchronized (lock) {
            reread = dirty || snapshot == null;
            dirty = false;
        }
        boolean touch = reread || nowMs() >= touchAt; // any request keeps the session alive
        if (reread) {
            nodes = own.read();
            snapshot = own.snapshot(nodes);
        } else if (touch) {
            own.touch();
        }
        if (touch) {
            touchAt = nowMs() + cnxn.getSessionTimeout() / 4;
        }
        if (reread || nowMs() >= wakeAt) {
            step();
        }
        long idle = removeAbsent() ? ABSENT_POLL_MS : IDLE_MS;
        return Math.max(1, Math.min(idle, Math.min(wakeAt, touchAt) - nowMs()));
    }

    private void step() throws IOException {
        byte[] done = GroupkeeperNative.serversStep(worker, snapshot);
        if (done == null) {
            wakeAt = nowMs() + RETRY_MS;
            return;
        }
        serve(true);
        ByteBuffer in = ByteBuffer.wrap(done);
        wakeAt = nowMs() + Math.min(in.getInt() & 0xffffffffL, STEP_AT_LEAST_EVERY_MS);
        report(in.getInt());
        int writes = in.get();
        for (int i = 0; i < writes; i++) {
            own.write(in);
        }
        if (writes > 0) { // whatever came of them
            markDirty();
        }
    }

    private void report(int events) {
        if ((events & (STARTED | ACTIVATED | LOST)) != 0) {
            LOG.info("Groupkeeper: the servers' agreement {}: {}",
                (events & ACTIVATED) != 0 ? "is in use" : (events & STARTED) != 0 ? "begins" : "in force isn't known here",
                GroupkeeperNative.serversStatus(runtime.codec));
        }
        if ((events & REFUSED) != 0) {
            runtime.warnOfAgreement("ignored a record or message that isn't authentic (hint: a server without its entry in this keyring, or somebody"
                + " changed the data)");
        }
    }

    // ---- servers that are gone ------------------------------------------------------------------------------------------------------

    /**
     * The leader knows which servers are connected before sessions expire, so a run needn't wait for those who can't answer. (An observer that it
     * has never seen may be connected to a follower.)
     *
     * @return whether some are absent
     */
    private boolean removeAbsent() throws IOException {
        ZooKeeperServer zks = cnxn.server();
        if (!(zks instanceof LeaderZooKeeperServer)) {
            return false;
        }
        Set<Long> absent = absent((LeaderZooKeeperServer) zks);
        absentSince.keySet().retainAll(absent);
        long now = nowMs();
        for (Node n : nodes) {
            long patience = learners.contains(n.server()) ? LOST_MS : ABSENT_MS;
            if (absent.contains(n.server()) && now - absentSince.computeIfAbsent(n.server(), id -> now) > patience) {
                own.remove(n);
                markDirty();
            }
        }
        return !absentSince.isEmpty();
    }

    private Set<Long> absent(LeaderZooKeeperServer zks) {
        Set<Long> connected = new HashSet<>();
        for (LearnerHandler handler : zks.getLeader().getLearners()) {
            connected.add(SequencePrepRequestProcessor.sidOf(handler));
        }
        learners.addAll(connected);
        Set<Long> absent = new HashSet<>(zks.self.getQuorumVerifier().getVotingMembers().keySet());
        absent.addAll(learners);
        absent.removeAll(connected);
        absent.remove(zks.getServerId());
        return absent;
    }
}
