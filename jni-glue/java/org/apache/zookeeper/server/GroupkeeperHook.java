package org.apache.zookeeper.server;

import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Collections;
import java.util.Set;
import java.util.WeakHashMap;
import javax.management.JMException;
import javax.management.MBeanServer;
import org.apache.zookeeper.jmx.MBeanRegistry;
import org.apache.zookeeper.jmx.ZKMBeanInfo;
import org.apache.zookeeper.server.quorum.LeaderBean;
import org.apache.zookeeper.server.quorum.LeaderZooKeeperServer;
import org.apache.zookeeper.server.quorum.QuorumBean;
import org.apache.zookeeper.server.quorum.QuorumZooKeeperServer;
import org.apache.zookeeper.server.quorum.ReadOnlyZooKeeperServer;
import org.apache.zookeeper.server.quorum.RemotePeerBean;
import org.apache.zookeeper.util.ServiceUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts {@link SequencePrepRequestProcessor} in the place of the stock one, in a server that orders writes (standalone or leader). The one
 * moment at which stock calls somebody after the processors are set up and before it serves is when it registers its JMX beans: so this
 * is an MBeanRegistry that hands everything on and looks.
 */
final class GroupkeeperHook extends MBeanRegistry {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperHook.class);

    private static volatile GroupkeeperRuntime runtime;
    private static volatile boolean serving;
    private static final Set<ZooKeeperServer> LEADERS = weakSet();
    private static final Set<ZooKeeperServer> READY = weakSet();

    private final MBeanRegistry delegate;

    private GroupkeeperHook(MBeanRegistry delegate) {
        this.delegate = delegate;
    }

    private static Set<ZooKeeperServer> weakSet() {
        return Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));
    }

    /** Idempotent: two factories share one registry. */
    static synchronized void install(GroupkeeperRuntime r) {
        runtime = r;
        if (!(MBeanRegistry.getInstance() instanceof GroupkeeperHook)) {
            MBeanRegistry.setInstance(new GroupkeeperHook(MBeanRegistry.getInstance()));
        }
    }

    /** Whether this server may take connections: it doesn't order writes, or the hook is in its place. */
    static boolean ready(ZooKeeperServer zks) {
        return !ordersWrites(zks) || READY.contains(zks);
    }

    /** Called when a factory has started its server. */
    static void started(ZooKeeperServer zks) {
        if (zks != null && zks.isRunning()) {
            runtime.servers.serverStarted(zks);
        }
        if (zks != null && zks.isRunning() && !ready(zks)) {
            takeOver(zks);
        }
    }

    private static boolean ordersWrites(ZooKeeperServer zks) {
        return zks instanceof LeaderZooKeeperServer || !(zks instanceof QuorumZooKeeperServer || zks instanceof ReadOnlyZooKeeperServer);
    }

    private static void look(ZKMBeanInfo bean) {
        if (bean instanceof DataTreeBean) {
            for (ZooKeeperServer zks : LEADERS.toArray(new ZooKeeperServer[0])) {
                // without processors: one whose peer was elected once and found no followers; the peer's tree is the same
                if (zks.getZKDatabase().getDataTree() == ((DataTreeBean) bean).dataTree && zks.firstProcessor != null && !READY.contains(zks)) {
                    takeOver(zks);
                }
            }
        } else if (bean instanceof ZooKeeperServerBean) {
            ZooKeeperServer zks = ((ZooKeeperServerBean) bean).zks;
            serving = true;
            GroupkeeperCommitLog.watch(zks);
            runtime.servers.serverStarted(zks);
            if (bean instanceof LeaderBean) {
                LEADERS.add(zks); // its processors come later
            } else if (ordersWrites(zks) && !READY.contains(zks)) {
                takeOver(zks);
            }
        }
    }

    /** The stock processor gets our queue, so whoever feeds that object feeds ours; what went into its own until then ours takes from there. */
    private static void takeOver(ZooKeeperServer zks) {
        try {
            Object first = zks.firstProcessor;
            PrepRequestProcessor stock = (PrepRequestProcessor) (first instanceof PrepRequestProcessor ? first : next(first.getClass(), first));
            if (stock.getClass() != PrepRequestProcessor.class) {
                throw new IllegalStateException("its request processor is " + stock.getClass().getName());
            }
            RequestProcessor next = (RequestProcessor) next(PrepRequestProcessor.class, stock);
            SequencePrepRequestProcessor ours = new SequencePrepRequestProcessor(zks, next, runtime);
            stock.submittedRequests.add(Request.requestOfDeath);
            stock.join();
            ours.submittedRequests = new GroupkeeperRequestQueue(stock.submittedRequests);
            stock.submittedRequests = ours.submittedRequests;
            ours.start();
            READY.add(zks);
            LOG.info("Groupkeeper: sequence numbers are resolved by this server");
        } catch (Throwable t) { // registerJMX would swallow an Exception, and an Error would kill the peer without a word
            LOG.error("Groupkeeper: the sequence hook can't be installed, so this server must not order writes: exiting", t);
            ServiceUtils.requestSystemExit(ExitCode.UNEXPECTED_ERROR.getValue());
        }
    }

    private static Object next(Class<?> type, Object processor) throws ReflectiveOperationException {
        Field f = type.getDeclaredField("nextProcessor");
        f.setAccessible(true);
        return f.get(processor);
    }

    /** A quorum peer tells of the others before it looks for a leader. Who writes on their wire can change ACLs: it must be TLS. */
    private static void refuseInsecureQuorum(RemotePeerBean peer, QuorumBean quorum) {
        if (quorum.isSslQuorum() || runtime.config.insecureQuorum || isLoopback(peer.getQuorumAddress())) {
            return;
        }
        String text = "the peer " + peer.getQuorumAddress() + " is reached without TLS (hint: sslQuorum=true with key and trust stores, or, if that"
            + " network is trusted, groupkeeper.insecure-quorum=true)";
        LOG.error("Groupkeeper: error: {}", text);
        if (!serving) { // a peer added later, by reconfig, doesn't end a server
            System.err.println("groupkeeper: error: QUORUM: " + text);
            ServiceUtils.requestSystemExit(ExitCode.INVALID_INVOCATION.getValue());
        }
    }

    /** addresses: host:port, several separated by |. */
    private static boolean isLoopback(String addresses) {
        for (String address : addresses.split("\\|")) {
            try {
                String host = address.substring(0, address.lastIndexOf(':'));
                if (!InetAddress.getByName(host).isLoopbackAddress()) {
                    return false;
                }
            } catch (UnknownHostException | IndexOutOfBoundsException e) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void register(ZKMBeanInfo bean, ZKMBeanInfo parent) throws JMException {
        try {
            delegate.register(bean, parent);
        } finally {
            if (bean instanceof RemotePeerBean && parent instanceof QuorumBean) {
                refuseInsecureQuorum((RemotePeerBean) bean, (QuorumBean) parent);
            }
            look(bean);
        }
    }

    @Override
    public void unregister(ZKMBeanInfo bean) {
        delegate.unregister(bean);
    }

    @Override
    public MBeanServer getPlatformMBeanServer() {
        return delegate.getPlatformMBeanServer();
    }

    @Override
    public Set<ZKMBeanInfo> getRegisteredBeans() {
        return delegate.getRegisteredBeans();
    }

    @Override
    public String makeFullPath(String prefix, String... name) {
        return delegate.makeFullPath(prefix, name);
    }
}
