import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.Version;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/**
 * Starts one real OpenSearch node (2.19 or 3.x) from a flat class path of published jars.
 * Usage: java -cp 'lib/*' Launcher.java HOME [setting=value ...], where HOME/config holds opensearch.yml and log4j2.properties.
 *
 * It is Node.start() with the modules given by class instead of by directory, as OpenSearch's own integration tests do. It leaves
 * out Bootstrap: no bootstrap checks, no root check, no security agent. HTTP, storage, analysis and cluster code are the shipped ones.
 */
public class Launcher {
    /** Module, its plug-in class in 3.x. In 2.x the class has the same name without "Module". */
    private static final String[][] MODULES = {
        { "transport-netty4", "org.opensearch.transport.Netty4ModulePlugin" }, // the HTTP server
        { "analysis-common", "org.opensearch.analysis.common.CommonAnalysisModulePlugin" }, // stemmers
        { "mapper-extras", "org.opensearch.index.mapper.MapperExtrasModulePlugin" }, // rank_feature
        { "reindex", "org.opensearch.index.reindex.ReindexModulePlugin" },
        { "parent-join", "org.opensearch.join.ParentJoinModulePlugin" },
        { "percolator", "org.opensearch.percolator.PercolatorModulePlugin" },
        { "lang-painless", "org.opensearch.painless.PainlessModulePlugin" },
        { "ingest-common", "org.opensearch.ingest.common.IngestCommonModulePlugin" },
    };

    private static final class ClasspathNode extends Node {
        @SuppressWarnings({ "unchecked", "rawtypes" })
        ClasspathNode(Environment environment, Collection plugins) {
            super(environment, plugins, true);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Environment environment = readEnvironment(arguments);
        LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(environment.settings()));
        LogConfigurator.configure(environment);
        Node node = new ClasspathNode(environment, findPlugins());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        if (System.getenv("EXIT_WITH_PARENT") != null) exitWithParent();
        new CountDownLatch(1).await();
    }

    private static Environment readEnvironment(String[] arguments) {
        Path home = Paths.get(arguments[0]).toAbsolutePath();
        System.setProperty("opensearch.path.home", home.toString());
        Map<String, String> settings = new HashMap<>();
        for (int i = 1; i < arguments.length; i++) {
            int equals = arguments[i].indexOf('=');
            settings.put(arguments[i].substring(0, equals), arguments[i].substring(equals + 1));
        }
        Settings base = Settings.builder().put("path.home", home.toString()).build();
        return InternalSettingsPreparer.prepareEnvironment(base, settings, home.resolve("config"), () -> "node");
    }

    /** 3.x takes descriptions of plug-ins, 2.x their classes. */
    private static List<Object> findPlugins() throws ClassNotFoundException {
        List<Object> plugins = new ArrayList<>();
        String version = Version.CURRENT.toString();
        for (String[] module : MODULES) {
            if (Version.CURRENT.major >= 3) {
                plugins.add(new PluginInfo(module[0], module[0], version, Version.CURRENT, "21", module[1], null, List.of(), false));
            } else {
                plugins.add(Class.forName(module[1].replace("ModulePlugin", "Plugin")));
            }
        }
        return plugins;
    }

    private static void close(Node node) {
        try {
            node.close();
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    /** The parent holds our standard input: its end means that the parent died. */
    private static void exitWithParent() {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() != -1) { }
            } catch (java.io.IOException e) {
                e.printStackTrace();
            }
            System.exit(0);
        }, "parent-watch");
        watch.setDaemon(true);
        watch.start();
    }
}
