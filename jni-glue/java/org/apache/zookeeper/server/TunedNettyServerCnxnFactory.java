package org.apache.zookeeper.server;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.io.IOException;

/**
 * Stock's Netty factory with Groupkeeper's tuning of connections and without its encryption: what benchmarks compare with. With
 * groupkeeper.throttler-thread=false requests also go around the throttler's thread, as the plugin's do.
 */
public class TunedNettyServerCnxnFactory extends NettyServerCnxnFactory {

    static {
        GroupkeeperTuning.fewerEventLoops();
    }

    private final boolean throttlerThread = GroupkeeperConfig.flag("throttler-thread", true);

    public TunedNettyServerCnxnFactory() throws IOException {
        channelHandler = new FrontHandler();
    }

    @ChannelHandler.Sharable
    private final class FrontHandler extends CnxnChannelHandler {

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            GroupkeeperTuning.consolidateFlushes(ctx);
            if (!throttlerThread) {
                ctx.pipeline().addBefore(ctx.name(), "groupkeeper-throttler", new ThrottlerHandler());
            }
        }
    }

    /** Stays until requests have their way around the throttler's thread. */
    private final class ThrottlerHandler extends ChannelInboundHandlerAdapter {

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (GroupkeeperThrottler.install(zkServer)) {
                ctx.pipeline().remove(this);
            }
            ctx.fireChannelRead(msg);
        }
    }
}
