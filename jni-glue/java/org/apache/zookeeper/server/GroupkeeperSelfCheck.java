package org.apache.zookeeper.server;

import java.io.IOException;
import java.util.Map;
import org.apache.zookeeper.Version;
import org.apache.zookeeper.jmx.MBeanRegistry;

/** Looks at start whether this ZooKeeper has the members that the plugin stands on. It was tested with 3.9. */
final class GroupkeeperSelfCheck {

    private GroupkeeperSelfCheck() {
    }

    static void run(boolean allowUntested) throws IOException {
        String problem = problem();
        if (problem == null) {
            return;
        }
        String text = "this ZooKeeper (" + Version.getVersion() + ") isn't one that Groupkeeper was tested with: " + problem;
        if (!allowUntested) {
            throw new IOException(text + " (hint: use 3.9.x, or groupkeeper.allow-untested=true)");
        }
        org.slf4j.LoggerFactory.getLogger(GroupkeeperSelfCheck.class).warn("Groupkeeper: {}; going on, as groupkeeper.allow-untested says", text);
    }

    private static String problem() {
        ClassLoader ours = GroupkeeperSelfCheck.class.getClassLoader();
        if (ours != NettyServerCnxnFactory.class.getClassLoader()) {
            return "the jar is on another class loader than ZooKeeper's (put it into ZooKeeper's lib folder)";
        }
        if (!Version.getVersion().startsWith("3.9.")) {
            return "its version";
        }
        try {
            PrepRequestProcessor.class.getDeclaredMethod("pRequest2Txn", int.class, long.class, Request.class, org.apache.jute.Record.class);
            PrepRequestProcessor.class.getDeclaredMethod("rollbackPendingChanges", long.class, Map.class);
            PrepRequestProcessor.class.getDeclaredField("submittedRequests");
            PrepRequestProcessor.class.getDeclaredField("nextProcessor");
            NettyServerCnxnFactory.class.getDeclaredField("channelHandler");
            ZooKeeperServerBean.class.getDeclaredField("zks");
            MBeanRegistry.class.getMethod("setInstance", MBeanRegistry.class);
        } catch (ReflectiveOperationException e) {
            return "it lacks " + e.getMessage();
        }
        return null;
    }
}
