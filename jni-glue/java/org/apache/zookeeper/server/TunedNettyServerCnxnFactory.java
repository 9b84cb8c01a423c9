package org.apache.zookeeper.server;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;

/** Stock's Netty factory with Groupkeeper's tuning and without its encryption: what benchmarks compare with. */
public class TunedNettyServerCnxnFactory extends NettyServerCnxnFactory {

    static {
        GroupkeeperTuning.fewerEventLoops();
    }

    public TunedNettyServerCnxnFactory() {
        channelHandler = new FrontHandler();
    }

    @ChannelHandler.Sharable
    private final class FrontHandler extends CnxnChannelHandler {

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            GroupkeeperTuning.consolidateFlushes(ctx);
        }
    }
}
