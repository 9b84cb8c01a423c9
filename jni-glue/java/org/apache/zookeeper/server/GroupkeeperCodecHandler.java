package org.apache.zookeeper.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.AttributeKey;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.internal.PlatformDependent;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLSession;
import org.apache.zookeeper.server.command.FourLetterCommands;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection: plaintext towards the client, ciphertext towards ZooKeeper. Everything that means something happens natively; this class
 * moves buffers. All its methods run on the connection's event loop.
 */
final class GroupkeeperCodecHandler extends ChannelDuplexHandler {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperCodecHandler.class);

    private enum Mode {
        /** The first four bytes aren't here as yet. */
        START,
        /** A four-letter word was handed on; its answer passes as it is, nothing else comes in. */
        FOUR_LETTERS,
        FRAMES,
        CLOSED
    }

    /** Bytes of half frames held by all connections. */
    private static final AtomicLong HELD = new AtomicLong();
    private static final long HELD_MAX = PlatformDependent.maxDirectMemory() / 2;
    /** Where NettyServerCnxnFactory keeps a channel's connection. */
    private static final AttributeKey<NettyServerCnxn> CNXN = AttributeKey.valueOf("NettyServerCnxn");

    private final GroupkeeperRuntime runtime;
    private final ServerCnxnFactory factory;
    private Mode mode = Mode.START;
    private long session;
    private SocketAddress client;
    private GroupkeeperReplyQueue queue; // with flush consolidation and without TLS, else null
    private ByteBuf half; // the start of a frame whose end isn't here
    final GroupkeeperGate gate = new GroupkeeperGate(); // stands before this in the pipeline
    private GroupkeeperRequestQueue.Burst burst; // this event loop's
    private boolean throttlerInWay; // its thread is still to be taken out of the requests' way
    private boolean mayAskForKeys; // still worth a look whether this client has the TLS and the identity for groups' keys

    GroupkeeperCodecHandler(GroupkeeperRuntime runtime, ServerCnxnFactory factory) {
        this.runtime = runtime;
        this.factory = factory;
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        mode = Mode.CLOSED;
        GroupkeeperNative.sessionFree(session);
        session = 0;
        dropHalf();
        gate.close();
        if (queue != null) {
            queue.drop();
        }
    }

    private void dropHalf() {
        if (half != null) {
            HELD.addAndGet(-half.capacity());
            half.release();
            half = null;
        }
    }

    // ---- requests -------------------------------------------------------------------------------------------------------------------

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        ByteBuf in = outsideHeap(ctx, (ByteBuf) msg);
        try {
            if (mode == Mode.CLOSED || mode == Mode.FOUR_LETTERS || !hold(ctx, in)) {
                return;
            }
            ByteBuf from = half != null ? half : in;
            if (mode == Mode.START) {
                start(ctx, from);
            }
            if (mode == Mode.FRAMES) {
                forward(ctx, from);
            }
            keepRest(ctx, from);
        } finally {
            in.release();
        }
    }

    /** Native code needs an address. What TLS hands on lies in the heap where Netty's allocator prefers that (io.netty.noPreferDirect). */
    private static ByteBuf outsideHeap(ChannelHandlerContext ctx, ByteBuf in) {
        if (in.isDirect() && in.nioBufferCount() == 1) {
            return in;
        }
        try {
            return ctx.alloc().directBuffer(in.readableBytes()).writeBytes(in);
        } finally {
            in.release();
        }
    }

    /** Appends in to what is held; false when the connection had to be closed. */
    private boolean hold(ChannelHandlerContext ctx, ByteBuf in) {
        if (half == null) {
            return true;
        }
        int before = half.capacity();
        half.writeBytes(in);
        if (HELD.addAndGet(half.capacity() - before) <= HELD_MAX) {
            return true;
        }
        LOG.warn("Closing connection to {}: half frames of all connections exceed {} bytes", ctx.channel().remoteAddress(), HELD_MAX);
        close(ctx);
        return false;
    }

    private void keepRest(ChannelHandlerContext ctx, ByteBuf from) {
        if (mode == Mode.CLOSED || mode == Mode.FOUR_LETTERS || !from.isReadable()) {
            dropHalf();
        } else if (half == null) {
            half = ctx.alloc().directBuffer(from.readableBytes());
            HELD.addAndGet(half.capacity());
            half.writeBytes(from);
        } else if (half.readerIndex() > half.capacity() / 2) {
            half.discardReadBytes();
        }
    }

    /** Decides by the first four bytes, as stock does: a four-letter word or the length of a handshake. */
    private void start(ChannelHandlerContext ctx, ByteBuf from) {
        if (from.readableBytes() < 4) {
            return;
        }
        int word = from.getInt(from.readerIndex());
        if (FourLetterCommands.isKnown(word)) {
            int length = word == FourLetterCommands.setTraceMaskCmd ? 12 : 4; // stock doesn't wait for the mask either
            mode = Mode.FOUR_LETTERS;
            ctx.fireChannelRead(from.readRetainedSlice(Math.min(length, from.readableBytes())));
            return;
        }
        if (refused(ctx)) {
            return;
        }
        client = ctx.channel().remoteAddress();
        session = GroupkeeperNative.sessionNew(runtime.codec);
        if (session == 0) {
            LOG.error("Groupkeeper: closing connection to {}: no native memory", ctx.channel().remoteAddress());
            close(ctx);
            return;
        }
        mode = Mode.FRAMES;
        gate.start(session, () -> goOn(ctx));
        burst = GroupkeeperRequestQueue.Burst.get();
        throttlerInWay = !runtime.config.throttlerThread;
        mayAskForKeys = runtime.config.agreement && (runtime.config.requireTls.equals("off") || forwardSecret(ctx.pipeline().get(SslHandler.class)));
        if (runtime.config.flushConsolidation && ctx.pipeline().get(SslHandler.class) == null) {
            queue = new GroupkeeperReplyQueue(ctx, this::append, () -> gate.written(ctx.channel()));
            ctx.pipeline().remove(FlushConsolidationHandler.class); // the queue does what that does
        }
    }

    /** TLS 1.3, or TLS 1.2 with ECDHE: what is recorded today isn't opened by a private key that leaks later. */
    private static boolean forwardSecret(SslHandler tls) {
        if (tls == null) {
            return false;
        }
        SSLSession s = tls.engine().getSession();
        return s.getProtocol().equals("TLSv1.3") || (s.getProtocol().equals("TLSv1.2") && s.getCipherSuite().startsWith("TLS_ECDHE_"));
    }

    /** An identity comes with the certificate, or by SASL at any time; it stays. */
    private void lookForIdentity(ChannelHandlerContext ctx) {
        ServerCnxn cnxn = ctx.channel().attr(CNXN).get();
        if (cnxn != null && SequencePrepRequestProcessor.identified(cnxn.getAuthInfo())) {
            GroupkeeperNative.sessionTrust(session);
            mayAskForKeys = false;
        }
    }

    /** Whether this server, as it is, must not take this client's connection; then it is closed. */
    private boolean refused(ChannelHandlerContext ctx) {
        ZooKeeperServer zks = factory.getZooKeeperServer();
        String reason = null;
        if (runtime.config.requireTls.equals("all") && ctx.pipeline().get(SslHandler.class) == null) {
            reason = "it came without TLS (groupkeeper.require-tls=all)";
        } else if (zks != null && zks.isRunning() && !GroupkeeperHook.ready(zks)) {
            reason = "the sequence hook isn't installed in this server";
        } else if (!runtime.keyringFits(zks)) {
            reason = "the data of this ensemble wasn't written under this server's keyring (hint: give it the ensemble's keyring; data from before the"
                + " plugin was switched on isn't encrypted and must be copied in by a client)";
        }
        if (reason != null) {
            runtime.warnOfRefusal(ctx.channel().remoteAddress(), reason);
            close(ctx);
        }
        return reason != null;
    }

    /** Hands on the stored form of all complete frames. */
    private void forward(ChannelHandlerContext ctx, ByteBuf from) throws IOException {
        if (!runtime.keyringFits(factory.getZooKeeperServer()) && refused(ctx)) {
            return;
        }
        if (throttlerInWay) {
            throttlerInWay = !GroupkeeperThrottler.install(factory.getZooKeeperServer());
        }
        if (mayAskForKeys) {
            lookForIdentity(ctx);
        }
        int room = from.readableBytes() * 2 + 512;
        while (from.isReadable() && mode == Mode.FRAMES) {
            int length = GroupkeeperGate.within(from, gate.window());
            if (length == 0) {
                gate.shut(ctx.channel());
                return;
            }
            ByteBuf out = ctx.alloc().directBuffer(room);
            boolean handed = false;
            try {
                long done = GroupkeeperNative.requests(session, runtime.worker.get(), GroupkeeperNative.address(from, from.readerIndex()), length,
                    GroupkeeperNative.address(out, 0), out.capacity());
                if (done == GroupkeeperNative.FAILED) {
                    LOG.error("Groupkeeper: closing connection to {}: out of native memory or randomness", ctx.channel().remoteAddress());
                    close(ctx);
                    return;
                }
                if (done < 0) {
                    room = (int) -done;
                    continue;
                }
                if (done >>> 32 == 0) {
                    return;
                }
                from.skipBytes((int) (done >>> 32));
                out.writerIndex((int) done);
                if (out.isReadable()) {
                    handed = true;
                    burst.begin();
                    try {
                        ctx.fireChannelRead(out);
                    } finally {
                        burst.end();
                    }
                }
            } finally {
                if (!handed) {
                    out.release();
                }
            }
        }
    }

    private void close(ChannelHandlerContext ctx) {
        mode = Mode.CLOSED;
        sendQueued();
        ctx.close();
    }

    // ---- replies --------------------------------------------------------------------------------------------------------------------

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
        ByteBuf reply = (ByteBuf) msg;
        if (!reply.isReadable() || mode == Mode.FOUR_LETTERS) {
            sendQueued();
            ctx.write(reply, promise);
            return;
        }
        if (queue != null && mode == Mode.FRAMES) {
            queue.add(reply, promise);
            return;
        }
        ByteBuf plain = null;
        boolean good = false;
        boolean some = false;
        try {
            plain = ctx.alloc().directBuffer(reply.readableBytes() + GroupkeeperReply.ROOM);
            good = session != 0 && append(reply, plain);
            some = good && plain.isReadable();
        } catch (OutOfMemoryError e) { // a client that misses one reply takes the next one for it: the connection ends
            LOG.error("Groupkeeper: closing connection to {}: {}", client, e.getMessage());
        } finally {
            ReferenceCountUtil.release(reply);
            if (!some && plain != null) {
                plain.release();
            }
        }
        if (some) {
            ctx.write(plain, promise);
            gate.written(ctx.channel());
        } else if (good) { // an event of a node that isn't ours
            promise.trySuccess();
        } else {
            promise.tryFailure(new IOException("reply withheld"));
            close(ctx);
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (queue != null) {
            queue.flushSoon();
        } else {
            ctx.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        sendQueued();
        ctx.close(promise);
    }

    private void sendQueued() {
        if (queue != null) {
            queue.flushNow();
        }
    }

    /** Appends the client's form of a reply to out; false when the connection must be closed, which is logged. */
    private boolean append(ByteBuf reply, ByteBuf out) {
        long done = GroupkeeperReply.decrypt(session, runtime.worker.get(), reply, out);
        if (done == GroupkeeperNative.FAILED) {
            if (mode != Mode.CLOSED) {
                LOG.error("Groupkeeper: closing connection to {}: a reply of the server doesn't fit its request", client);
                mode = Mode.CLOSED;
            }
            return false;
        }
        if ((done & GroupkeeperNative.DECRYPT_FAILED) != 0) {
            runtime.warnOfDecryptFailures(client);
        }
        gate.replied((int) done);
        return true;
    }

    /** Hands on what was held back; false when that shut the gate again. */
    private boolean goOn(ChannelHandlerContext ctx) {
        if (half != null && mode == Mode.FRAMES) {
            try {
                forward(ctx, half);
                keepRest(ctx, half);
                ctx.fireChannelReadComplete(); // with advanced flow control the next read is asked for there
            } catch (IOException e) {
                ctx.fireExceptionCaught(e);
            }
        }
        return !gate.shut();
    }
}
