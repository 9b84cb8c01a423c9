package org.apache.zookeeper.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.FastThreadLocal;
import java.nio.ByteBuffer;

/** Takes a stored reply to the native code, copying as little as possible. */
final class GroupkeeperReply {

    /** What a reply may grow by before its buffer has to. */
    static final int ROOM = 64;
    /** Longer ones are read where they lie in the heap (stock keeps listings as they go out), which the garbage collector has to wait for: only they. */
    private static final int SCRATCH_SIZE = 64 << 10;
    /** A frame's length field and a reply's header. */
    private static final int HEAD = 20;

    /** Where a reply's parts, which lie in the heap, are put side by side. */
    private static final FastThreadLocal<ByteBuf> SCRATCH = new FastThreadLocal<ByteBuf>() {
        @Override
        protected ByteBuf initialValue() {
            return Unpooled.directBuffer(SCRATCH_SIZE);
        }

        @Override
        protected void onRemoval(ByteBuf scratch) {
            scratch.release();
        }
    };

    private GroupkeeperReply() {
    }

    /** Appends the client's form of a reply to out; what {@link GroupkeeperNative#reply} gives, whose output always has room here. */
    static long decrypt(long session, long worker, ByteBuf reply, ByteBuf out) {
        int length = reply.readableBytes();
        if (length <= SCRATCH_SIZE) {
            return decrypt(session, worker, SCRATCH.get().clear().writeBytes(reply), null, out);
        }
        ByteBuffer[] record = reply.nioBuffers(reply.readerIndex() + HEAD, length - HEAD);
        if (record.length == 1 && record[0].hasArray()) {
            return decrypt(session, worker, SCRATCH.get().clear().writeBytes(reply, HEAD), record[0], out);
        }
        ByteBuf in = out.alloc().directBuffer(length);
        try {
            return decrypt(session, worker, in.writeBytes(reply), null, out);
        } finally {
            in.release();
        }
    }

    /** in: a frame, or its head when its record lies apart. */
    private static long decrypt(long session, long worker, ByteBuf in, ByteBuffer record, ByteBuf out) {
        int room = in.readableBytes() + (record == null ? 0 : record.remaining()) + ROOM;
        while (true) {
            out.ensureWritable(room);
            int at = out.writerIndex();
            long done = call(session, worker, in, record, GroupkeeperNative.address(out, at), out.capacity() - at);
            if (done >= 0 || done == GroupkeeperNative.FAILED) {
                out.writerIndex(done >= 0 ? at + (int) done : at);
                return done;
            }
            room = (int) -done;
        }
    }

    private static long call(long session, long worker, ByteBuf in, ByteBuffer record, long out, int room) {
        long head = GroupkeeperNative.address(in, 0);
        if (record == null) {
            return GroupkeeperNative.reply(session, worker, head, in.readableBytes(), out, room);
        }
        return GroupkeeperNative.replyParts(session, worker, head, in.readableBytes(), record.array(), record.arrayOffset() + record.position(),
            record.remaining(), out, room);
    }
}
