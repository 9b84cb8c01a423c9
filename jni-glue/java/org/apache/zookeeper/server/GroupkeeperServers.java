package org.apache.zookeeper.server;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.jute.Record;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.MultiOperationRecord;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.StatPersisted;
import org.apache.zookeeper.proto.CreateRequest;
import org.apache.zookeeper.proto.DeleteRequest;
import org.apache.zookeeper.proto.ExistsRequest;
import org.apache.zookeeper.proto.GetChildren2Request;
import org.apache.zookeeper.proto.GetChildren2Response;
import org.apache.zookeeper.proto.GetDataRequest;
import org.apache.zookeeper.proto.GetDataResponse;
import org.apache.zookeeper.proto.SetDataRequest;
import org.apache.zookeeper.server.GroupkeeperServersCnxn.Answer;
import org.apache.zookeeper.server.quorum.LeaderZooKeeperServer;
import org.apache.zookeeper.server.quorum.LearnerHandler;
import org.apache.zookeeper.server.quorum.ReadOnlyZooKeeperServer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Drives the servers' agreement: keeps this server's own session, reads the own nodes, lets native code decide (gk_servers_step) and carries out
 * what it says. Payloads are as stored; no secret passes through here. One thread for the process, on leader, follower, observer and
 * standalone server alike; after an election it renews its session on the new server object.
 */
