/** Loaded into a child (`--import`): ends it when its launcher is gone, so that a killed launcher leaves no orphan. */
if (process.channel) {
  process.channel.unref();
  process.on("disconnect", () => process.exit(1));
}
