package org.apache.zookeeper.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The replies of one connection that wait to be decrypted, together, into one buffer: they come one by one from other threads, and each of
 * its own costs a buffer, an entry of Netty's queue and a part of a system call. For connections without TLS: there, a record must hold one
 * reply, because ZooKeeper's C client polls its socket while OpenSSL still holds the next. All methods run on the connection's event loop.
 */
final class GroupkeeperReplyQueue {

    /** Enough of them, or of their bytes, don't wait any longer. */
    private static final int MOST = 256;
    private static final int MOST_BYTES = 64 << 10;

    /** Appends the client's form of a stored reply to out; false when there is none, and the connection must be closed. */
    interface Decryptor {
        boolean decrypt(ByteBuf reply, ByteBuf out);
    }

    private final ChannelHandlerContext ctx;
    private final Decryptor decryptor;
    private final Runnable sent;
    private final List<ByteBuf> replies = new ArrayList<>();
    private final List<ChannelPromise> promises = new ArrayList<>();
    private final Runnable task = this::scheduledFlush;
    private int bytes;
    private boolean scheduled;

    /** @param sent is called when replies were written */
    GroupkeeperReplyQueue(ChannelHandlerContext ctx, Decryptor decryptor, Runnable sent) {
        this.ctx = ctx;
        this.decryptor = decryptor;
        this.sent = sent;
    }

    /** Takes over the reply. */
    void add(ByteBuf reply, ChannelPromise promise) {
        replies.add(reply);
        promises.add(promise);
        bytes += reply.readableBytes();
    }

    /** Behind the replies that stand in the event loop's queue already; at once when there is enough. */
    void flushSoon() {
        if (replies.isEmpty()) {
            ctx.flush();
        } else if (replies.size() >= MOST || bytes >= MOST_BYTES) {
            flushNow();
        } else if (!scheduled) {
            scheduled = true;
            ctx.executor().execute(task);
        }
    }

    private void scheduledFlush() {
        scheduled = false;
        flushNow();
    }

    /** Decrypts and sends what waits. A reply that can't be ends the connection, behind those before it. */
    void flushNow() {
        if (replies.isEmpty()) {
            return;
        }
        ByteBuf out;
        try {
            out = ctx.alloc().directBuffer(bytes + replies.size() * GroupkeeperReply.ROOM);
        } catch (OutOfMemoryError e) { // a client that misses one reply takes the next one for it
            drop();
            ctx.close();
            throw e;
        }
        int good = 0;
        try {
            while (good < replies.size() && decryptor.decrypt(replies.get(good), out)) {
                good++;
            }
        } finally {
            boolean broken = good < replies.size();
            ChannelPromise[] done = promises.subList(0, good).toArray(new ChannelPromise[0]);
            promises.subList(0, good).clear();
            replies.forEach(ByteBuf::release);
            replies.clear();
            send(out, done);
            if (broken) {
                drop();
                ctx.close();
            }
        }
    }

    private void send(ByteBuf out, ChannelPromise[] done) {
        bytes = 0;
        ChannelPromise promise = done.length == 1 ? done[0] : ctx.newPromise();
        if (done.length > 1) {
            promise.addListener((ChannelFutureListener) all -> {
                for (ChannelPromise p : done) {
                    if (all.isSuccess()) {
                        p.trySuccess();
                    } else {
                        p.tryFailure(all.cause());
                    }
                }
            });
        }
        ctx.writeAndFlush(out, promise); // perhaps of no byte: an event of a node that isn't ours
        sent.run();
    }

    /** Forgets what waits. */
    void drop() {
        replies.forEach(ByteBuf::release);
        replies.clear();
        bytes = 0;
        IOException reason = new IOException("reply withheld");
        promises.forEach(p -> p.tryFailure(reason));
        promises.clear();
    }
}
