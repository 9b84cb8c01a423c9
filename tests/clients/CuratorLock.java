import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.client.ZKClientConfig;

/**
 * Stock Curator: clients that count up a number under a lock. Reading, adding one and writing back without a version is wrong unless the
 * lock excludes; so the final number proves it. Knows nothing of Groupkeeper.
 *
 * <p>usage: CuratorLock CONNECT CLIENT-CONFIG PARENT CLIENTS ROUNDS; CLIENT-CONFIG is a file of zookeeper.* properties, or "-". The last
 * line on stdout is JSON: {"clients":2,"rounds":10,"counter":20,"waited_ms":..}; exit 1 when the counter is not CLIENTS x ROUNDS.
 */
public final class CuratorLock {
    private final String lock;
    private final String counter;
    private final int rounds;
    private long waitedNanos;

    private CuratorLock(String parent, int rounds) {
        this.lock = parent + "/lock";
        this.counter = parent + "/counter";
        this.rounds = rounds;
    }

    @SuppressWarnings("deprecation") // a ZKClientConfig from a Path is newer than some of the versions tried
    private static CuratorFramework connect(String hosts, String config) throws Exception {
        CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder().connectString(hosts)
            .sessionTimeoutMs(10_000).retryPolicy(new ExponentialBackoffRetry(200, 10));
        if (!config.equals("-")) {
            builder.zkClientConfig(new ZKClientConfig(new File(config)));
        }
        CuratorFramework client = builder.build();
        client.start();
        client.blockUntilConnected();
        return client;
    }

    private void work(CuratorFramework client) {
        InterProcessMutex mutex = new InterProcessMutex(client, lock);
        try {
            for (int i = 0; i < rounds; i++) {
                long begin = System.nanoTime();
                mutex.acquire();
                try {
                    addWaited(System.nanoTime() - begin);
                    long value = read(client);
                    client.setData().forPath(counter, Long.toString(value + 1).getBytes(StandardCharsets.UTF_8));
                } finally {
                    mutex.release();
                }
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private synchronized void addWaited(long nanos) {
        waitedNanos += nanos;
    }

    private long read(CuratorFramework client) throws Exception {
        return Long.parseLong(new String(client.getData().forPath(counter), StandardCharsets.UTF_8));
    }

    private long run(String hosts, String config, int clients) throws Exception {
        List<CuratorFramework> all = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            all.add(connect(hosts, config));
        }
        all.get(0).create().creatingParentsIfNeeded().forPath(counter, "0".getBytes(StandardCharsets.UTF_8));
        List<Thread> threads = new ArrayList<>();
        for (CuratorFramework client : all) {
            Thread thread = new Thread(() -> work(client));
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        long value = read(all.get(0));
        all.forEach(CuratorFramework::close);
        return value;
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 5) {
            System.err.println("CuratorLock: error: USAGE: five arguments wanted (hint: CuratorLock CONNECT CONFIG PARENT CLIENTS ROUNDS)");
            System.exit(2);
        }
        int clients = Integer.parseInt(args[3]);
        int rounds = Integer.parseInt(args[4]);
        CuratorLock program = new CuratorLock(args[2], rounds);
        long value = program.run(args[0], args[1], clients);
        System.out.printf("{\"clients\":%d,\"rounds\":%d,\"counter\":%d,\"waited_ms\":%d}%n", clients, rounds, value,
            program.waitedNanos / 1_000_000);
        System.exit(value == (long) clients * rounds ? 0 : 1);
    }
}
