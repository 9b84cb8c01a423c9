package org.apache.zookeeper.server;

import java.lang.reflect.Field;
import org.apache.zookeeper.common.Time;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands before stock's RequestThrottler and, while that has nothing to throttle, does what its thread does in the thread that submits: hands
 * the request to the first processor, which puts it into a queue. Each request then wakes one thread less. From the moment on that an
 * operator asks for throttling (request_throttle_max_requests, throttled_op_wait_time; also by JMX), everything goes stock's way.
 */
final class GroupkeeperThrottler extends RequestThrottler {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperThrottler.class);

    private final ZooKeeperServer zks;
    private final RequestThrottler stock;
    /** For good: a request must not overtake those of its session that wait there. Eager ACL checks answer in the submitting thread. */
    private volatile boolean asStock = ZooKeeperServer.isEnableEagerACLCheck();

    private GroupkeeperThrottler(ZooKeeperServer zks, RequestThrottler stock) {
        super(zks); // a thread that is never started
        this.zks = zks;
        this.stock = stock;
    }

    /**
     * To be called on a connection's event loop before its requests are handed on, until it returns true: a server that doesn't run yet has no
     * throttler. One that is built in another way keeps what it has.
     */
    static synchronized boolean install(ZooKeeperServer zks) {
        if (zks == null || !zks.isRunning()) {
            return false;
        }
        try {
            Field f = ZooKeeperServer.class.getDeclaredField("requestThrottler");
            f.setAccessible(true);
            Object stock = f.get(zks);
            if (stock.getClass() == RequestThrottler.class) {
                f.set(zks, new GroupkeeperThrottler(zks, (RequestThrottler) stock));
            }
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn("Groupkeeper: requests keep going through the throttler's thread: {}", e.toString());
        }
        return true;
    }

    @Override
    public void submitRequest(Request request) {
        if (!asStock && (getMaxRequests() > 0 || ZooKeeperServer.getThrottledOpWaitTime() > 0)) {
            asStock = true;
        }
        if (asStock) {
            stock.submitRequest(request);
            return;
        }
        request.requestThrottleQueueTime = Time.currentElapsedTime();
        if (request.mustDrop()) {
            return;
        }
        if (request.isStale()) {
            ServerMetrics.getMetrics().STALE_REQUESTS.add(1);
        }
        ServerMetrics.getMetrics().REQUEST_THROTTLE_QUEUE_TIME.add(0);
        if (shouldThrottleOp(request, 0)) {
            request.setIsThrottled(true);
            ServerMetrics.getMetrics().THROTTLED_OPS.add(1);
        }
        zks.submitRequestNow(request);
    }

    @Override
    public int getInflight() {
        return stock.getInflight();
    }

    /** After each request; who waits for it came by the other way. */
    @Override
    public void throttleWake() {
        if (asStock) {
            stock.throttleWake();
        }
    }

    /** From here on stock drops what comes. */
    @Override
    public void shutdown() {
        asStock = true;
        stock.shutdown();
    }
}