final class GroupkeeperServers implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperServers.class);

    static final String ROOT = "/zookeeper/groupkeeper";
    private static final String SERVERS = ROOT + "/servers";
    private static final String AGREEMENT = ROOT + "/agreement";
    private static final String CURRENT = AGREEMENT + "/current";
    /** Nobody authenticates as this; servers come with the id of scheme super, which needs no entry. */
    private static final ACL OWN = new ACL(Perms.ALL, new Id("digest", "groupkeeper:-"));
    private static final List<ACL> HIDDEN = Collections.singletonList(OWN);
    private static final List<ACL> READABLE = Arrays.asList(OWN, new ACL(Perms.READ, new Id("world", "anyone")));
    private static final long POLL_MS = 20;
    private static final long IDLE_MS = 250;
    private static final long SERVES_AGAIN_MS = 100;
    /** How long a server may be without a connection to the leader before the leader removes its record, well before its session expires. */
    private static final long ABSENT_MS = 700;
    private static final int STARTED = 1;
    private static final int ACTIVATED = 4;
    private static final int LOST = 8;
    private static final int REFUSED = 16;

    private final GroupkeeperRuntime runtime;
    private final Object lock = new Object();
    private final Map<Long, Long> absentSince = new HashMap<>();
    private volatile ZooKeeperServer latest;
    private boolean dirty = true; // under lock
    private long worker;
    private long session;
    private GroupkeeperServersCnxn cnxn;
    private boolean started;
    private boolean serving;
    private byte[] snapshot;
    private List<Node> nodes = Collections.emptyList();
    private long wakeAt;
    private long touchAt;

    GroupkeeperServers(GroupkeeperRuntime runtime) {
        this.runtime = runtime;
    }

    /** A server has been set up. With the agreement switched off only the nodes that an earlier life left are looked for, to be hidden. */
    void serverStarted(ZooKeeperServer zks) {
        look(zks);
        if (!runtime.config.agreement) {
            return;
        }
        latest = zks;
        synchronized (lock) {
            if (!started) {
                started = true;
                Thread t = new Thread(this, "groupkeeper-servers");
                t.setDaemon(true);
                t.start();
            }
            dirty = true;
            lock.notifyAll();
        }
    }

    /** Tells the codec what of our own stands in the tree. */
    private void look(ZooKeeperServer zks) {
        DataTree tree = zks.getZKDatabase().getDataTree();
        DataNode root = tree.getNode(ROOT);
        if (root == null) {
            return;
        }
        int count = 1;
        for (String path : new String[] {ROOT, SERVERS, AGREEMENT}) {
            DataNode n = tree.getNode(path);
            if (n != null) {
                synchronized (n) {
                    count += n.getChildren().size();
                }
            }
        }
        StatPersisted stat = root.stat;
        GroupkeeperNative.ownSeen(runtime.codec, stat.getCzxid(), root.getData(), count);
    }

    private void changed(WatchedEvent event) {
        ZooKeeperServer zks = latest;
        if (zks != null) {
            look(zks); // on the thread that changed the tree, before it shows the change to clients
        }
        synchronized (lock) {
            dirty = true;
            lock.notifyAll();
        }
    }

    // ---- the loop -------------------------------------------------------------------------------------------------------------------

    @Override
    public void run() {
        worker = runtime.newWorker();
        while (true) {
            try {
                if (ready()) {
                    turn();
                } else {
                    pause(POLL_MS);
                }
            } catch (IOException | RuntimeException e) {
                LOG.debug("Groupkeeper: the servers' agreement waits", e);
                disconnect();
                try {
                    pause(POLL_MS);
                } catch (InterruptedException stop) {
                    return;
                }
            } catch (InterruptedException e) {
                return;
            }
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

    private void serve(boolean on) {
        if (serving != on) {
            serving = on;
            GroupkeeperNative.serversServe(runtime.codec, on);
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
        long id = fresh.connect(session, zks.getMinSessionTimeout());
        if (id == 0) {
            session = 0; // it has expired: begin a new one at the next turn
            return false;
        }
        session = id;
        cnxn = fresh;
        absentSince.clear();
        start(zks);
        makeNodes(zks);
        synchronized (lock) {
            dirty = true;
        }
        return true;
    }

    private void start(ZooKeeperServer zks) throws IOException {
        String error = GroupkeeperNative.serversStart(runtime.codec, Math.max(zks.getServerId(), 1), runtime.config.agreementIdentity,
            runtime.config.agreementMaxAgeMs, runtime.config.agreementMaxDerivations);
        if (error != null) {
            LOG.error("Groupkeeper: the servers' agreement can't start: {}", error);
            throw new IOException(error);
        }
    }

    // ---- nodes ----------------------------------------------------------------------------------------------------------------------

    private byte[] sealed(String path, byte[] data) throws IOException {
        byte[] stored = GroupkeeperNative.ownSeal(worker, path, data);
        if (stored == null) {
            throw new IOException("no native memory or randomness");
        }
        return stored;
    }

    private void makeNodes(ZooKeeperServer zks) throws IOException {
        cnxn.call(OpCode.exists, new ExistsRequest(ROOT, true));
        DataTree tree = zks.getZKDatabase().getDataTree();
        if (tree.getNode(ROOT) == null) {
            ByteBuffer record = ByteBuffer.allocate(9).put((byte) 1).putLong(tree.getNode("/zookeeper").stat.getPzxid());
            make(ROOT, record.array());
        }
        make(SERVERS, new byte[0]);
        make(AGREEMENT, new byte[0]);
    }

    private void make(String path, byte[] data) throws IOException {
        if (latest.getZKDatabase().getDataTree().getNode(path) != null) {
            return;
        }
        int err = cnxn.call(OpCode.create, new CreateRequest(path, sealed(path, data), HIDDEN, CreateMode.PERSISTENT.toFlag())).err;
        if (err != 0 && err != Code.NODEEXISTS.intValue()) {
            throw new IOException(path + ": " + Code.get(err));
        }
    }

    private static final class Node {

        final String name;
        final GetDataResponse got;

        Node(String name, GetDataResponse got) {
            this.name = name;
            this.got = got;
        }
    }

    private static String path(String name) {
        return ROOT + "/" + name;
    }

    /** Adds a node, with a watch on it; one that isn't there is left out, and the watch waits for it. */
    private void read(List<Node> into, String name) throws IOException {
        Answer a = cnxn.call(OpCode.getData, new GetDataRequest(path(name), true));
        if (a.err == 0) {
            into.add(new Node(name, (GetDataResponse) a.record));
        } else if (a.err != Code.NONODE.intValue()) {
            throw new IOException(name + ": " + Code.get(a.err));
        } else if (path(name).equals(CURRENT)) {
            cnxn.call(OpCode.exists, new ExistsRequest(CURRENT, true));
        }
    }

    private void readAll() throws IOException {
        synchronized (lock) {
            dirty = false;
        }
        List<Node> read = new ArrayList<>();
        Answer a = cnxn.call(OpCode.getChildren2, new GetChildren2Request(SERVERS, true));
        if (a.err != 0) {
            throw new IOException(SERVERS + ": " + Code.get(a.err));
        }
        for (String child : ((GetChildren2Response) a.record).getChildren()) {
            read(read, "servers/" + child);
        }
        read(read, "agreement/current");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeShort(read.size());
        for (Node n : read) {
            byte[] name = n.name.getBytes(StandardCharsets.UTF_8);
            byte[] data = n.got.getData() == null ? new byte[0] : n.got.getData();
            out.writeShort(name.length);
            out.write(name);
            out.writeInt(n.got.getStat().getVersion());
            out.writeByte(n.got.getStat().getEphemeralOwner() == session ? 1 : 0);
            out.writeInt(data.length);
            out.write(data);
        }
        nodes = read;
        snapshot = bytes.toByteArray();
    }

    // ---- one turn -------------------------------------------------------------------------------------------------------------------

    private static long nowMs() {
        return System.nanoTime() / 1_000_000;
    }

    private void turn() throws IOException, InterruptedException {
        boolean reread;
        synchronized (lock) {
            reread = dirty || snapshot == null;
        }
        if (reread) {
            readAll();
        } else if (nowMs() >= touchAt) {
            cnxn.call(OpCode.exists, new ExistsRequest(ROOT, false)); // keeps the session alive
        }
        touchAt = nowMs() + cnxn.getSessionTimeout() / 4;
        if (reread || nowMs() >= wakeAt) {
            step();
        }
        removeAbsent();
        if (!cnxn.usable()) {
            return;
        }
        pause(Math.min(Math.min(Math.max(wakeAt - nowMs(), 1), Math.max(touchAt - nowMs(), 1)), IDLE_MS));
    }

    private void step() throws IOException {
        byte[] done = GroupkeeperNative.serversStep(worker, snapshot);
        if (done == null) {
            wakeAt = nowMs() + SERVES_AGAIN_MS;
            return;
        }
        serve(true);
        ByteBuffer in = ByteBuffer.wrap(done);
        wakeAt = nowMs() + Math.min(in.getInt() & 0xffffffffL, 1000);
        report(in.getInt());
        int writes = in.get();
        for (int i = 0; i < writes; i++) {
            write(in);
        }
        if (writes > 0) { // whatever came of them: read again
            synchronized (lock) {
                dirty = true;
            }
        }
    }

    private void report(int events) {
        if ((events & (STARTED | ACTIVATED | LOST)) != 0) {
            LOG.info("Groupkeeper: the servers' agreement {}: {}",
                (events & ACTIVATED) != 0 ? "is in use" : (events & STARTED) != 0 ? "begins" : "in force isn't known here",
                GroupkeeperNative.serversStatus(runtime.codec));
        }
        if ((events & REFUSED) != 0) {
            LOG.warn("Groupkeeper: ignored a record or message of the servers' agreement that isn't authentic (hint: a server without this keyring's"
                + " entry for it, or somebody changed the data)");
        }
    }

    /** Carries out one write of gk_servers_step. */
    private void write(ByteBuffer in) throws IOException {
        int op = in.get();
        boolean ephemeral = in.get() != 0;
        int version = in.getInt();
        byte[] name = new byte[in.getShort()];
        in.get(name);
        byte[] data = new byte[in.getInt()];
        in.get(data);
        String path = path(new String(name, StandardCharsets.UTF_8));
        List<ACL> acl = path.equals(CURRENT) ? READABLE : HIDDEN;
        CreateMode mode = ephemeral ? CreateMode.EPHEMERAL : CreateMode.PERSISTENT;
        Answer a;
        if (op == 1) {
            a = cnxn.call(OpCode.create, new CreateRequest(path, data, acl, mode.toFlag()));
        } else if (op == 2) {
            a = cnxn.call(OpCode.setData, new SetDataRequest(path, data, version));
        } else {
            a = cnxn.call(OpCode.multi, new MultiOperationRecord(Arrays.asList(Op.delete(path, version), Op.create(path, data, acl, mode))));
        }
        LOG.debug("Groupkeeper: write {} of {} (version {}): {}", op, path, version, Code.get(a.err));
    }

    // ---- servers that are gone ------------------------------------------------------------------------------------------------------

    /**
     * The leader knows which voters are connected before sessions expire, so a run needn't wait for those who can't answer. (Observers may be
     * connected to a follower instead.)
     */
    private void removeAbsent() throws IOException {
        ZooKeeperServer zks = cnxn.server();
        if (!(zks instanceof LeaderZooKeeperServer)) {
            return;
        }
        Set<Long> absent = absentVoters((LeaderZooKeeperServer) zks);
        absentSince.keySet().retainAll(absent);
        long now = nowMs();
        for (Node n : nodes) {
            long id = n.name.matches("servers/[0-9]{1,18}") ? Long.parseLong(n.name.substring("servers/".length())) : -1;
            if (!absent.contains(id)) {
                continue;
            }
            Long since = absentSince.putIfAbsent(id, now);
            if (since != null && now - since > ABSENT_MS) {
                absentSince.remove(id);
                Record delete = new DeleteRequest(path(n.name), n.got.getStat().getVersion());
                LOG.info("Groupkeeper: server {} has no connection to this leader: its record is removed ({})", id,
                    Code.get(cnxn.call(OpCode.delete, delete).err));
                synchronized (lock) {
                    dirty = true;
                }
            }
        }
    }

    private static Set<Long> absentVoters(LeaderZooKeeperServer zks) {
        Set<Long> ids = new HashSet<>(zks.self.getQuorumVerifier().getVotingMembers().keySet());
        ids.remove(zks.getServerId());
        for (LearnerHandler handler : zks.getLeader().getLearners()) {
            ids.remove(SequencePrepRequestProcessor.sidOf(handler));
        }
        return ids;
    }
}
