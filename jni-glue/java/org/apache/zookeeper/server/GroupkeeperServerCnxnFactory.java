package org.apache.zookeeper.server;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.flush.FlushConsolidationHandler;
import java.io.IOException;

/**
 * The connection factory that makes a ZooKeeper confidential: {@code serverCnxnFactory=} of zoo.cfg names it. It is stock's Netty factory with
 * one more handler in each connection's pipeline, behind TLS. It lives in ZooKeeper's package because what it extends is package-private.
 */
public class GroupkeeperServerCnxnFactory extends NettyServerCnxnFactory {

    static {
        // before anything reads BinaryInputArchive's limits
        assert GroupkeeperLimits.MAX_REQUEST > 0;
        if (GroupkeeperLimits.MAX_STORED < GroupkeeperLimits.MAX_REQUEST) {
            throw new IllegalStateException("jute.maxbuffer");
        }
    }

    private final GroupkeeperRuntime runtime;

    /** @throws IOException with one line that says why the server must not start */
    public GroupkeeperServerCnxnFactory() throws IOException {
        try {
            runtime = GroupkeeperRuntime.get();
            GroupkeeperHook.install(runtime);
        } catch (IOException e) {
            org.slf4j.LoggerFactory.getLogger(GroupkeeperServerCnxnFactory.class).error("Groupkeeper: error: {}", e.getMessage());
            System.err.println("groupkeeper: error: START: " + e.getMessage());
            throw e;
        }
        channelHandler = new FrontHandler();
    }

    @Override
    public void startup(ZooKeeperServer zks, boolean startServer) throws IOException, InterruptedException {
        super.startup(zks, startServer);
        GroupkeeperHook.started(zks); // where JMX is switched off, nobody called before
    }

    /**
     * Replies come one by one, from other threads than the event loop; up to 256 of them go out by one system call. It stands in front of TLS:
     * behind it, an event and the reply that follows would share a record, as stock's never do, and the C client polls its socket while it
     * still has bytes of that record to read.
     */
    static void consolidateFlushes(ChannelHandlerContext ctx) {
        ctx.pipeline().addFirst("groupkeeper-flush", new FlushConsolidationHandler(256, true));
    }

    /** Stock's handler, which brings ours along when it joins a pipeline. */
    @ChannelHandler.Sharable
    private final class FrontHandler extends CnxnChannelHandler {

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            if (runtime.config.flushConsolidation) {
                consolidateFlushes(ctx);
            }
            GroupkeeperCodecHandler codec = new GroupkeeperCodecHandler(runtime, GroupkeeperServerCnxnFactory.this);
            ctx.pipeline().addBefore(ctx.name(), "groupkeeper-gate", codec.gate).addBefore(ctx.name(), "groupkeeper", codec);
        }
    }
}
