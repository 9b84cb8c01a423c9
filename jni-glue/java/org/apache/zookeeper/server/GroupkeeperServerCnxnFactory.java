package org.apache.zookeeper.server;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
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
        GroupkeeperTuning.fewerEventLoops();
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

    /** Stock's handler, which brings ours along when it joins a pipeline. */
    @ChannelHandler.Sharable
    private final class FrontHandler extends CnxnChannelHandler {

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            if (runtime.config.flushConsolidation) {
                GroupkeeperTuning.consolidateFlushes(ctx);
            }
            GroupkeeperCodecHandler codec = new GroupkeeperCodecHandler(runtime, GroupkeeperServerCnxnFactory.this);
            ctx.pipeline().addBefore(ctx.name(), "groupkeeper-gate", codec.gate).addBefore(ctx.name(), "groupkeeper", codec);
        }
    }
}
