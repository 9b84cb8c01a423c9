"""Outside test suites, each run on stock Netty and on the plugin by the same driver."""
