import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.solr.client.solrj.SolrQuery;
import org.apache.solr.client.solrj.SolrRequest;
import org.apache.solr.client.solrj.impl.CloudSolrClient;
import org.apache.solr.client.solrj.request.CollectionAdminRequest;
import org.apache.solr.common.SolrInputDocument;
import org.apache.solr.common.cloud.DocCollection;
import org.apache.solr.common.cloud.ZkMaintenanceUtils;
import org.apache.solr.common.cloud.ZkStateReader;
import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;

/**
 * A Solr Cloud of two nodes at work on a ZooKeeper ensemble: SolrApp ZK_HOST FOLDER PORT. Collections, documents, queries, aliases, replicas that come and
 * go, an overseer that ends. Each step prints a line; after "midway" one line is read from stdin, so that the ensemble can be hurt meanwhile.
 */
public final class SolrApp {

    private static final String CONFIG = "<config><luceneMatchVersion>9.0</luceneMatchVersion><schemaFactory class='ClassicIndexSchemaFactory'/>"
        + "<directoryFactory name='DirectoryFactory' class='solr.ByteBuffersDirectoryFactory'/><indexConfig><lockType>single</lockType></indexConfig>"
        + "<updateHandler class='solr.DirectUpdateHandler2'><updateLog><str name='dir'></str></updateLog></updateHandler>"
        + "<requestHandler name='/select' class='solr.SearchHandler'/></config>";
    private static final String SCHEMA = "<schema name='s' version='1.6'><fieldType name='s' class='solr.StrField'/><fieldType name='l' class='solr.LongPointField'"
        + " docValues='true'/><field name='id' type='s' indexed='true' stored='true' required='true'/><field name='_version_' type='l'/><field name='v' type='s'"
        + " indexed='true' stored='true'/><uniqueKey>id</uniqueKey></schema>";
    private static final String SOLR_XML = "<solr><str name='configSetBaseDir'>configs</str><solrcloud><str name='host'>127.0.0.1</str><int name='hostPort'>%d</int>"
        + "<str name='hostContext'>solr</str><int name='zkClientTimeout'>20000</int><str name='zkHost'>%s</str></solrcloud></solr>";

    private final String zk;
    private final Path folder;
    private CloudSolrClient client;

    private SolrApp(String zk, Path folder) {
        this.zk = zk;
        this.folder = folder;
    }

    public static void main(String[] args) throws Exception {
        int exit = 1;
        try {
            new SolrApp(args[0], Paths.get(args[1])).run(Integer.parseInt(args[2]));
            exit = 0;
        } catch (Throwable e) {
            e.printStackTrace();
        }
        System.exit(exit); // threads of Jetty and Solr go on otherwise
    }

    private static void say(String line) {
        System.out.println("SOLR " + line);
        System.out.flush();
    }

    private JettySolrRunner node(String name, int port) throws Exception {
        Path home = Files.createDirectories(folder.resolve(name));
        Files.write(home.resolve("solr.xml"), String.format(SOLR_XML, port, zk).getBytes(StandardCharsets.UTF_8));
        JettySolrRunner jetty = new JettySolrRunner(home.toString(), new JettyConfig.Builder().useOnlyHttp1(true).setContext("/solr").setPort(port).build());
        jetty.start();
        return jetty;
    }

    private void run(int port) throws Exception {
        Path conf = Files.createDirectories(folder.resolve("conf"));
        Files.write(conf.resolve("solrconfig.xml"), CONFIG.getBytes(StandardCharsets.UTF_8));
        Files.write(conf.resolve("schema.xml"), SCHEMA.getBytes(StandardCharsets.UTF_8));
        JettySolrRunner first = node("node1", port);
        JettySolrRunner second = node("node2", port + 1);
        client = new CloudSolrClient.Builder(List.of(zk), Optional.empty()).build();
        client.connect();
        ZkMaintenanceUtils.uploadToZK(ZkStateReader.from(client).getZkClient(), conf, "/configs/gk", ZkMaintenanceUtils.UPLOAD_FILENAME_EXCLUDE_PATTERN);
        say("nodes 2");
        create("one", 2, 2);
        create("two", 1, 2);
        index("one", 0, 300);
        CollectionAdminRequest.createAlias("alias", "one").process(client);
        say("alias " + count("alias"));
        say("midway");
        System.in.read();
        index("one", 300, 600);
        index("two", 0, 50);
        say("one " + count("one") + ", two " + count("two"));
        retry("add a replica", CollectionAdminRequest.addReplicaToShard("two", "shard1"));
        active("two", 1, 3);
        create("three", 1, 1);
        retry("delete", CollectionAdminRequest.deleteCollection("three"));
        retry("property", CollectionAdminRequest.setClusterProperty("maxCoresPerNode", "9"));
        second.stop(); // a node goes, and with it perhaps the overseer and leaders of shards
        index("one", 600, 700);
        second = node("node2", port + 1);
        active("one", 2, 2);
        active("two", 1, 3);
        say("one " + count("one") + ", alias " + count("alias"));
        say("done");
        System.in.read(); // the trees are read now
        client.close();
        second.stop();
        first.stop();
    }

    private void create(String name, int shards, int replicas) throws Exception {
        retry("create " + name, CollectionAdminRequest.createCollection(name, "gk", shards, replicas));
        active(name, shards, replicas);
    }

    /** While the ensemble has no leader, requests fail. */
    private void retry(String what, SolrRequest<?> request) throws Exception {
        for (int attempt = 1;; attempt++) {
            try {
                client.request(request);
                say(what);
                return;
            } catch (Exception e) {
                if (attempt == 20) {
                    throw e;
                }
                System.err.println(what + ": " + e);
                if (String.valueOf(e).contains("already exists")) {
                    return;
                }
                Thread.sleep(1000);
            }
        }
    }

    private void active(String name, int shards, int replicas) throws Exception {
        ZkStateReader reader = ZkStateReader.from(client);
        try {
            reader.waitForState(name, 120, TimeUnit.SECONDS, (live, state) -> state != null && state.getSlices().size() == shards
                && state.getReplicas().size() == shards * replicas && state.getReplicas().stream().allMatch(r -> r.isActive(live))
                && state.getSlices().stream().allMatch(s -> s.getLeader() != null));
        } catch (TimeoutException e) {
            DocCollection state = reader.getClusterState().getCollectionOrNull(name);
            throw new IllegalStateException(name + ": " + state, e);
        }
        say(name + " is active");
    }

    private void index(String name, int from, int to) throws Exception {
        List<SolrInputDocument> documents = new ArrayList<>();
        for (int i = from; i < to; i++) {
            SolrInputDocument document = new SolrInputDocument();
            document.addField("id", String.valueOf(i));
            document.addField("v", "value " + i);
            documents.add(document);
        }
        for (int attempt = 1;; attempt++) {
            try {
                client.add(name, documents);
                client.commit(name);
                return;
            } catch (Exception e) {
                if (attempt == 40) {
                    throw e;
                }
                System.err.println("index: " + e);
                Thread.sleep(500);
            }
        }
    }

    private long count(String name) throws Exception {
        return client.query(name, new SolrQuery("*:*")).getResults().getNumFound();
    }
}
