package org.apache.zookeeper.server;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.proto.ConnectRequest;
import org.apache.zookeeper.proto.ConnectResponse;
import org.apache.zookeeper.proto.ReplyHeader;
import org.apache.zookeeper.proto.RequestHeader;
import org.apache.zookeeper.server.quorum.UpgradeableSessionTracker;
import org.apache.zookeeper.txn.CreateSessionTxn;

/**
 * The server's own session: a connection without a wire. Requests enter where stock's connections hand theirs in, below the codec, so paths and
 * payloads are in stored form here. Used by one thread; replies and events come from the server's.
 */
final class GroupkeeperServersCnxn extends ServerCnxn {

    /** What the own nodes' ACL admits (GroupkeeperServers.OWN): nothing a client could authenticate as. */
    private static final List<Id> IDENTITY = Collections.singletonList(new Id("super", "groupkeeper"));
    private static final long PATIENCE_MS = 4000;
    private static final long SLICE_MS = 20;

    /** One answer: err, and the record unless it is an error. */
    static final class Answer {

        final int err;
        final Record record;

        Answer(int err, Record record) {
            this.err = err;
            this.record = record;
        }
    }

    private final Map<Integer, CompletableFuture<Answer>> waiting = new ConcurrentHashMap<>();
    private final CompletableFuture<ConnectResponse> connected = new CompletableFuture<>();
    private final Consumer<WatchedEvent> watcher;
    private volatile boolean closed;
    private volatile long sessionId;
    private volatile int sessionTimeout;
    private int xid;

    /** @param watcher called on the server's threads */
    GroupkeeperServersCnxn(ZooKeeperServer zks, Consumer<WatchedEvent> watcher) {
        super(zks);
        this.watcher = watcher;
    }

    ZooKeeperServer server() {
        return zkServer;
    }

    boolean usable() {
        return !closed && zkServer.isRunning();
    }

    // ---- what the driver calls ------------------------------------------------------------------------------------------------------

    /**
     * Renews session, or with 0 begins a new one.
     *
     * @return the session's id; 0 when the old one has expired
     */
    long connect(long session, int timeout) throws IOException {
        byte[] password = session == 0 ? new byte[16] : zkServer.generatePasswd(session);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new ConnectRequest(0, 0, timeout, session, password, false).serialize(BinaryOutputArchive.getArchive(bytes), "connect");
        BinaryInputArchive archive = BinaryInputArchive.getArchive(new ByteArrayInputStream(bytes.toByteArray()));
        try {
            zkServer.processConnectRequest(this, protocolManager.deserializeConnectRequest(archive));
        } catch (ClientCnxnLimitException e) {
            throw new IOException(e); // the operator's throttle: later
        }
        long id = await(connected).getSessionId();
        if (id != 0 && session == 0) {
            makeGlobal(id);
        }
        return id;
    }

    /** Where sessions begin as local ones they can't own ephemerals. Stock upgrades them only where an operator allows it; this one must be. */
    private void makeGlobal(long id) throws IOException {
        if (!(zkServer.sessionTracker instanceof UpgradeableSessionTracker)) {
            return;
        }
        UpgradeableSessionTracker tracker = (UpgradeableSessionTracker) zkServer.sessionTracker;
        int timeout = tracker.isLocalSession(id) ? tracker.upgradeSession(id) : -1;
        if (timeout <= 0) {
            return;
        }
        Request request = new Request(null, id, 0, OpCode.createSession, RequestRecord.fromRecord(new CreateSessionTxn(timeout)), null);
        try {
            zkServer.firstProcessor.processRequest(request);
        } catch (RequestProcessor.RequestProcessorException e) {
            throw new IOException(e);
        }
    }

    /** Sends a request and waits for its answer. The record mustn't be changed afterwards. */
    Answer call(int type, Record record) throws IOException {
        int id = ++xid;
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        waiting.put(id, answer);
        try {
            incrOutstandingAndCheckThrottle(new RequestHeader(id, type));
            Request request = new Request(this, sessionId, id, type, RequestRecord.fromRecord(record), IDENTITY);
            request.setOwner(ServerCnxn.me);
            zkServer.submitRequest(request);
            return await(answer);
        } finally {
            waiting.remove(id);
        }
    }

    private <T> T await(CompletableFuture<T> answer) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        while (true) {
            try {
                return answer.get(SLICE_MS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                if (!usable() || System.nanoTime() > deadline) {
                    throw new IOException(closed ? "the session was closed" : "no answer");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException(e);
            } catch (ExecutionException e) {
                throw new IOException(e);
            }
        }
    }

    /** Leaves without closing the session, which the next connection renews. */
    void leave() {
        closed = true;
        ServerCnxnFactory factory = zkServer.getServerCnxnFactory();
        if (factory != null) {
            factory.sessionMap.remove(sessionId, this);
        }
        zkServer.getZKDatabase().removeCnxn(this);
    }

    // ---- what the server calls ------------------------------------------------------------------------------------------------------

    @Override
    public int sendResponse(ReplyHeader h, Record r, String tag, String cacheKey, Stat stat, int opCode) {
        decrOutstandingAndCheckThrottle(h);
        CompletableFuture<Answer> answer = waiting.get(h.getXid());
        if (answer != null) {
            answer.complete(new Answer(h.getErr(), r));
        }
        return 0;
    }

    @Override
    public void process(WatchedEvent event, List<ACL> znodeAcl) {
        watcher.accept(event);
    }

    /** The answer to a connect request, or the sign to close. */
    @Override
    void sendBuffer(ByteBuffer... buffers) {
        if (buffers.length == 1 && buffers[0] == ServerCnxnFactory.closeConn) {
            close(DisconnectReason.CLIENT_CLOSED_CONNECTION);
            return;
        }
        try {
            ByteBuffer b = buffers[0].duplicate();
            b.getInt(); // the frame's length
            byte[] body = new byte[b.remaining()];
            b.get(body);
            connected.complete(protocolManager.deserializeConnectResponse(BinaryInputArchive.getArchive(new ByteArrayInputStream(body))));
        } catch (IOException | RuntimeException e) {
            connected.completeExceptionally(e);
        }
    }

    @Override
    public void close(DisconnectReason reason) {
        leave();
    }

    @Override
    public void sendCloseSession() {
        close(DisconnectReason.CLIENT_CLOSED_SESSION);
    }

    @Override
    public long getSessionId() {
        return sessionId;
    }

    @Override
    void setSessionId(long sessionId) {
        this.sessionId = sessionId;
        ServerCnxnFactory factory = zkServer.getServerCnxnFactory();
        if (factory != null) {
            factory.addSession(sessionId, this);
        }
    }

    @Override
    int getSessionTimeout() {
        return sessionTimeout;
    }

    @Override
    void setSessionTimeout(int sessionTimeout) {
        this.sessionTimeout = sessionTimeout;
    }

    @Override
    void enableRecv() {
        // there is nothing to receive
    }

    @Override
    void disableRecv(boolean waitDisableRecv) {
        // the driver has one request under way at a time
    }

    @Override
    protected ServerStats serverStats() {
        return null; // no client's packets
    }

    @Override
    public InetSocketAddress getRemoteSocketAddress() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    @Override
    public int getInterestOps() {
        return 0;
    }

    @Override
    public boolean isSecure() {
        return true;
    }

    @Override
    public Certificate[] getClientCertificateChain() {
        return null;
    }

    @Override
    public void setClientCertificateChain(Certificate[] chain) {
        // it has none
    }
}
