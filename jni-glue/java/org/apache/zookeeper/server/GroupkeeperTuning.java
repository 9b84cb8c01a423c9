package org.apache.zookeeper.server;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.flush.FlushConsolidationHandler;

/** What makes stock's Netty factory faster without changing what it does; with encryption, and without ({@link TunedNettyServerCnxnFactory}). */
final class GroupkeeperTuning {

    private static final String EVENT_LOOPS = "io.netty.eventLoopThreads";

    private GroupkeeperTuning() {
    }

    /**
     * One event loop for two cores, or with TLS, which keeps them busy, for each; where the operator didn't choose (Netty's default: two for each).
     * What they do is short, and each more of them is one more thread to wake. To be called by a factory's static initialiser: Netty reads the
     * property when the first group of event loops is made.
     */
    static void fewerEventLoops() {
        if (System.getProperty(EVENT_LOOPS) == null) {
            int cores = Runtime.getRuntime().availableProcessors();
            boolean tls = System.getProperty("zookeeper.ssl.keyStore.location") != null;
            System.setProperty(EVENT_LOOPS, Integer.toString(tls ? cores : Math.max(1, cores / 2)));
        }
    }

    /** How many event loops each factory has. */
    static int eventLoops() {
        return Math.max(1, Integer.getInteger(EVENT_LOOPS, 2 * Runtime.getRuntime().availableProcessors()));
    }

    /**
     * Replies come one by one, from other threads than the event loop; up to 256 of them go out by one system call. It stands in front of TLS:
     * behind it, an event and the reply that follows would share a record, as stock's never do, and the C client polls its socket while it
     * still has bytes of that record to read.
     */
    static void consolidateFlushes(ChannelHandlerContext ctx) {
        ctx.pipeline().addFirst("groupkeeper-flush", new FlushConsolidationHandler(256, true));
    }
}
