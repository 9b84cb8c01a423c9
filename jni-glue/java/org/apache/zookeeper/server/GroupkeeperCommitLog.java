package org.apache.zookeeper.server;

import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.util.ArrayDeque;
import org.apache.zookeeper.server.quorum.Leader.Proposal;
import org.apache.zookeeper.txn.CreateTxn;
import org.apache.zookeeper.txn.MultiTxn;
import org.apache.zookeeper.txn.SetDataTxn;
import org.apache.zookeeper.txn.Txn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stock keeps the last 500 proposals in memory, however large they are; ciphertext makes large ones larger. This keeps as many as fit an
 * eighth of the heap. A learner that lags further behind gets the transaction log's DIFF or a SNAP, as stock decides.
 */
final class GroupkeeperCommitLog implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(GroupkeeperCommitLog.class);
    private static final long BUDGET = Runtime.getRuntime().maxMemory() / 8;
    private static final long EVERY_MS = 100;
    private static final int PER_PROPOSAL = 512;

    private final WeakReference<ZKDatabase> database;
    private final Field request;
    private final ArrayDeque<Long> sizes = new ArrayDeque<>();
    private long total;
    private long lastZxid;

    private GroupkeeperCommitLog(ZKDatabase db) throws NoSuchFieldException {
        database = new WeakReference<>(db);
        request = Proposal.class.getDeclaredField("request");
        request.setAccessible(true);
    }

    static void watch(ZooKeeperServer zks) {
        try {
            Thread t = new Thread(new GroupkeeperCommitLog(zks.getZKDatabase()), "groupkeeper-commit-log");
            t.setDaemon(true);
            t.start();
        } catch (NoSuchFieldException e) {
            LOG.warn("Groupkeeper: this ZooKeeper's proposals can't be measured, so its commit log is bounded by their number alone", e);
        }
    }

    @Override
    public void run() {
        try {
            while (true) {
                Thread.sleep(EVERY_MS);
                ZKDatabase db = database.get();
                if (db == null) {
                    return;
                }
                trim(db);
            }
        } catch (InterruptedException | IllegalAccessException e) {
            LOG.warn("Groupkeeper: the commit log is bounded by number alone from now on", e);
        }
    }

    private void trim(ZKDatabase db) throws IllegalAccessException {
        if (db.getmaxCommittedLog() == lastZxid) {
            return;
        }
        db.logLock.writeLock().lock();
        try {
            measure(db);
            while (total > BUDGET && db.committedLog.size() > 1) {
                db.committedLog.remove();
                total -= sizes.remove();
                db.minCommittedLog = zxid(db.committedLog.peek());
            }
        } finally {
            db.logLock.writeLock().unlock();
        }
    }

    /** Makes sizes the sizes of committedLog's elements: new ones stand at its end, stock drops old ones at its start. */
    private void measure(ZKDatabase db) throws IllegalAccessException {
        ArrayDeque<Long> fresh = new ArrayDeque<>();
        java.util.Iterator<Proposal> newestFirst = ((ArrayDeque<Proposal>) db.committedLog).descendingIterator();
        while (newestFirst.hasNext()) {
            Proposal p = newestFirst.next();
            if (zxid(p) <= lastZxid) {
                break;
            }
            fresh.addFirst(size((Request) request.get(p)));
        }
        for (long n : fresh) {
            sizes.add(n);
            total += n;
        }
        while (sizes.size() > db.committedLog.size()) {
            total -= sizes.remove();
        }
        while (sizes.size() < db.committedLog.size()) { // the database was loaded anew
            sizes.addFirst((long) PER_PROPOSAL);
            total += PER_PROPOSAL;
        }
        lastZxid = db.getmaxCommittedLog();
    }

    private long zxid(Proposal p) throws IllegalAccessException {
        return ((Request) request.get(p)).zxid;
    }

    private static long size(Request r) {
        Object txn = r.getTxn();
        long n = PER_PROPOSAL;
        if (txn instanceof MultiTxn) {
            for (Txn part : ((MultiTxn) txn).getTxns()) {
                n += 48 + (part.getData() == null ? 0 : part.getData().length);
            }
        } else if (txn instanceof CreateTxn) {
            n += length(((CreateTxn) txn).getData());
        } else if (txn instanceof SetDataTxn) {
            n += length(((SetDataTxn) txn).getData());
        }
        return n;
    }

    private static long length(byte[] data) {
        return data == null ? 0 : data.length;
    }
}
