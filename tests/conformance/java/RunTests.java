import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Properties;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs JUnit classes and writes each result at once, so that a killed JVM leaves what it found out: lines STATUS, CLASS, TEST, MESSAGE with
 * tabs between. usage: RunTests RESULTS CLASS[#METHOD]...   -Dconformance.factory=F: whoever asks for stock's Netty factory in this JVM gets F.
 */
public final class RunTests {

    private static final String KEY = "zookeeper.serverCnxnFactory";
    private static final String NETTY = "org.apache.zookeeper.server.NettyServerCnxnFactory";

    private RunTests() {
    }

    /** Tests choose Netty by name and afterwards remove their choice; a run under another factory stays under that one. */
    private static final class FactoryProperties extends Properties {

        private static final long serialVersionUID = 1;
        private final String factory;

        FactoryProperties(Properties from, String factory) {
            this.factory = factory;
            super.putAll(from);
            super.put(KEY, factory);
        }

        @Override
        public synchronized Object put(Object key, Object value) {
            return super.put(key, KEY.equals(key) && NETTY.equals(value) ? factory : value);
        }

        @Override
        public synchronized Object remove(Object key) {
            return KEY.equals(key) ? super.put(key, factory) : super.remove(key);
        }
    }

    private static final class Writer implements TestExecutionListener {

        private final PrintWriter out;

        Writer(PrintWriter out) {
            this.out = out;
        }

        private void line(String status, TestIdentifier test, String message) {
            String id = test.getUniqueId();
            String type = id.replaceFirst(".*\\[class:([^\\]]*)\\].*", "$1");
            String name = test.isTest() ? id.replaceFirst(".*\\[class:[^\\]]*\\]/?", "").replaceAll("\\[[a-z-]*:|\\]", "") : "(class)";
            out.println(status + "\t" + type + "\t" + name + "\t" + message.replaceAll("[\\t\\r\\n]+", " "));
            out.flush();
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            line("skipped", test, reason);
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            if (test.isTest()) {
                line("started", test, "");
            }
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
            if (!test.isTest() && passed) {
                return;
            }
            String message = result.getThrowable().map(RunTests::describe).orElse("");
            String status = passed ? "passed" : result.getStatus() == TestExecutionResult.Status.ABORTED ? "skipped" : "failed";
            line(status, test, message);
        }
    }

    /** The exception, and where in the test it arose. */
    private static String describe(Throwable t) {
        t.printStackTrace();
        for (StackTraceElement e : t.getStackTrace()) {
            if (e.getClassName().matches(".*(Test|TestBase|Base|TestCase)(\\$.*)?")) {
                return t + " at " + e;
            }
        }
        return t.toString();
    }

    public static void main(String[] args) throws IOException {
        String factory = System.getProperty("conformance.factory");
        if (factory != null) {
            System.setProperties(new FactoryProperties(System.getProperties(), factory));
        }
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Paths.get(args[0])))) {
            LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request();
            for (int i = 1; i < args.length; i++) {
                request.selectors(args[i].contains("#") ? DiscoverySelectors.selectMethod(args[i]) : DiscoverySelectors.selectClass(args[i]));
            }
            Launcher launcher = LauncherFactory.create();
            launcher.execute(request.build(), new Writer(out));
            out.println("end\t\t\t");
        }
        System.exit(0); // some tests leave threads behind
    }
}
