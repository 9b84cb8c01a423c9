package org.apache.zookeeper.server;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.MultiOperationRecord;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.proto.CreateRequest;
import org.apache.zookeeper.proto.DeleteRequest;
import org.apache.zookeeper.proto.ExistsRequest;
import org.apache.zookeeper.proto.GetChildren2Request;
import org.apache.zookeeper.proto.GetChildren2Response;
import org.apache.zookeeper.proto.GetDataRequest;
import org.apache.zookeeper.proto.GetDataResponse;
import org.apache.zookeeper.proto.SetDataRequest;
import org.apache.zookeeper.server.GroupkeeperServersCnxn.Answer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The servers' own nodes, through one session of this server: made, read, written. Payloads are as stored. */
final class GroupkeeperOwnNodes {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperOwnNodes.class);

    static final String PARENT = "/zookeeper";
    private static final String ROOT = PARENT + "/groupkeeper";
    private static final String SERVERS = ROOT + "/servers";
    private static final String AGREEMENT = ROOT + "/agreement";
    private static final String CURRENT = AGREEMENT + "/current";
    /** Nobody authenticates as this; servers come with the id of scheme super, which needs no entry. */
    private static final ACL OWN = new ACL(Perms.ALL, new Id("digest", "groupkeeper:-"));
    private static final List<ACL> HIDDEN = Collections.singletonList(OWN);
    private static final List<ACL> READABLE = Arrays.asList(OWN, new ACL(Perms.READ, new Id("world", "anyone")));
    private static final int CREATE = 1;
    private static final int SET = 2;

    /** servers/N or agreement/current, as read last. */
    static final class Node {

        final String name;
        final GetDataResponse got;

        private Node(String name, GetDataResponse got) {
            this.name = name;
            this.got = got;
        }

        /** N of servers/N, else -1. */
        long server() {
            return name.matches("servers/[0-9]{1,18}") ? Long.parseLong(name.substring("servers/".length())) : -1;
        }
    }

    private final GroupkeeperServersCnxn cnxn;
    private final long worker;

    GroupkeeperOwnNodes(GroupkeeperServersCnxn cnxn, long worker) {
        this.cnxn = cnxn;
        this.worker = worker;
    }

    /** Whether ROOT has been made: PARENT's cversion counts its creation, which clients aren't to see. On the leader, under outstandingChanges. */
    static boolean there(ZooKeeperServer zks) {
        return zks.outstandingChangesForPath.containsKey(ROOT) || zks.getZKDatabase().getDataTree().getNode(ROOT) != null;
    }

    /** Tells the codec what of our own stands in the tree. */
    static void look(ZooKeeperServer zks, long codec) {
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
        GroupkeeperNative.ownSeen(codec, root.stat.getCzxid(), root.getData(), count);
    }

    /** Makes the persistent ones, where they aren't there. */
    void make() throws IOException {
        cnxn.call(OpCode.exists, new ExistsRequest(ROOT, true)); // its event is what hides it at once
        long pzxid = cnxn.server().getZKDatabase().getDataTree().getNode(PARENT).stat.getPzxid();
        make(ROOT, ByteBuffer.allocate(9).put((byte) 1).putLong(pzxid).array());
        make(SERVERS, new byte[0]);
        make(AGREEMENT, new byte[0]);
    }

    private void make(String path, byte[] data) throws IOException {
        if (cnxn.server().getZKDatabase().getDataTree().getNode(path) != null) {
            return;
        }
        byte[] stored = GroupkeeperNative.ownSeal(worker, path, data);
        if (stored == null) {
            throw new IOException("no native memory or randomness");
        }
        int err = cnxn.call(OpCode.create, new CreateRequest(path, stored, HIDDEN, CreateMode.PERSISTENT.toFlag())).err;
        if (err != 0 && err != Code.NODEEXISTS.intValue()) {
            throw new IOException(path + ": " + Code.get(err));
        }
    }

    void touch() throws IOException {
        cnxn.call(OpCode.exists, new ExistsRequest(ROOT, false));
    }

    private static String path(String name) {
        return ROOT + "/" + name;
    }

    /** Adds a node, with a watch on it; one that isn't there is left out. */
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

    /** All records and the agreement node, with watches on them and on who there is. */
    List<Node> read() throws IOException {
        List<Node> nodes = new ArrayList<>();
        Answer a = cnxn.call(OpCode.getChildren2, new GetChildren2Request(SERVERS, true));
        if (a.err != 0) {
            throw new IOException(SERVERS + ": " + Code.get(a.err));
        }
        for (String child : ((GetChildren2Response) a.record).getChildren()) {
            read(nodes, "servers/" + child);
        }
        read(nodes, "agreement/current");
        return nodes;
    }

    /** gk_servers_step's form of them. */
    byte[] snapshot(List<Node> nodes) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeShort(nodes.size());
        for (Node n : nodes) {
            byte[] name = n.name.getBytes(StandardCharsets.UTF_8);
            byte[] data = n.got.getData() == null ? new byte[0] : n.got.getData();
            out.writeShort(name.length);
            out.write(name);
            out.writeInt(n.got.getStat().getVersion());
            out.writeByte(n.got.getStat().getEphemeralOwner() == cnxn.getSessionId() ? 1 : 0);
            out.writeInt(data.length);
            out.write(data);
        }
        return bytes.toByteArray();
    }

    /** Carries out one write of gk_servers_step. What fails is seen at the next read. */
    void write(ByteBuffer in) throws IOException {
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
        if (op == CREATE) {
            a = cnxn.call(OpCode.create, new CreateRequest(path, data, acl, mode.toFlag()));
        } else if (op == SET) {
            a = cnxn.call(OpCode.setData, new SetDataRequest(path, data, version));
        } else {
            a = cnxn.call(OpCode.multi, new MultiOperationRecord(Arrays.asList(Op.delete(path, version), Op.create(path, data, acl, mode))));
        }
        LOG.debug("Groupkeeper: write {} of {} (version {}): {}", op, path, version, Code.get(a.err));
    }

    void remove(Node n) throws IOException {
        int err = cnxn.call(OpCode.delete, new DeleteRequest(path(n.name), n.got.getStat().getVersion())).err;
        LOG.info("Groupkeeper: server {} has no connection to this leader: its record is removed ({})", n.server(), Code.get(err));
    }
}
