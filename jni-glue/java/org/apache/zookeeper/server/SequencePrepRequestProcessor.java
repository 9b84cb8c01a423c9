package org.apache.zookeeper.server;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.jute.Record;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Quotas;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.common.PathUtils;
import org.apache.zookeeper.common.StringUtils;
import org.apache.zookeeper.common.Time;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.proto.CreateRequest;
import org.apache.zookeeper.proto.CreateTTLRequest;
import org.apache.zookeeper.proto.SetACLRequest;
import org.apache.zookeeper.proto.SetDataRequest;
import org.apache.zookeeper.server.ZooKeeperServer.ChangeRecord;
import org.apache.zookeeper.txn.TxnHeader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stock's PrepRequestProcessor with three things that only the server which orders writes can do: it gives sequential creates their names,
 * checks byte quotas in plaintext terms, and refuses what another server sends that isn't encrypted under this keyring. Stock calls
 * {@link #pRequest2Txn} for each single request and for each part of a multi, with the earlier parts already in outstandingChanges.
 */
final class SequencePrepRequestProcessor extends PrepRequestProcessor {

    private static final Logger LOG = LoggerFactory.getLogger(SequencePrepRequestProcessor.class);

    /** GK_MARK_PENDING in gk_path.h: what a sequential create's last component begins with on its way here. */
    private static final char PENDING = '\u0001';
    /** GK_PAYLOAD_OVERHEAD in gk_payload.h. */
    private static final int OVERHEAD = 46;
    /** The stored length of a members node's payload, GK_MEMBERS_RECORD in gk_keyread.h. */
    private static final int MEMBERS = 16 + OVERHEAD;
    private static final long WARN_EVERY_MS = 10_000;

    private final GroupkeeperRuntime runtime;
    private long worker;
    private long refusedSinceWarning;
    private long lastWarning;

    SequencePrepRequestProcessor(ZooKeeperServer zks, RequestProcessor next, GroupkeeperRuntime runtime) {
        super(zks, next);
        this.runtime = runtime;
    }

    @Override
    public void run() {
        worker = runtime.newWorker();
        try {
            super.run();
        } finally {
            GroupkeeperNative.workerFree(worker);
        }
    }

    @Override
    protected void pRequest2Txn(int type, long zxid, Request request, Record record)
        throws KeeperException, IOException, RequestProcessorException {
        if (request.getHdr() == null) { // as stock begins: what is refused here has taken a zxid, and one without a proposal stops the leader
            request.setHdr(new TxnHeader(request.sessionId, request.cxid, zxid, Time.currentWallTime(), type));
        }
        switch (type) {
        case OpCode.create:
        case OpCode.create2:
        case OpCode.createTTL:
        case OpCode.createContainer:
            create(type, zxid, request, new CreateRecord(record));
            break;
        case OpCode.setACL:
            if (belowMembers(((SetACLRequest) record).getPath())) {
                throw new KeeperException.InvalidACLException(((SetACLRequest) record).getPath());
            }
            super.pRequest2Txn(type, zxid, request, record);
            break;
        case OpCode.setData:
            SetDataRequest set = (SetDataRequest) record;
            refuseForeign(request, set.getPath(), set.getData());
            refuseLateMembers(set);
            checkSetData(request, set);
            super.pRequest2Txn(type, zxid, request, record);
            break;
        default:
            super.pRequest2Txn(type, zxid, request, record);
        }
    }

    // ---- creates --------------------------------------------------------------------------------------------------------------------

    /** The fields of a CreateRequest or a CreateTTLRequest. */
    private static final class CreateRecord {

        final Record record;
        final String path;
        final byte[] data;
        final int flags;

        CreateRecord(Record r) {
            record = r;
            boolean ttl = r instanceof CreateTTLRequest;
            path = ttl ? ((CreateTTLRequest) r).getPath() : ((CreateRequest) r).getPath();
            data = ttl ? ((CreateTTLRequest) r).getData() : ((CreateRequest) r).getData();
            flags = ttl ? ((CreateTTLRequest) r).getFlags() : ((CreateRequest) r).getFlags();
        }

        boolean sequential() {
            return flags == 2 || flags == 3 || flags == 6;
        }

        /** A plain ephemeral, for its maker alone, whom x509 or SASL has identified. */
        boolean joins(int type, List<Id> authInfo) {
            List<ACL> acl = record instanceof CreateRequest ? ((CreateRequest) record).getAcl() : null;
            return (type == OpCode.create || type == OpCode.create2) && flags == 1 && acl != null && acl.size() == 1 && acl.get(0) != null
                && acl.get(0).getPerms() == ZooDefs.Perms.ALL && acl.get(0).getId() != null && "auth".equals(acl.get(0).getId().getScheme())
                && identified(authInfo);
        }

        boolean marked() {
            int slash = path == null ? -1 : path.lastIndexOf('/');
            return slash >= 0 && slash + 2 < path.length() && path.charAt(slash + 1) == PENDING;
        }

        /** A copy with the final name, no longer sequential. The record itself is cached by the request and stays as it is. */
        Record resolved(String finalPath, byte[] finalData) {
            int plainFlags = flags == 6 ? 5 : flags - 2;
            if (record instanceof CreateTTLRequest) {
                CreateTTLRequest r = (CreateTTLRequest) record;
                return new CreateTTLRequest(finalPath, finalData, r.getAcl(), plainFlags, r.getTtl());
            }
            return new CreateRequest(finalPath, finalData, ((CreateRequest) record).getAcl(), plainFlags);
        }
    }

    private void create(int type, long zxid, Request request, CreateRecord create)
        throws KeeperException, IOException, RequestProcessorException {
        CreateRecord last = create;
        if (create.sequential() && create.marked()) {
            last = resolve(create);
        } else {
            refuseForeign(request, create.path, create.data);
        }
        if (belowMembers(last.path) && !create.joins(type, request.authInfo)) {
            throw new KeeperException.InvalidACLException(last.path);
        }
        Map<String, ChangeRecord> before = ZooKeeperServer.enforceQuota && last.path != null ? changesAround(last.path, zxid) : null;
        super.pRequest2Txn(type, zxid, request, last.record);
        if (before != null) {
            try {
                checkByteQuota(last.path, last.data == null ? 0 : last.data.length - OVERHEAD);
            } catch (KeeperException | RuntimeException e) {
                rollbackPendingChanges(zxid, before);
                request.setTxn(null);
                request.setTxnDigest(null);
                throw e;
            }
        }
    }

    /** What stays as it is when it can't be resolved is refused by stock, whose names can't hold the marker. */
    private CreateRecord resolve(CreateRecord create) throws KeeperException {
        String parent = create.path.substring(0, create.path.lastIndexOf('/'));
        Integer number = sequenceNumber(parent);
        if (number == null || create.data == null) {
            return create;
        }
        byte[] done = GroupkeeperNative.resolve(worker, create.path.getBytes(StandardCharsets.UTF_8), number, create.data);
        if (done == null) {
            return create;
        }
        if (done.length == 0) {
            throw new KeeperException.SystemErrorException(); // out of native memory: says nothing about the request
        }
        int pathLength = ByteBuffer.wrap(done).getInt();
        String path = new String(done, 4, pathLength, StandardCharsets.UTF_8);
        return new CreateRecord(create.resolved(path, Arrays.copyOfRange(done, 4 + pathLength, done.length)));
    }

    /** The number that stock would append to a sequential child of this parent now; null when there is no such node. */
    private Integer sequenceNumber(String parent) {
        synchronized (zks.outstandingChanges) {
            ChangeRecord change = zks.outstandingChangesForPath.get(parent);
            DataNode node = change != null ? null : zks.getZKDatabase().getNode(parent);
            if (change != null ? change.stat == null : node == null) {
                return null;
            }
            int number = change != null ? change.stat.getCversion() : node.stat.getCversion();
            return parent.equals(GroupkeeperOwnNodes.PARENT) && GroupkeeperOwnNodes.there(zks) ? number - 1 : number;
        }
    }

    // ---- groups keyed by the servers --------------------------------------------------------------------------------------------------

    static boolean identified(List<Id> authInfo) {
        for (Id id : authInfo) {
            if (id.getScheme().equals("x509") || id.getScheme().equals("sasl")) {
                return true;
            }
        }
        return false;
    }

    /** Whether the path's parent, as it will be when this write is applied, is a members node. */
    private boolean belowMembers(String path) throws KeeperException {
        int slash = path == null ? -1 : path.lastIndexOf('/');
        return slash > 0 && isMembers(path.substring(0, slash));
    }

    private boolean isMembers(String path) throws KeeperException {
        byte[] data;
        synchronized (zks.outstandingChanges) {
            ChangeRecord change = zks.outstandingChangesForPath.get(path);
            DataNode node = change != null ? null : zks.getZKDatabase().getNode(path);
            data = change != null ? (change.stat == null ? null : change.data) : node == null ? null : node.getData();
        }
        return isMembers(path, data);
    }

    private boolean isMembers(String path, byte[] data) throws KeeperException {
        if (data == null || data.length != MEMBERS) {
            return false;
        }
        int verdict = GroupkeeperNative.isMembers(worker, path.getBytes(StandardCharsets.UTF_8), data);
        if (verdict < 0) {
            throw new KeeperException.SystemErrorException(); // as in resolve
        }
        return verdict > 0;
    }

    /** A node that has had other children, with any ACL, can't become a members node. */
    private void refuseLateMembers(SetDataRequest set) throws KeeperException {
        String path = set.getPath();
        if (path != null && isMembers(path, set.getData()) && !isMembers(path)) {
            throw new KeeperException.BadArgumentsException(path);
        }
    }

    // ---- writes of servers without the plugin, or with another keyring ----------------------------------------------------------------

    /** What came in through this server's own codec needs no second look. */
    private void refuseForeign(Request request, String path, byte[] data) throws KeeperException {
        if (request.cnxn != null || request.getOwner() == null || request.getOwner() == ServerCnxn.me || path == null) {
            return;
        }
        int verdict = GroupkeeperNative.verify(worker, path.getBytes(StandardCharsets.UTF_8), data);
        if (verdict > 0) {
            return;
        }
        if (verdict < 0) {
            throw new KeeperException.SystemErrorException(); // as in resolve
        }
        refusedSinceWarning++;
        long now = System.currentTimeMillis();
        if (now - lastWarning >= WARN_EVERY_MS) {
            LOG.error("Groupkeeper: refused {} write(s) that aren't encrypted under this ensemble's keyring, the last through {} (hint: that server"
                + " runs without the plugin, or with another keyring)", refusedSinceWarning, nameOf(request.getOwner()));
            refusedSinceWarning = 0;
            lastWarning = now;
        }
        // Of the errors that fit, stock logs BADARGUMENTS with the request's path, which is plaintext here; NOAUTH it doesn't log.
        throw new KeeperException.NoAuthException();
    }

    /** The server that forwarded a request. */
    private static String nameOf(Object owner) {
        long sid = sidOf(owner);
        return sid < 0 ? String.valueOf(owner) : "server " + sid;
    }

    /** The id of the server behind a LearnerHandler; -1 when it can't be told. */
    static long sidOf(Object handler) {
        try {
            java.lang.reflect.Method sid = handler.getClass().getDeclaredMethod("getSid"); // LearnerHandler's is package-private
            sid.setAccessible(true);
            return (Long) sid.invoke(handler);
        } catch (ReflectiveOperationException | RuntimeException e) {
            return -1;
        }
    }

    // ---- byte quotas ----------------------------------------------------------------------------------------------------------------

    /** The changes that a create at this path replaces, but for those of the same multi, which fails as a whole. */
    private Map<String, ChangeRecord> changesAround(String path, long zxid) {
        Map<String, ChangeRecord> changes = new HashMap<>();
        String parent = path.substring(0, Math.max(path.lastIndexOf('/'), 0));
        synchronized (zks.outstandingChanges) {
            for (String p : new String[] {path, parent}) {
                ChangeRecord c = zks.outstandingChangesForPath.get(p);
                if (c != null && c.zxid != zxid) {
                    changes.put(p, c);
                }
            }
        }
        return changes;
    }

    /** Stock's order: path, NONODE and NOAUTH come before the quota, BADVERSION after it. */
    private void checkSetData(Request request, SetDataRequest set) throws KeeperException {
        if (!ZooKeeperServer.enforceQuota || set.getPath() == null) {
            return;
        }
        ChangeRecord change;
        DataNode node;
        synchronized (zks.outstandingChanges) {
            change = zks.outstandingChangesForPath.get(set.getPath());
            node = change != null ? null : zks.getZKDatabase().getNode(set.getPath());
        }
        if ((change == null && node == null) || (change != null && change.stat == null)) {
            return;
        }
        try {
            PathUtils.validatePath(set.getPath());
            zks.sessionTracker.checkSession(request.sessionId, request.getOwner());
            zks.checkACL(request.cnxn, change != null ? change.acl : zks.getZKDatabase().aclForNode(node), ZooDefs.Perms.WRITE, request.authInfo,
                set.getPath(), null);
        } catch (KeeperException | IllegalArgumentException e) {
            return; // stock says so itself
        }
        byte[] old = change != null ? change.data : node.getData();
        long difference = (long) (set.getData() == null ? 0 : set.getData().length) - (old == null ? 0 : old.length);
        checkByteQuota(set.getPath(), difference);
    }

    /**
     * ZooKeeperServer.checkQuota for bytes: limits as the client wrote them, against the bytes of plaintext.
     *
     * @throws IllegalArgumentException as stock does where the limits can't be read: MARSHALLINGERROR
     */
    private void checkByteQuota(String path, long difference) throws KeeperException {
        DataTree tree = zks.getZKDatabase().getDataTree();
        String prefix = tree.getMaxPrefixWithQuota(path);
        DataNode limits = StringUtils.isEmpty(prefix) ? null : tree.getNode(Quotas.limitPath(prefix));
        if (limits == null) {
            return;
        }
        byte[] stored;
        synchronized (limits) {
            stored = limits.data;
        }
        long limit = GroupkeeperNative.byteHardLimit(worker, Quotas.limitPath(prefix).getBytes(StandardCharsets.UTF_8), stored);
        if (limit == GroupkeeperNative.UNREADABLE) {
            throw new IllegalArgumentException("limits of a quota");
        }
        DataNode stats = tree.getNode(Quotas.statPath(prefix));
        if (limit == -1 || difference == 0 || stats == null) {
            return;
        }
        StatsTrack now;
        synchronized (stats) {
            now = new StatsTrack(stats.data);
        }
        if (now.getBytes() - OVERHEAD * now.getCount() + difference > limit) {
            ZooKeeperServer.updateQuotaExceededMetrics(PathUtils.getTopNamespace(path));
            throw new KeeperException.QuotaExceededException(prefix);
        }
    }
}
