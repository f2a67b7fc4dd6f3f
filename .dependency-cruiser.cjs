/** Who may import whom. `lib/chain` decides, everybody else fetches or draws. */
const layer = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^(lib|components|app|e2e)/", pathNot: allowed },
});

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-unresolved", severity: "error", from: {}, to: { couldNotResolve: true } },
    layer("chain-imports-nothing", "^lib/chain/", "^lib/chain/"),
    {
      name: "chain-has-no-library",
      severity: "error",
      // Its generators for property tests are the one exception besides tests.
      from: { path: "^lib/chain/", pathNot: "\\.test\\.ts$|^lib/chain/(plan/)?testing/" },
      to: { dependencyTypes: ["npm", "npm-dev", "core"] },
    },
    layer("graph", "^lib/graph/", "^lib/(graph|chain)/"),
    layer("contract", "^lib/contract/", "^lib/(contract|chain)/"),
    layer("db", "^lib/db/", "^lib/(db|chain)/"),
    // Tests of a layer may start the real lab.
    layer("engine", "^lib/engine/(?!testing/|.*\\.test\\.ts$)", "^lib/(engine|chain|contract|db)/"),
    layer("agent", "^lib/agent/(?!testing/|.*\\.test\\.ts$)", "^lib/(agent|chain|contract)/"),
    layer("client", "^lib/client/", "^lib/(client|chain|graph|contract)/"),
    layer("components", "^components/", "^(components|lib/(client|graph|chain|contract))/"),
    layer("app", "^app/", "^(app|components|lib/(?!agent|db|lab|run|bench))"),
    {
      name: "concepts-do-not-import-each-other",
      severity: "error",
      from: { path: "^components/(?!ui/|patterns/)([^/]+)/" },
      to: { path: "^components/", pathNot: "^components/(ui|patterns|$1)/" },
    },
    {
      name: "ui-knows-no-domain",
      severity: "error",
      from: { path: "^components/ui/" },
      to: { path: "^(lib/|components/(?!ui/))" },
    },
    {
      name: "orm-stays-in-db",
      severity: "error",
      from: { path: "^(lib|app|components)/", pathNot: "^lib/db/" },
      to: { path: "node_modules/drizzle-orm" },
    },
    {
      name: "libvirt-stays-in-agent",
      severity: "error",
      from: { path: "^(lib|app|components)/", pathNot: "^lib/agent/libvirt/" },
      to: { path: "node_modules/koffi" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(\\.next|node_modules/\\.cache)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".cjs", ".json"],
    },
  },
};
