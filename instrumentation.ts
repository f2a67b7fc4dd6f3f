/** Runs once when a web process starts, before its first request; never while building. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== "nodejs" || process.env.NEXT_PHASE === "phase-production-build") return;
  const { boot } = await import("#engine/boot.ts");
  await boot();
}
