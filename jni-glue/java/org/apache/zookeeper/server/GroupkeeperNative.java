package org.apache.zookeeper.server;

import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;

/**
 * The C entry points. Handles are addresses of native objects, 0 for none; buffers are addresses and lengths, checked natively. No method
 * throws but {@link OutOfMemoryError}, and none ever ends the process.
 */
final class GroupkeeperNative {

    /** Must be the same as GK_JNI_ABI in gk_jni.c. */
    private static final int ABI = 4;
    private static final String RESOURCE = "/groupkeeper/libgroupkeeper.so";

    /** {@link #requests} and {@link #reply}: an error after which the connection must be closed. */
    static final long FAILED = Long.MIN_VALUE;

    /** {@link #reply}: set in its result when something stored couldn't be decrypted. */
    static final long DECRYPT_FAILED = 1L << 32;

    private static boolean loaded;

    private GroupkeeperNative() {
    }

    /**
     * Loads the library from {@code override}, or the copy in our jar by way of a private folder.
     *
     * @throws IOException with one line that says what to do
     */
    static synchronized void load(String override, boolean lockMemory) throws IOException {
        if (loaded) {
            return;
        }
        try {
            if (override != null) {
                System.load(Paths.get(override).toAbsolutePath().toString());
            } else {
                loadFromJar();
            }
        } catch (UnsatisfiedLinkError e) {
            throw new IOException("cannot load the native library: " + e.getMessage()
                + " (hint: it is built for Linux x86-64 with glibc; groupkeeper.native=PATH names another build)", e);
        }
        if (abi() != ABI) {
            throw new IOException("the native library is of another version than the jar (hint: remove groupkeeper.native)");
        }
        if (!arena(lockMemory)) {
            throw new IOException("the native library's memory is in use already (hint: one class loader alone may hold the plugin)");
        }
        loaded = true;
    }

    private static void loadFromJar() throws IOException {
        byte[] library;
        try (InputStream in = GroupkeeperNative.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new IOException("the jar holds no native library (hint: use build/groupkeeper.jar as `make` leaves it)");
            }
            java.io.ByteArrayOutputStream all = new java.io.ByteArrayOutputStream();
            byte[] part = new byte[65536];
            for (int n = in.read(part); n > 0; n = in.read(part)) {
                all.write(part, 0, n);
            }
            library = all.toByteArray();
        }
        Path folder = Files.createTempDirectory("groupkeeper-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path file = folder.resolve("libgroupkeeper.so");
        try {
            Files.write(file, library);
            if (!MessageDigest.isEqual(sha256(library), sha256(Files.readAllBytes(file)))) {
                throw new IOException("the native library was changed while it was unpacked to " + folder);
            }
            System.load(file.toString());
        } finally { /* the mapping stays when the name goes */
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder);
        }
    }

    private static byte[] sha256(byte[] data) throws IOException {
        try {
            return MessageDigest.getInstance("SHA-256").digest(data);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IOException(e);
        }
    }

    static native int abi();

    /** gk_arena_install. */
    static native boolean arena(boolean lock);

    /** gk_arena_stats: bytes taken, bytes locked. */
    static native void arenaStats(long[] out);

    /** The address of a direct buffer's first byte, 0 when it has none. */
    static native long address(ByteBuffer direct);

    /** Where byte number index of a buffer outside of the heap lies. */
    static long address(ByteBuf b, int index) {
        if (b.hasMemoryAddress()) {
            return b.memoryAddress() + index;
        }
        return address(b.internalNioBuffer(0, b.capacity()).slice()) + index;
    }

    /**
     * Loads the keyring and makes a codec: {@code out[0]}.
     *
     * @return null, or one line that says what is wrong and what to do; it starts with "wait: " when the file may still come
     */
    static native String codecNew(String keyring, long pathCacheBytes, long payloadCacheBytes, long maxRequest, long maxStored, boolean undecryptableFails,
        String plaintextPrefixes, String refuseOpcodes, boolean agreement, long[] out);

    /** The keyring's fingerprint in hex. */
    static native String fingerprint(long codec);

    /** Fills out with the counters, in the order of gk_counter, then sampled nanoseconds. */
    static native void counters(long codec, long[] out);

    /** 0 when memory is short. */
    static native long workerNew(long codec);

    static native void workerFree(long worker);

    /** 0 when memory is short. */
    static native long sessionNew(long codec);

    static native void sessionFree(long session);

    /** gk_session_trust: the client may read groups' keys, if it is a member. */
    static native void sessionTrust(long session);

    /** gk_session_pending. */
    static native int sessionPending(long session);

    /**
     * gk_session_requests.
     *
     * @return consumed &lt;&lt; 32 | produced; or minus the length that the output needs; or {@link #FAILED}
     */
    static native long requests(long session, long worker, long in, int inLength, long out, int outLength);

    /** gk_session_reply: bytes produced, perhaps with {@link #DECRYPT_FAILED}; or minus the length that the output needs; or {@link #FAILED}. */
    static native long reply(long session, long worker, long in, int inLength, long out, int outLength);

    /** gk_session_reply_parts: the same for a frame whose record lies in an array, which isn't copied; the garbage collector may have to wait. */
    static native long replyParts(long session, long worker, long head, int headLength, byte[] record, int offset, int length, long out, int outLength);

    /** gk_sequence_resolve: u32 length of the path, path, payload; or null when it isn't ours; or nothing when memory is short. */
    static native byte[] resolve(long worker, byte[] path, int number, byte[] payload);

    /** gk_write_verify: 1 it is ours, 0 it isn't, -1 memory is short. */
    static native int verify(long worker, byte[] path, byte[] payload);

    /** {@link #byteHardLimit}: the text isn't one that stock can read. */
    static final long UNREADABLE = Long.MIN_VALUE;

    /** The byteHardLimit that the client wrote into this zookeeper_limits node; -1 for none, {@link #UNREADABLE}. */
    static native long byteHardLimit(long worker, byte[] path, byte[] stored);

    /** What a stored name of a child of "/" says: 1 it was made under this keyring, 0 nothing (it is plain under any), -1 it wasn't. */
    static native int judgeChild(long worker, byte[] name);

    // ---- the servers' own nodes and their agreement; thread-safe, but for the worker ----

    /** gk_members_is: 1 a node stored so is a members node, 0 it isn't, -1 memory is short. */
    static native int isMembers(long worker, byte[] path, byte[] stored);

    /** gk_own_seen; root is the stored payload of /zookeeper/groupkeeper. */
    static native void ownSeen(long codec, long czxid, byte[] root, int nodes);

    /** gk_own_seal; null when memory or randomness is short. */
    static native byte[] ownSeal(long worker, String path, byte[] data);

    /**
     * gk_servers_start; nothing when it runs already.
     *
     * @return null, or one line that says what is wrong and what to do
     */
    static native String serversStart(long codec, long serverId, long maxAgeMs, long maxDerivations);

    /** gk_servers_step; null when it couldn't be done. */
    static native byte[] serversStep(long worker, byte[] snapshot);

    /** gk_servers_serve. */
    static native void serversServe(long codec, boolean on);

    /** gk_servers_status. */
    static native String serversStatus(long codec);

    /** gk_servers_runs. */
    static native long serversRuns(long codec);
}
