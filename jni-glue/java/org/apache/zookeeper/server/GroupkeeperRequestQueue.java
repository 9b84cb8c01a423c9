package org.apache.zookeeper.server;

import io.netty.util.concurrent.FastThreadLocal;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * The queue in front of the thread that prepares requests, in place of stock's, which wakes that thread for each request that finds the queue
 * empty; where cores are busy it then takes the event loop's, does one request and sleeps again. Here an event loop wakes it once for the
 * requests that one read of a connection brought, or for so many of them; other threads do at once.
 */
final class GroupkeeperRequestQueue extends LinkedBlockingQueue<Request> {

    private static final long serialVersionUID = 1;
    private static final int MOST = 32;
    private static final FastThreadLocal<Burst> BURST = new FastThreadLocal<Burst>() {
        @Override
        protected Burst initialValue() {
            return new Burst();
        }
    };
    /** How often, and how long, whoever still had stock's queue in its hands is waited for. */
    private static final int LOOKS = 100;
    private static final long LOOK_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final transient ConcurrentLinkedQueue<Request> requests = new ConcurrentLinkedQueue<>();
    private final transient LinkedBlockingQueue<Request> before;
    private final AtomicInteger size = new AtomicInteger();
    private transient volatile Thread waiter;
    private int looks;

    /** @param before the queue whose place this takes; what is or comes there is handed on */
    GroupkeeperRequestQueue(LinkedBlockingQueue<Request> before) {
        this.before = before;
    }

    /** Requests that its thread puts into a queue between begin and end, mostly without waking the queue's reader. */
    static final class Burst {

        private boolean open;
        private GroupkeeperRequestQueue queue;
        private int n;

        /** The calling thread's. */
        static Burst get() {
            return BURST.get();
        }

        void begin() {
            open = true;
        }

        void end() {
            open = false;
            wake();
            queue = null;
        }

        private void added(GroupkeeperRequestQueue to) {
            if (queue != to) {
                wake();
                queue = to;
            }
            if (++n >= MOST) {
                wake();
            }
        }

        private void wake() {
            if (n > 0) {
                n = 0;
                queue.wake();
            }
        }
    }

    private void wake() {
        Thread t = waiter;
        if (t != null) {
            LockSupport.unpark(t);
        }
    }

    @Override
    public boolean offer(Request request) {
        size.incrementAndGet();
        requests.add(request);
        Burst burst = BURST.getIfExists();
        if (burst != null && burst.open) {
            burst.added(this);
        } else {
            wake();
        }
        return true;
    }

    @Override
    public Request poll() {
        Request request = before.poll();
        if (request == null && (request = requests.poll()) != null) {
            size.decrementAndGet();
        }
        return request;
    }

    /** For one thread. */
    @Override
    public Request take() throws InterruptedException {
        Request request = poll();
        while (request == null) {
            waiter = Thread.currentThread();
            request = poll(); // what came before the name stood there
            if (request == null) {
                LockSupport.parkNanos(this, looks < LOOKS ? LOOK_NS : Long.MAX_VALUE);
                request = poll();
                looks += request == null ? 1 : 0;
            }
            waiter = null;
            if (request == null && Thread.interrupted()) {
                throw new InterruptedException();
            }
        }
        return request;
    }

    @Override
    public int size() {
        return size.get();
    }

    @Override
    public void clear() {
        while (poll() != null) {
            // it is dropped
        }
    }
}
