package org.apache.zookeeper.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.internal.PlatformDependent;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;

/**
 * Bounds what one connection's replies take while its client doesn't read them (stock keeps them in the heap, however many it is asked for): a
 * window of requests without an answer, smaller for larger answers, and nothing more from such clients while all of them together hold too
 * much. Then the connection isn't read, and TCP makes the client wait. For one connection; all methods run on its event loop.
 */
final class GroupkeeperGate extends ChannelDuplexHandler {

    /** Bytes of replies that wait, of all connections with more of them than Netty's high water mark. */
    private static final AtomicLong WAITING = new AtomicLong();
    private static final long WAITING_MAX = PlatformDependent.maxDirectMemory() / 4;
    /** What one connection may have asked for without an answer, by the size of its latest replies. */
    private static final int WINDOW_BYTES = 4 << 20;
    private static final int WINDOW_REQUESTS = 1000; // stock's globalOutstandingLimit, which is for all connections together
    private static final int FRAME_MIN = 12;

    private BooleanSupplier resume;
    private long session; // 0: none as yet, or no more
    private long waiting; // this connection's part of WAITING
    private int replySize = 64 << 10; // of the latest replies, the largest; falls slowly
    private boolean shut; // nothing is handed on
    private boolean opening; // soon
    private boolean paused; // nothing is read
    private boolean autoRead; // what it is to be again then
    private boolean readAsked;

    /** From here on there is a session. resume: hands on what was held back; false when that shut the gate again. */
    void start(long nativeSession, BooleanSupplier handOn) {
        session = nativeSession;
        resume = handOn;
    }

    /** The session ends. */
    void close() {
        session = 0;
        count(0);
    }

    private long count(long now) {
        long all = WAITING.addAndGet(now - waiting);
        waiting = now;
        return all;
    }

    boolean shut() {
        return shut;
    }

    /** How many more requests may be handed on now; none when that isn't positive. */
    int window() {
        if (waiting > 0 && WAITING.get() > WAITING_MAX) {
            return 0;
        }
        return Math.max(1, Math.min(WINDOW_REQUESTS, WINDOW_BYTES / replySize)) - GroupkeeperNative.sessionPending(session);
    }

    /** The length of so many frames, or of all that is here when there are less. */
    static int within(ByteBuf from, int frames) {
        int all = from.readableBytes();
        if (frames <= 0 || frames > all / FRAME_MIN) {
            return frames <= 0 ? 0 : all;
        }
        long length = 0;
        for (int left = frames; left > 0 && length + 4 <= all; left--) {
            int size = from.getInt(from.readerIndex() + (int) length);
            if (size < 0) { // what that does to the connection is decided natively
                return all;
            }
            length += 4L + size;
        }
        return (int) Math.min(length, all);
    }

    void shut(Channel channel) {
        shut = true;
        if (!paused) {
            paused = true;
            autoRead = channel.config().isAutoRead();
            channel.config().setAutoRead(false);
        }
    }

    /** After each reply, which has this length. */
    void replied(int length) {
        replySize = Math.max(length, replySize - (replySize >> 3));
    }

    /** After replies were written, and when the channel says that it can take more, or can't. */
    void written(Channel channel) {
        ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        if (channel.isWritable() || buffer == null) {
            if (waiting != 0) {
                count(0);
            }
        } else if (count(buffer.totalPendingWriteBytes()) > WAITING_MAX) {
            shut(channel);
        }
        openIfPossible(channel);
    }

    /** Not at once: this may be inside of a write that came out of a read. */
    private void openIfPossible(Channel channel) {
        if (shut && !opening && session != 0 && window() > 0) {
            opening = true;
            channel.eventLoop().execute(() -> open(channel));
        }
    }

    private void open(Channel channel) {
        opening = false;
        shut = false;
        if (resume.getAsBoolean()) {
            paused = false;
            channel.config().setAutoRead(autoRead);
            if (readAsked) {
                readAsked = false;
                channel.read();
            }
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        written(ctx.channel());
        ctx.fireChannelWritabilityChanged();
    }

    /** ZooKeeper's advanced flow control asks for each read itself; it is put off here. */
    @Override
    public void read(ChannelHandlerContext ctx) {
        if (paused) {
            readAsked = true;
        } else {
            ctx.read();
        }
    }

    /** ZooKeeper's own throttling sets the switch that this class uses, too. */
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        ctx.fireUserEventTriggered(event);
        if (paused && event instanceof NettyServerCnxn.ReadEvent) {
            autoRead = ctx.channel().config().isAutoRead();
            ctx.channel().config().setAutoRead(false);
        }
    }
}
